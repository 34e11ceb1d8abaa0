"""CW-BASS: its threshold, its weights and its boundary loss, by hand."""

import pytest
import torch
import torch.nn.functional as F

from ssdet.hooks import (
    BoundaryLossHook,
    ConfidenceWeightHook,
    CutMixHook,
    FixedThresholdHook,
    MeanConfidenceThresholdHook,
    StepHook,
)
from ssdet.losses.boundaries import label_boundaries
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels, Step

from ...helpers import build_pair, losses, pseudo
from ...seg_helpers import CROSS_ENTROPY, build_seg, seg_batch, tiny_fcn


def pixels(scores, valid=None):
    scores = torch.tensor([[scores]])
    valid = torch.ones_like(scores, dtype=torch.bool) if valid is None else torch.tensor([[valid]])
    return PixelLabels(torch.ones_like(scores).long(), scores, torch.ones_like(scores), valid)


def step_of(found, iteration=0, model=None):
    boxes = isinstance(found, list)
    return Step(model, iteration, pseudo=found, dropped=[{} for _ in found] if boxes else [])


def test_the_threshold_follows_the_mean_of_the_valid_pixels():
    """c = (0.9 + 0.5) / 2 = 0.7: 0.6 / (1 + e^-1) = 0.4386 with beta 5."""
    found = pixels([0.9, 0.5, 0.1], [True, True, False])
    step = step_of(found)
    MeanConfidenceThresholdHook(beta=5.0).after_teacher(step)
    assert step.log["cw_bass/confidence"] == pytest.approx(0.7)
    assert step.log["cw_bass/threshold"] == pytest.approx(0.43863, abs=1e-5)
    assert found.weights.tolist() == [[[1, 1, 0]]]


def test_the_published_threshold_hardly_moves():
    for score, expected in ((1.0, 0.33731), (0.7, 0.31499), (0.34, 0.3)):
        step = step_of(pixels([score]))
        MeanConfidenceThresholdHook().after_teacher(step)
        assert step.log["cw_bass/threshold"] == pytest.approx(expected, abs=1e-5)


def test_nothing_valid_and_no_boxes():
    step = step_of(pixels([0.9], [False]))
    MeanConfidenceThresholdHook().after_teacher(step)
    assert step.log["cw_bass/threshold"] == 0.3
    step = step_of([pseudo([], [])])
    MeanConfidenceThresholdHook().after_teacher(step)
    assert step.log["cw_bass/confidence"] == 0


def test_boxes_too():
    """The mean over all boxes of the batch is 0.5: at 0.3 one of each image stays."""
    found = [pseudo([[0, 0, 9, 9]] * 2, [0.9, 0.1]), pseudo([[0, 0, 9, 9]] * 2, [0.9, 0.1])]
    step = step_of(found)
    MeanConfidenceThresholdHook().after_teacher(step)
    assert [len(boxes) for boxes in step.pseudo] == [1, 1]
    ConfidenceWeightHook(2.0).after_teacher(step)
    assert step.pseudo[0].weight_cls.tolist() == pytest.approx([0.81])


def test_confidence_weights_keep_what_was_dropped_at_zero():
    found = pixels([0.8, 0.4])
    found.weights = torch.tensor([[[1.0, 0.0]]])
    ConfidenceWeightHook(2.0, decay=0.5).after_teacher(step_of(found))
    assert found.weights.flatten().tolist() == pytest.approx([0.16, 0.0])


def test_decay_of_every_epoch_counts_from_the_end_of_the_burn_in():
    model, weights = build_seg(burn_in=4), []
    hook = ConfidenceWeightHook(decay=0.9, decay_schedule="per_epoch", epoch_length=10)
    for iteration in (4, 13, 14, 24):
        found = pixels([1.0])
        hook.after_teacher(step_of(found, iteration, model))
        weights.append(found.weights.item())
    assert weights == pytest.approx([1, 1, 0.9, 0.81])


class Given(StepHook):
    """Labels and scores as no untrained teacher would give them."""

    phase = Phase.LABEL

    def after_teacher(self, step):
        shape = step.pseudo.labels.shape
        blocks = torch.randint(4, (shape[0], 4, 4))
        step.pseudo.labels = blocks.repeat_interleave(8, 1).repeat_interleave(8, 2)
        step.pseudo.scores = torch.rand(shape)


class Spy(StepHook):
    needs = frozenset({"student_outputs"})
    phase = Phase.OBSERVE
    priority = "LOWEST"

    def after_loss(self, step):
        self.step = step


@pytest.mark.parametrize("reduction", ["kept", "valid"])
def test_the_loss_of_the_paper(reduction):
    """L_u = sum(c l v) / max(1, sum(v)) + 0.5 sum(b v l) / max(1, sum(b v)), from the logits."""
    model, spy = build_seg(reduction=reduction), Spy()
    hooks = (FixedThresholdHook(0.4), ConfidenceWeightHook(), BoundaryLossHook(0.5))
    for hook in (Given(), *hooks, spy):
        model.attach(hook)
    found = losses(model, seg_batch(sup=0, unsup=2))["unsup_decode.loss_ce"]
    step = spy.step
    pseudo_labels = step.pseudo
    kept = pseudo_labels.scores >= 0.4
    assert 0 < kept.sum() < kept.numel()
    logits = F.interpolate(step.outputs["unsup_student"], kept.shape[-2:], mode="bilinear")
    each = F.cross_entropy(logits, pseudo_labels.labels, reduction="none")
    boundary = label_boundaries(pseudo_labels.labels) & kept
    count = kept.sum() if reduction == "kept" else torch.tensor(kept.numel())
    first = (pseudo_labels.scores * each * kept).sum() / count
    second = (each * boundary).sum() / boundary.sum().clamp(min=1)
    assert boundary.any()
    assert found.item() == pytest.approx((first + 0.5 * second).item(), rel=1e-4)
    share = boundary.sum() / count
    assert step.log["boundary/share"] == pytest.approx(share.item(), abs=1e-6)


def test_boundaries_are_those_of_the_mixed_labels_and_come_last():
    model, spy = build_seg(), Spy()
    for hook in (Given(), BoundaryLossHook(1.0), CutMixHook(1.0), spy):
        model.attach(hook)
    losses(model, seg_batch(sup=0, unsup=2))
    targets = spy.step.targets["unsup_student"]
    assert torch.equal(targets.weights > 1, label_boundaries(targets.labels))


def test_empty_batches():
    model = build_seg(reduction="kept")
    for hook in (FixedThresholdHook(1.0), ConfidenceWeightHook(), BoundaryLossHook()):
        model.attach(hook)
    found = losses(model, seg_batch())
    assert found["unsup_loss"] == 0 and found["boundary/share"] == 0


def test_models_that_cannot():
    with pytest.raises(TypeError, match=r"BoundaryLossHook: .*not with a TeacherStudentDetector"):
        build_pair().attach(BoundaryLossHook())
    with pytest.raises(ValueError, match="reduction='image'"):
        build_seg(reduction="image").attach(BoundaryLossHook())


@pytest.mark.parametrize("hook", [BoundaryLossHook(), ConfidenceWeightHook()])
def test_a_segmentor_without_weights_of_pixels_is_refused(hook):
    """Every weight would be taken for 1, and the hook would do nothing."""
    sets = dict(type="LovaszLoss", loss_type="multi_class", reduction="none")
    says = rf"{type(hook).__name__}: .*decode_head.loss_decode \(LovaszLoss\)"
    with pytest.raises(TypeError, match=says):
        build_seg(tiny_fcn(loss_decode=sets)).attach(hook)
    build_seg(tiny_fcn(loss_decode=[sets, CROSS_ENTROPY])).attach(hook)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: MeanConfidenceThresholdHook(1.5), "base=1.5"),
        (lambda: MeanConfidenceThresholdHook(bounds=(0.8, 0.3)), "bounds="),
        (lambda: ConfidenceWeightHook(-1), "gamma=-1"),
        (lambda: ConfidenceWeightHook(decay=0), "decay=0"),
        (lambda: ConfidenceWeightHook(decay_schedule="per_epoch"), "epoch_length"),
        (lambda: ConfidenceWeightHook(decay_schedule="slow"), "decay_schedule='slow'"),
        (lambda: BoundaryLossHook(-1), "weight=-1"),
        (lambda: BoundaryLossHook(width=0.5), "width=0.5"),
    ],
)
def test_settings_are_checked(build, says):
    with pytest.raises(ValueError, match=says):
        build()
