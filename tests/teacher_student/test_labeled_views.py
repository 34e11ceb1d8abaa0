"""Several views of a labeled image go through one pass of the student."""

import copy

import pytest
import torch
from mmengine.structures import InstanceData

from ssdet.datasets import WeakStrongViews
from ssdet.datasets.branches import has_labels

from ..families.detectors import sample
from ..helpers import build_pair, image, multi_branch

BOXES = [(4, 4, 30, 30)], [(20, 20, 60, 50)]


def two_views():
    """Two labeled images with two views each, and an unlabeled one."""
    batch = multi_branch(sup=1, unsup=1)
    for key, columns in batch.items():
        for branch in ("sup", "sup_2"):
            columns[branch] = [None, None, None]
        for number, boxes in enumerate(BOXES):
            for shift, branch in enumerate(("sup", "sup_2")):
                torch.manual_seed(2 * number + shift)
                made = image() if key == "inputs" else sample(boxes)
                columns[branch][number] = made
        for branch in ("unsup_teacher", "unsup_student"):
            columns[branch] = [None, None, next(x for x in columns[branch] if x is not None)]
    return batch


def test_all_views_of_labeled_images_are_one_batch():
    model = build_pair()
    data = model.data_preprocessor(two_views(), True)
    assert set(data["inputs"]) == {"sup", "unsup_teacher", "unsup_student"}
    assert len(data["inputs"]["sup"]) == len(data["data_samples"]["sup"]) == 4
    boxes = [one.gt_instances.bboxes[0].tolist() for one in data["data_samples"]["sup"]]
    assert boxes == [list(BOXES[0][0]), list(BOXES[1][0])] * 2
    assert len(data["inputs"]["unsup_teacher"]) == 1


def test_the_loss_is_that_of_a_batch_of_all_views():
    model = build_pair()
    batch, plain = two_views(), {"inputs": [], "data_samples": []}
    for branch in ("sup", "sup_2"):
        for key, column in plain.items():
            column += [one for one in batch[key][branch] if one is not None]
    labeled = {k: {b: c for b, c in v.items() if "unsup" not in b} for k, v in batch.items()}
    found, expected = (
        model(**model.data_preprocessor(copy.deepcopy(each), True), mode="loss")
        for each in (labeled, plain)
    )
    assert found.keys() == expected.keys() and any("loss" in key for key in found)
    for key, value in found.items():
        if "loss" in key:
            one, other = (
                torch.stack(list(v)) if isinstance(v, list) else v for v in (value, expected[key])
            )
            assert torch.equal(one, other), key


def test_views_of_one_image_share_what_is_drawn_before_them():
    """As Unbiased Teacher has it: the same geometry, other pixels."""
    field = ("sup", "sup_2", "unsup_teacher", "unsup_student")

    def load(results):
        return {**results, "img": torch.rand(1).numpy()}

    class Pack:
        def __init__(self, shift):
            self.shift = shift

        def __call__(self, results):
            kept = InstanceData()
            kept.set_metainfo({})
            return {"inputs": results["img"] + self.shift, "data_samples": kept}

    views = WeakStrongViews(
        views={"sup": [Pack(0)], "sup_2": [Pack(1)]}, shared=[load], branch_field=field
    )
    sample = views({})["inputs"]
    assert sample["sup_2"] == pytest.approx(sample["sup"] + 1)
    assert sample["unsup_student"] is None
    assert has_labels([views])
