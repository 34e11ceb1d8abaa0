"""How values become the text of a config."""

import pytest

from ssdet.recipes.models import REMOVED
from ssdet.recipes.recipe import Code, Note
from ssdet.recipes.writer import assign, literal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dict(a=1, b="x"), "dict(a=1, b='x')"),
        ({"a-b": 1}, "{'a-b': 1}"),
        ((1,), "(1,)"),
        ([], "[]"),
        ([Code("resize"), Code("*more")], "[resize, *more]"),
        ({"a": 1, "**": Code("source")}, "dict(a=1, **source)"),
    ],
)
def test_short_values_stand_in_a_line(value, text):
    assert literal(value) == text


def test_long_values_are_broken_where_they_are_long():
    value = dict(short=[1, 2], long=[dict(type="A" * 50), dict(type="B" * 50)])
    assert literal(value) == (
        "dict(\n"
        "    short=[1, 2],\n"
        "    long=[\n"
        f"        dict(type='{'A' * 50}'),\n"
        f"        dict(type='{'B' * 50}')])"
    )


def test_notes_are_comments():
    assert assign("lr", Note(0.1, "of SGD")) == "lr = 0.1  # of SGD"
    long = "word " * 18
    assert assign("momentum", Note(0.1, long)) == f"# {long.strip()}\nmomentum = 0.1"
    hooks = [dict(type="A"), Note(dict(type="B"), "Why.")]
    assert assign("x", hooks) == "x = [\n    dict(type='A'),\n    # Why.\n    dict(type='B')]"
    nested = dict(a=dict(b=Note(1, "Why.")))
    assert literal(nested) == "dict(\n    a=dict(\n        # Why.\n        b=1))"


def test_what_an_inherited_model_has_too_much_is_taken_away():
    assert assign("detector.backbone.init_cfg", REMOVED) == "detector.backbone.pop('init_cfg')"
