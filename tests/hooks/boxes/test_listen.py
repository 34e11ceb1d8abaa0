"""Listening: two sets of boxes from one pass, sides in the frame of the strong view, the log."""

import numpy as np
import pytest
import torch

from ssdet.hooks import FixedThresholdHook, ListenHook, StepHook
from ssdet.hooks.boxes.listen import sides_between
from ssdet.registry import MODELS

from ...families.detectors import initialized, small_config
from ...helpers import losses, multi_branch, total

FLIP = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]


class Keeps(StepHook):
    """Keeps the step."""

    def after_loss(self, step):
        self.step = step


def pair(*hooks, **settings):
    cfg = small_config("fcos")
    cfg.bbox_head.update(type="UncertainFCOSHead", reg_max=4, loss_bbox=dict(type="GIoULoss"))
    cfg.test_cfg.update(score_thr=0.0, max_per_img=6)
    settings = dict(type="TeacherStudentDetector", detector=cfg, **settings)
    model = initialized(MODELS.build(settings)).train()
    for hook in hooks:
        model.attach(hook)
    return model


@pytest.mark.parametrize("joint", [False, True])
def test_a_step_has_two_sets_and_a_loss_of_the_sides(joint):
    keeps = Keeps()
    hook = ListenHook(margin=0.0, certainty=0.0)
    model = pair(FixedThresholdHook(0.0), hook, keeps, joint_pass=joint)
    with torch.no_grad():
        model.teacher.bbox_head.conv_std.bias.fill_(-3.0)  # surer than the student
    found = losses(model, multi_branch(homography=FLIP))
    step = keeps.step
    for weak, sample in zip(step.pseudo, step.targets["unsup_student"], strict=True):
        assert weak.in_cls.sum() == weak.in_box.sum() == 6 and not (weak.in_cls & weak.in_box).any()
        boxes = sample.gt_instances
        # Mirrored: what was the left side is the right one.
        kept = boxes.scores[:, None] == weak.scores
        order = kept.float().argmax(1)
        assert torch.equal(boxes.side_logits, weak.side_logits[order][:, [2, 1, 0, 3]])
    assert found["listen/share"].item() == pytest.approx(1.0)
    assert found["unsup_loss_bbox"] > 0 and "unsup_loss_centerness" in found
    assert model.teacher.bbox_head.rankings is None
    total(found).backward()
    assert model.student.bbox_head.conv_std.weight.grad is not None


def test_a_teacher_that_is_not_surer_is_not_listened_to():
    model = pair(FixedThresholdHook(0.0), ListenHook())
    found = losses(model, multi_branch())
    assert found["unsup_loss_bbox"].item() == 0 and found["listen/share"] == 0
    assert found["unsup_loss_cls"] > 0


def test_a_step_without_a_box():
    found = losses(pair(FixedThresholdHook(1.0), ListenHook()), multi_branch())
    assert torch.isfinite(total(found)) and "listen/share" not in found


@pytest.mark.parametrize(
    "matrix, expected",
    [
        (np.eye(3), [1.0, 2, 3, 4]),
        (np.diag([0.5, 2.0, 1.0]), [1.0, 2, 3, 4]),
        (np.array(FLIP), [3.0, 2, 1, 4]),
        (np.diag([-1.0, -1.0, 1.0]), [3.0, 4, 1, 2]),
        (np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]), [4.0] * 4),
    ],
)
def test_sides_in_another_frame(matrix, expected):
    assert sides_between(torch.tensor([[1.0, 2, 3, 4]]), matrix).tolist() == [expected]


def test_a_plain_head_is_refused():
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=small_config("fcos")))
    with pytest.raises(TypeError, match=r"needs a head that says how sure .* FCOSHead does not"):
        model.attach(ListenHook())
