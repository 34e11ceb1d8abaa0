"""Prototypes of labeled boxes, and what uncertain pseudo boxes learn from them."""

import pytest
import torch

from ssdet.hooks import PrototypeLabelHook, StepHook
from ssdet.hooks._parts.box_features import box_features
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import AMBIGUOUS, HIGH
from ssdet.thresholds import prototype_labels, prototypes_of

from ...helpers import build_pair, losses, multi_branch, pseudo, total
from .test_self_assignment import BOXES, pair


class Says(StepHook):
    """The teacher is sure of the first box and unsure of the others; the step is kept."""

    phase = Phase.FILTER

    def __init__(self, boxes=BOXES, scores=(0.95, 0.6), labels=None):
        self.boxes, self.scores, self.labels = boxes, scores, labels

    def after_teacher(self, step):
        for image in range(len(step.pseudo)):
            step.pseudo[image] = pseudo(self.boxes, list(self.scores), self.labels)
        self.step = step


def trained(hook, says, steps=1, **batch):
    model = pair("faster_rcnn", says, hook)
    for _ in range(steps):
        found = losses(model, multi_branch(**{**dict(sup=1, unsup=1), **batch}))
    return model, found


def test_the_bank_holds_the_teachers_features_of_labeled_boxes():
    hook = PrototypeLabelHook()
    model, _ = trained(hook, Says())
    assert [len(own) for own in hook.bank.rows] == [1, 0, 0]  # one box of the class 0
    assert hook.bank.rows[0].shape[1] == model.student.roi_head.bbox_head.fc_cls.in_features


def test_where_nothing_is_labeled_certain_pseudo_boxes_fill_it():
    hook = PrototypeLabelHook()
    trained(hook, Says(labels=[1, 2]), sup=0)
    assert [len(own) for own in hook.bank.rows] == [0, 1, 0]


def test_an_uncertain_box_has_the_labels_of_its_features():
    hook, says = PrototypeLabelHook(), Says(labels=[0, 1])
    model, found = trained(hook, says, steps=2)
    step = says.step
    boxes = step.pseudo[0]
    assert boxes.level.tolist() == [HIGH, AMBIGUOUS]
    features, _ = box_features(model.teacher, step.teacher_features, [boxes.bboxes])
    # Only the class 0 is known before this step.
    assert boxes.soft_labels.tolist() == [[1, 0, 0, 0], [1, 0, 0, 0]]
    assert features.shape == (2, 16) or len(features) == 2
    assert found["unsup_loss_cls_soft"] > 0 and torch.isfinite(total(found))


def test_soft_labels_have_a_weight():
    found = []
    for weight in (0.1, 0.3):
        torch.manual_seed(0)
        hook = PrototypeLabelHook(weight=weight)
        found.append(trained(hook, Says(), steps=2)[1]["unsup_loss_cls_soft"].item())
    assert found[0] > 0 and found[1] == pytest.approx(3 * found[0], rel=1e-5)


def test_probabilities_follow_the_cosines(monkeypatch):
    hook = PrototypeLabelHook(temperature=0.2)
    _, _ = trained(hook, Says())
    seen = torch.randn(2, hook.bank.rows[0].shape[1])
    hook.bank.rows = [torch.randn(n, seen.shape[1]) for n in (3, 1, 2)]
    cosines, known = hook._cosines(seen)
    expected = torch.stack([
        torch.nn.functional.normalize(seen, dim=1) @ prototypes_of(own)[0]
        for own in hook.bank.rows
    ], 1)  # fmt: skip
    torch.testing.assert_close(cosines, expected)
    soft = hook._soft(seen, torch.zeros(2, 4), cosines, known)
    torch.testing.assert_close(soft[:, :3], prototype_labels(expected, known, 0.2))
    assert (soft[:, 3] == 0).all()


def test_neighbors_smooth_what_the_teacher_says():
    hook = PrototypeLabelHook(soft="neighbors", share=0.5)
    trained(hook, Says())
    seen = torch.randn(1, hook.bank.rows[0].shape[1])
    hook.bank.rows = [seen.clone(), *[seen[:0]] * 2]
    soft = hook._soft(seen, torch.zeros(1, 4), *hook._cosines(seen))
    # One neighbor of the class 0: 2/3 of (1/4, ...) and 1/3 of (1, 0, 0, 0).
    assert soft[0].tolist() == pytest.approx([0.5, 1 / 6, 1 / 6, 1 / 6], abs=1e-5)


def test_uncertain_boxes_on_certain_ones_are_dropped():
    boxes = [[2, 2, 34, 34], [2, 2, 34, 30], [30, 28, 62, 62], [31, 28, 62, 62]]
    says = Says(boxes, (0.95, 0.6, 0.7, 0.6))
    trained(PrototypeLabelHook(), says)
    assert says.step.pseudo[0].scores.tolist() == pytest.approx([0.95, 0.7, 0.6])
    assert says.step.log["pseudo/dropped_overlap"] == 1


def test_labels_that_nobody_learns_are_not_computed(monkeypatch):
    says = Says()
    monkeypatch.setattr(PrototypeLabelHook, "_soft", None)
    _, found = trained(PrototypeLabelHook(soft="none"), says, steps=2)
    assert "soft_labels" not in says.step.pseudo[0]
    assert "unsup_loss_cls_soft" not in found and torch.isfinite(total(found))


def test_the_margin_weighs_boxes_once_every_class_is_known():
    hook, says = PrototypeLabelHook(margin=True, soft="none"), Says()
    model, _ = trained(hook, says, steps=2)  # in the second step one class of three is known
    assert says.step.pseudo[0].weight_cls.tolist() == [1, 1]
    hook.bank.rows = [torch.randn(1, hook.bank.rows[0].shape[1]) for _ in range(3)]
    losses(model, multi_branch(sup=1, unsup=1))
    assert (says.step.pseudo[0].weight_cls < 1).all()


def test_without_any_box_losses_are_finite():
    _, found = trained(PrototypeLabelHook(), Says([], ()))
    assert torch.isfinite(total(found))


def test_other_detectors_and_settings_are_refused():
    with pytest.raises(TypeError, match="PrototypeLabelHook: compares boxes and works with"):
        build_pair().attach(PrototypeLabelHook())
    for wrong in (dict(soft="hard"), dict(group=-1), dict(temperature=0), dict(certain=2)):
        with pytest.raises(ValueError, match=f"PrototypeLabelHook: {next(iter(wrong))}="):
            PrototypeLabelHook(**wrong)
