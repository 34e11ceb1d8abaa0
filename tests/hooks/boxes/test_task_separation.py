"""Task separation in a step, and the head of joint confidence."""

import copy
import math

import pytest
import torch

from ssdet.hooks import TaskSeparationHook
from ssdet.registry import MODELS
from ssdet.teacher_student.weights import honor_weights

from ...families.detectors import initialized, small_config
from ...helpers import build_pair, losses, multi_branch, total
from ...models.test_fcos_heads import META, annotated, maps


def config(family="fcos"):
    cfg = small_config(family)
    if family == "fcos":
        cfg.bbox_head.update(type="JointConfidenceFCOSHead", norm_on_bbox=False)
    return cfg


def pair(family="fcos", *hooks, **settings):
    cfg = dict(type="TeacherStudentDetector", detector=config(family), **settings)
    model = initialized(MODELS.build(cfg)).train()
    for hook in hooks:
        model.attach(hook)
    return model


def test_the_joint_probability_learns_the_overlap():
    """Four cells with a box of IoU 144/368; the probabilities are .5 everywhere, so p = .25."""
    head = initialized(build_pair(config())).student.bbox_head
    given = maps(3), maps(4, 8.0), maps(1), [annotated()], [META], None
    found = head.loss_by_feat(*given)
    fit, p, places = 144 / 368, 0.25, 64 + 16 + 4 + 1 + 1
    one = (fit - p) ** 2 * -(fit * math.log(p) + (1 - fit) * math.log(1 - p))
    other = 0.75 * p**2 * -math.log(1 - p)
    expected = (4 * one + (3 * places - 4) * other) / 4
    assert found["loss_cls"].item() == pytest.approx(expected, rel=1e-4)
    assert found["loss_centerness"].item() == pytest.approx(0.5 * math.log(2), rel=1e-4)


def test_weights_of_pseudo_boxes_reach_the_joint_loss():
    student = initialized(build_pair(config())).student
    assert honor_weights(student) == []
    args = maps(3, 0.3), maps(4, 8.0), maps(1, 0.5)
    plain = student.bbox_head.loss_by_feat(*args, [annotated()], [META], None)
    boxes = annotated(weight_cls=torch.tensor([0.5]), weight_box=torch.tensor([0.25]))
    boxes.set_metainfo(dict(ignore_regions=torch.zeros(0, 4), background_weight=0.5))
    halved = student.bbox_head.loss_by_feat(*copy.deepcopy(args), [boxes], [META], None)
    assert halved["loss_cls"].item() == pytest.approx(0.5 * plain["loss_cls"].item(), rel=1e-5)
    for name in ("loss_bbox", "loss_centerness"):
        assert halved[name].item() == pytest.approx(0.25 * plain[name].item(), rel=1e-5)


@pytest.mark.parametrize("family", ["fcos", "gfl"])
def test_a_step(family):
    model = pair(family, TaskSeparationHook(), unsup_weight=2.0)
    found = losses(model, multi_branch())
    names = {"cls", "box"} | ({"quality"} if family == "fcos" else set())
    unsup = {name for name in found if name.startswith("unsup_loss")}
    assert unsup == {f"unsup_loss_separate_{name}" for name in names}
    # A teacher that has learned nothing: no candidate, or all are alike. Ten places at least.
    assert found["separation/positive"] >= 10 and torch.isfinite(total(found))
    total(found).backward()
    assert all(p.grad is not None for p in model.student.bbox_head.parameters())


def test_a_least_normalizer_keeps_an_empty_image_from_exploding():
    """The ten best places of an untrained teacher have a sum of about 0.05."""
    batch = multi_branch(sup=0, unsup=1)
    plain = losses(pair("gfl", TaskSeparationHook()), batch)["unsup_loss_separate_cls"]
    least = losses(pair("gfl", TaskSeparationHook(min_sum=100.0)), batch)
    assert 0 < least["unsup_loss_separate_cls"] < plain


@pytest.mark.parametrize("family", ["retinanet", "atss"])
def test_heads_without_an_iou_are_refused(family):
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=small_config(family)))
    with pytest.raises(TypeError, match=r"judges places by class and IoU.*DenseLabelHook"):
        model.attach(TaskSeparationHook())
