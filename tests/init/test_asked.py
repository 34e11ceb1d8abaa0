"""Files that a method asks for beside the data, and what is said where they do not fit."""

import json
from pathlib import Path

import pytest

from ssdet.exits import RunError
from ssdet.formats import Annotations, ImageRecord
from ssdet.recipes.asked import asked_settings, gap_notes
from ssdet.recipes.labeled import Data


def settings(method, classes=("cat", "dog"), **files):
    return asked_settings(method, Data(Path("a.json"), "images", **files), classes)


@pytest.fixture
def theirs(tmp_path):
    """Boxes of another model, in COCO's form."""
    content = dict(
        images=[dict(id=1, file_name="a.jpg", width=9, height=9)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[0, 0, 5, 5], score=0.5)],
        categories=[dict(id=1, name="cat")],
    )
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def tags(tmp_path):
    path = tmp_path / "tags.json"
    path.write_text('{"a.jpg": ["cat"], "b.jpg": []}')
    return path


def test_methods_that_ask_for_nothing():
    assert settings("mean-teacher") == {}


def test_boxes_of_another_model(theirs):
    code = settings("external", external=theirs)["external_source"].value
    expected = dict(type="LabeledImages", source=str(theirs), format="coco", test_mode=True)
    assert code.items() >= expected.items()


def test_tags_of_images(tags):
    assert settings("tags", tags=tags)["tags"].value == str(tags)


@pytest.mark.parametrize(
    ("method", "given", "message"),
    [
        ("external", {}, "--method external: needs --external FILE"),
        ("tags", {}, "--method tags: needs --tags FILE"),
        ("mean-teacher", dict(tags="tags"), "does not use it; tags, tags-seg does"),
        ("external", dict(external=Path("none.json")), "missing file"),
        ("external", dict(external="theirs", classes=("bird",)), "labels of other classes"),
        ("tags", dict(tags="tags", classes=("bird",)), "found: class 'cat'|found class 'cat'"),
        ("tags", dict(tags="theirs"), "tags that cannot be used"),
    ],
)
def test_what_does_not_fit_is_refused(method, given, message, request):
    files = {"theirs", "tags"}
    given = {k: request.getfixturevalue(v) if v in files else v for k, v in given.items()}
    with pytest.raises(RunError, match=message):
        settings(method, **given)


def test_a_method_that_takes_gaps_for_background_is_told():
    whole, partial = (
        Annotations(Path(name), None, ("cat",), [ImageRecord("a.jpg", exhaustive=known)])
        for name, known in (("whole.json", None), ("partial.json", ()))
    )
    assert gap_notes("mean-teacher", whole, whole) == []
    assert gap_notes("partial-boxes", partial, whole) == []
    (note,) = gap_notes("mean-teacher", partial, whole)
    assert "partial.json" in note and "--method partial-boxes" in note
    (note,) = gap_notes("partial-boxes", partial, partial)
    assert "validated on" in note
