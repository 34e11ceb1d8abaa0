"""Classes of whole images: what they exclude vanishes."""

import json
from typing import ClassVar

import pytest
import torch

from ssdet.hooks import ImageTagHook
from ssdet.registry import DATASETS
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...helpers import build_pair, pseudo, sample
from ...seg_helpers import build_seg, seg_sample

BOXES = [[0.0, 0.0, 9.0, 9.0], [20.0, 0.0, 29.0, 9.0], [40.0, 0.0, 49.0, 9.0]]


@pytest.fixture(scope="module")
def model():
    return build_pair()


def tagged(model, tags, path="images/a.jpg", **settings):
    hook = ImageTagHook(tags, **settings)
    hook.on_attach(model)
    one = sample()
    one.set_metainfo(dict(img_path=path))
    step = Step(
        model, 0, weak=Views(torch.zeros(1, 3, 64, 64), [one]),
        pseudo=[pseudo(BOXES, [0.9] * 3, [0, 1, 2])], dropped=[{}],
    )  # fmt: skip
    hook.after_teacher(step)
    return step


def test_boxes_of_other_classes_are_dropped(model):
    step = tagged(model, {"images/a.jpg": ["1"], "images/b.jpg": ["0"]})
    assert step.pseudo[0].labels.tolist() == [1]
    assert step.dropped[0]["tag"].labels.tolist() == [0, 2]


def test_an_image_without_any_object(model):
    assert len(tagged(model, {"a.jpg": []}).pseudo[0]) == 0


def test_an_image_without_tags_keeps_its_boxes(model):
    assert len(tagged(model, {"b.jpg": ["1"]}).pseudo[0]) == 3


def test_some_classes_may_always_be_there(model):
    assert tagged(model, {"a.jpg": ["1"]}, always=[2]).pseudo[0].labels.tolist() == [1, 2]


def test_two_images_of_one_name_are_told_apart_by_their_folders(model):
    tags = {"images/a.jpg": ["1"], "others/a.jpg": ["2"]}
    assert tagged(model, tags).pseudo[0].labels.tolist() == [1]
    assert len(tagged(model, tags, path="elsewhere/a.jpg").pseudo[0]) == 3


class Tagged:
    """A data set with classes in another order than the model."""

    metainfo: ClassVar = dict(classes=("2", "1", "0"))

    def __len__(self):
        return 1

    def get_data_info(self, number):
        return dict(img_path="images/a.jpg")

    def get_cat_ids(self, number):
        return [0]


def test_the_classes_of_a_data_set_go_by_name(model):
    DATASETS.register_module(module=Tagged, force=True)
    try:
        assert tagged(model, dict(type="Tagged")).pseudo[0].labels.tolist() == [2]
        Tagged.metainfo = dict(classes=("cat",))
        with pytest.raises(ValueError, match="'cat' is a class of the data set"):
            tagged(model, dict(type="Tagged"))
    finally:
        DATASETS.module_dict.pop("Tagged")


def test_folders_that_differ_at_the_beginning(model):
    tags = {"theirs/x/a.jpg": ["1"], "theirs/y/a.jpg": ["2"]}
    assert tagged(model, tags, path="/ours/y/a.jpg").pseudo[0].labels.tolist() == [2]
    assert tagged(model, {"/a.jpg": ["1"]}, path="/a.jpg").pseudo[0].labels.tolist() == [1]


def test_a_file_of_tags(model, tmp_path):
    file = tmp_path / "tags.json"
    file.write_text(json.dumps({"a.jpg": ["0"]}))
    assert tagged(model, str(file)).pseudo[0].labels.tolist() == [0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a.jpg": ["cat"]}', r"tags of 'a\.jpg': found 'cat', allowed a list of 0, 1, 2"),
        ('{"a.jpg": "0"}', "found '0', allowed a list"),
        ('{"a.jpg": null}', "found None, allowed a list"),
        ("[]", r"holds a list, allowed is an object"),
        ("{", "cannot read the tags"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(model, tmp_path, text, message):
    file = tmp_path / "tags.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        tagged(model, str(file))


def test_pixels_get_the_best_possible_class():
    model, hook = build_seg(), ImageTagHook({"a.jpg": ["2"]})
    model.attach(hook)
    assert model.needs == {"soft"}
    soft = torch.tensor([0.2, 0.5, 0.3, 0.0]).view(1, 4, 1, 1).repeat(1, 1, 1, 2)
    scores, labels = soft.max(1)
    valid = torch.tensor([[[True, False]]])
    weak = Views(torch.zeros(1, 3, 1, 2), [seg_sample((1, 2), img_path="x/a.jpg")])
    pixels = PixelLabels(labels, scores, torch.ones_like(scores), valid, soft)
    hook.after_teacher(Step(model, 0, weak=weak, pseudo=pixels))
    assert pixels.labels.tolist() == [[[2, 255]]]  # or the background
    assert pixels.scores.flatten().tolist() == pytest.approx([0.6, 0.0])
