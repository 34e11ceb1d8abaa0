"""What a COCO file says of objects that nobody labeled, from the file to the sample and back."""

import json

import pytest

from ssdet.datasets import LabeledImages
from ssdet.formats import DataError, coco_content, examine, read

CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}, {"id": 9, "name": "cow"}]


def coco(path, images, annotations=()):
    content = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 64, **one}
            for n, one in enumerate(images)
        ],
        "annotations": [
            {"id": n, "image_id": image, "category_id": category, "bbox": [1, 1, 9, 9], **more}
            for n, (image, category, more) in enumerate(annotations)
        ],
        "categories": CATEGORIES,
    }
    path.write_text(json.dumps(content))
    return path


def exhaustive(path):
    return [record.exhaustive for record in read(path, "coco").records]


def test_complete_and_exhaustive_classes(tmp_path):
    images = [{}, {"complete": True}, {"complete": False}, {"exhaustive_category_ids": [9, 3]}]
    path = coco(tmp_path / "a.json", images, [(0, 3, {})])
    assert exhaustive(path) == [None, None, (), (0, 2)]


def test_lists_of_lvis(tmp_path):
    lists = {"neg_category_ids": [9], "not_exhaustive_category_ids": [5]}
    path = coco(tmp_path / "a.json", [lists], [(0, 3, {}), (0, 5, {})])
    # Cats are labeled and not called open, cows were looked for; of dogs there are more.
    assert exhaustive(path) == [(0, 2)]


@pytest.mark.parametrize("wrong", [{"complete": "no"}, {"exhaustive_category_ids": [4]}])
def test_what_cannot_be_used_is_named(tmp_path, wrong):
    path = coco(tmp_path / "a.json", [wrong], [(0, 3, {})])
    with pytest.raises(DataError, match=next(iter(wrong))):
        read(path, "coco")


def test_they_are_written_again(tmp_path):
    images = [{}, {"complete": False}, {"exhaustive_category_ids": [3, 9]}]
    data = read(coco(tmp_path / "a.json", images, [(0, 3, {"score": 0.25})]), "coco")
    written = coco_content(data)
    keys = ("complete", "exhaustive_category_ids")
    assert [{k: one[k] for k in keys if k in one} for one in written["images"]] == images
    assert written["annotations"][0]["score"] == 0.25


def test_a_score_that_is_none_is_left_out_with_a_warning(tmp_path):
    data, issues = examine(coco(tmp_path / "a.json", [{}], [(0, 3, {"score": 3})]), "coco")
    assert data.records[0].instances[0].score is None
    assert [issue.severity for issue in issues] == ["warning"]


def test_samples_say_it_in_the_numbers_of_the_model(tmp_path):
    images = [{}, {"complete": False}, {"exhaustive_category_ids": [3, 9]}]
    path = coco(tmp_path / "a.json", images, [(0, 3, {"score": 0.5}), (1, 9, {})])
    data = LabeledImages(str(path), metainfo=dict(classes=("cow", "dog", "cat")), pipeline=[])
    assert [entry["exhaustive"] for entry in data] == [(0, 1, 2), (), (2, 0)]
    assert data[0]["instances"][0]["score"] == 0.5


def test_a_file_that_says_nothing_gives_samples_that_say_nothing(tmp_path):
    path = coco(tmp_path / "a.json", [{}], [(0, 3, {})])
    assert "exhaustive" not in LabeledImages(str(path), pipeline=[])[0]
