"""FCOS heads with another third output, against numbers worked out by hand."""

import copy
import math

import pytest
import torch
from mmengine.structures import InstanceData

from ssdet.teacher_student.weights import honor_weights

from ..families.detectors import initialized, small_config
from ..helpers import build_pair


def head(kind, **settings):
    cfg = small_config("fcos")
    cfg.bbox_head.update(type=kind, **settings)
    return initialized(build_pair(cfg)).student.bbox_head


def maps(channels, value=0.0):
    """One image of 64x64 pixels, five levels."""
    return [torch.full((1, channels, s, s), value) for s in (8, 4, 2, 1, 1)]


def annotated(**fields):
    return InstanceData(bboxes=torch.tensor([[0.0, 0, 16, 16]]), labels=torch.tensor([1]), **fields)


META = dict(img_shape=(64, 64), pad_shape=(64, 64))


def test_the_quality_learns_the_overlap_and_boxes_weigh_alike():
    """Four cells of 8 pixels lie in the box, with centers at 4 and 12; the distances are 4 and 12.

    With 8 to each side, the predicted box at (4, 4) is (-4, -4, 12, 12): 144 of 368 overlap, as
    in the other three cells.
    """
    own = head("IoUFCOSHead", norm_on_bbox=False)
    found = own.loss_by_feat(maps(3), maps(4, 8.0), maps(1, 0.5), [annotated()], [META], None)
    overlap = 144 / (2 * 256 - 144)
    # BCE of the logit 0.5 with the target IoU, the mean of four positives.
    expected = math.log(1 + math.exp(0.5)) - 0.5 * overlap
    assert found["loss_centerness"].item() == pytest.approx(expected, rel=1e-5)
    iou = overlap
    assert found["loss_bbox"].item() == pytest.approx(-math.log(iou), rel=1e-4)


def test_plain_and_iou_head_differ_in_the_quality_and_its_weights_alone():
    plain, own = head("FCOSHead"), head("IoUFCOSHead")
    assert plain.state_dict().keys() == own.state_dict().keys()
    args = (maps(3, 0.3), maps(4, 8.0), maps(1, 0.5), [annotated()], [META], None)
    one, other = plain.loss_by_feat(*args), own.loss_by_feat(*args)
    assert one.keys() == other.keys()
    assert one["loss_cls"].item() == pytest.approx(other["loss_cls"].item(), rel=1e-6)


def test_no_object_gives_zeros_with_a_graph():
    own = head("IoUFCOSHead")
    nothing = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    given = [maps(3), maps(4), maps(1)]
    for one in given:
        for level in one:
            level.requires_grad_()
    found = own.loss_by_feat(*given, [nothing], [META], None)
    assert found["loss_bbox"].item() == found["loss_centerness"].item() == 0
    sum(found.values()).backward()
    assert given[1][0].grad is not None and given[2][0].grad is not None


def test_weights_of_pseudo_boxes_reach_its_losses():
    """All weights w: w times the losses, and the background at its own weight."""
    cfg = small_config("fcos")
    cfg.bbox_head.update(type="IoUFCOSHead")
    student = initialized(build_pair(cfg)).student
    assert honor_weights(student) == []
    head, args = student.bbox_head, (maps(3, 0.3), maps(4, 8.0), maps(1, 0.5))
    plain = head.loss_by_feat(*args, [annotated()], [META], None)
    boxes = annotated(weight_cls=torch.tensor([0.5]), weight_box=torch.tensor([0.25]))
    boxes.set_metainfo(dict(ignore_regions=torch.zeros(0, 4), background_weight=0.5))
    halved = head.loss_by_feat(*copy.deepcopy(args), [boxes], [META], None)
    assert halved["loss_cls"].item() == pytest.approx(0.5 * plain["loss_cls"].item(), rel=1e-5)
    for name in ("loss_bbox", "loss_centerness"):
        assert halved[name].item() == pytest.approx(0.25 * plain[name].item(), rel=1e-5)
