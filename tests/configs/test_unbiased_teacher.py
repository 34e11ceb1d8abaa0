"""Unbiased Teacher's views: the same geometry, other pixels, and labeled images twice."""

import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from ssdet.engine.configs import load_config

from .miniature_coco import write_miniature_coco


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    root = write_miniature_coco(tmp_path_factory.mktemp("coco"))
    options = {"data_root": root, "batch": (2, 3), "num_workers": 0}
    config = load_config("unbiased_teacher/faster-rcnn_r50_coco.py", options)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        return next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))


def column(batch, branch):
    """(image, sample) of a branch, None where an image is not of it."""
    return list(zip(batch["inputs"][branch], batch["data_samples"][branch], strict=True))


@pytest.mark.parametrize(
    "weak, strong, own",
    [("sup", "sup_2", range(2)), ("unsup_teacher", "unsup_student", range(2, 5))],
)
def test_weak_and_strong_differ_in_their_pixels_alone(batch, weak, strong, own):
    for number, pair in enumerate(zip(column(batch, weak), column(batch, strong), strict=True)):
        (one, one_sample), (other, other_sample) = pair
        assert (one is not None) == (other is not None) == (number in own)
        if number not in own:
            continue
        assert one.shape == other.shape and not torch.equal(one, other)
        for key in ("img_shape", "flip", "scale_factor"):
            assert getattr(one_sample, key) == getattr(other_sample, key)
        if weak == "sup":
            boxes = one_sample.gt_instances.bboxes, other_sample.gt_instances.bboxes
            assert len(boxes[0]) == 1 and torch.equal(boxes[0].tensor, boxes[1].tensor)
        assert min(one_sample.img_shape) in range(640, 801, 32)
