"""Every promise of docs/reliability.md stands once, with tests that exist."""

import ast
import re
from functools import cache

import pytest

from .pages import ROOT, read, tables

COUNTS = {"A": 11, "B": 10, "C": 10, "D": 7, "E": 5}
IDS = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
ROWS = [row for row in tables(read("docs/reliability.md")) if re.fullmatch(r"[A-Z]\d+", row[0])]


def test_the_promises_are_complete_and_in_order():
    assert [row[0] for row in ROWS] == IDS
    assert len(IDS) == 43


@cache
def functions(path):
    """Names of the tests in a file."""
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("key", IDS)
def test_a_promise_names_tests_that_exist(key):
    (row,) = (row for row in ROWS if row[0] == key)
    _, promise, tests, state = row
    named = re.findall(r"`([^`]+)`", tests)
    assert promise and state in ("holds", "open")
    assert named or state == "open", "what holds is proved by a test"
    assert re.sub(r"`[^`]+`", "", tests).strip() == ""
    for test in named:
        path, name = test.split("::")
        assert name in functions(path), test
