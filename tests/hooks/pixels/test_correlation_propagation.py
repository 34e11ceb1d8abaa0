"""CorrMatch as hooks of the step."""

import pytest
import torch
import torch.nn.functional as F

from ssdet.hooks import (
    ConsistencyHook,
    CorrelationPropagationHook,
    CorrelationThresholdHook,
    FeaturePerturbationHook,
    FixedThresholdHook,
    StepHook,
)
from ssdet.losses import correlation, spread
from ssdet.models import CorrelationHead
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn

HEAD = dict(
    type="CorrelationHead", in_channels=32, num_classes=4, channels=8, dropout=0.0,
    norm_cfg=dict(type="GN", num_groups=4),
)  # fmt: skip


def pair(**settings):
    torch.manual_seed(1)
    return build_seg(tiny_fcn(), auxiliary=dict(correlation=HEAD), **settings)


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_teacher(self, step):
        self.seen = step.pseudo.map(torch.Tensor.clone)

    def after_loss(self, step):
        self.step = step


class FirstSpy(Spy):
    phase = Phase.FILTER


def step_of(model, *hooks, batch=None):
    spy = Spy()
    for hook in (*hooks, spy):
        model.attach(hook)
    return losses(model, batch or seg_batch()), spy


def arrived(model, features, logits, size=(32, 32)):
    """Logits of a view after they were spread, written out."""
    first, second = model.auxiliary.correlation(features)
    low = F.interpolate(logits.detach(), first.shape[-2:], mode="bilinear")
    return F.interpolate(spread(low, correlation(first, second)), size, mode="bilinear")


def test_the_losses_are_those_of_the_spread_logits():
    """Labeled images, and half of the weak and of the strong view each."""
    model = pair(sup_weight=0.25, unsup_weight=0.25)
    hook = CorrelationPropagationHook(regions=0, labeled_weight=1.0, weight=0.5)
    found, spy = step_of(model, FixedThresholdHook(0.3), hook)
    step = spy.step

    def loss(name, labels, weights):
        large = arrived(model, step.features[name], step.outputs[name])
        return (F.cross_entropy(large, labels, reduction="none") * weights).mean()

    labels = torch.cat([sample.gt_sem_seg.data for sample in step.sup.samples])
    wanted = 0.25 * loss("sup", labels, 1.0)
    assert found["sup_loss_correlation"].item() == pytest.approx(wanted.item(), rel=1e-4)
    targets = step.targets["unsup_student"]
    weak = loss("unsup_teacher", step.pseudo.labels, step.pseudo.weights)
    strong = loss("unsup_student", targets.labels, targets.weights)
    wanted = 0.25 * 0.5 * 0.5 * (weak + strong)
    assert found["unsup_loss_correlation"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_the_weights_of_corrmatch():
    """L_x 1, L_x^corr 2, L_s .8, L_kl .4, L_fp .6, L_c .5: 1.0375, with the factors of the config.

    1/2 [1/2 L_x + 1/2 L_x^corr + 1/4 (L_s + L_kl + L_fp + L_c)].
    """
    model = pair(sup_weight=0.25, unsup_weight=0.25)
    propagation, stream = CorrelationPropagationHook(), FeaturePerturbationHook()
    kl = ConsistencyHook(0.25, distance="kl", skip=["unsup_student_features"])
    _, spy = step_of(model, CorrelationThresholdHook(0.3), propagation, stream, kl)
    step = spy.step
    sup, unsup = model.sup_weight, step.unsup_weight
    total = (
        sup * 1.0
        + sup * propagation.labeled_weight * 2.0
        + unsup * step.shares["unsup_student"] * 0.8
        + kl.weight * step.shares["unsup_student"] * 0.4
        + unsup * step.shares["unsup_student_features"] * 0.6
        + unsup * propagation.weight * 0.5
    )
    assert total == pytest.approx(1.0375)


def test_it_teaches_its_head_and_the_encoder_alone():
    model = pair()
    found, _ = step_of(model, CorrelationThresholdHook(0.3), CorrelationPropagationHook())
    (found["sup_loss_correlation"] + found["unsup_loss_correlation"]).backward()
    learned = model.auxiliary.correlation
    assert all(p.grad is not None for p in learned.parameters())
    assert any(p.grad is not None and p.grad.any() for p in model.student.backbone.parameters())
    assert all(p.grad is None or not p.grad.any() for p in model.student.decode_head.parameters())


def test_regions_take_the_label_that_nearly_all_have(monkeypatch):
    """A region of the left half, all of it but one column kept and of class 2."""
    left = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    left[..., :16] = True
    hook, first = CorrelationPropagationHook(regions=1), FirstSpy()
    monkeypatch.setattr(hook, "_regions", lambda step, pseudo: left)

    class Given(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            pseudo = step.pseudo
            pseudo.labels[..., :15], pseudo.scores[..., :15] = 2, 0.99
            pseudo.labels[..., 15:], pseudo.scores[..., 15:] = 1, 0.2

    _, spy = step_of(pair(), Given(), CorrelationThresholdHook(0.85), first, hook)
    assert first.seen.weights[..., 15].max() == 0
    assert (spy.seen.labels[..., :16] == 2).all() and (spy.seen.weights[..., :16] == 1).all()
    assert (spy.seen.labels[..., 16:] == 1).all() and (spy.seen.weights[..., 16:] == 0).all()
    assert spy.step.log["correlation/propagated"].item() == pytest.approx(1 / 32)


def test_the_weak_view_learns_the_labels_without_regions(monkeypatch):
    """Propagated labels are for the strong views: the weak one has those above the threshold."""
    everything = torch.ones(2, 1, 32, 32, dtype=torch.bool)
    hook, seen = CorrelationPropagationHook(regions=1), {}
    monkeypatch.setattr(hook, "_regions", lambda step, pseudo: everything)
    whole = hook._loss

    def loss(step, name, targets, mean):
        seen[name] = targets.weights.clone()
        return whole(step, name, targets, mean)

    monkeypatch.setattr(hook, "_loss", loss)

    class Given(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            step.pseudo.labels[:], step.pseudo.scores[:] = 2, 0.99
            step.pseudo.scores[..., :2] = 0.1

    step_of(pair(), Given(), CorrelationThresholdHook(0.85), hook)
    assert seen["unsup_student"].min() == 1
    assert seen["unsup_teacher"][..., :2].max() == 0


def test_regions_lie_within_the_valid_pixels_and_are_drawn_again():
    model, hook, drawn = pair(), CorrelationPropagationHook(regions=5), []
    whole = hook._regions

    def look(step, pseudo):
        pseudo.valid[:, 20:] = False
        drawn.append(whole(step, pseudo))
        return drawn[-1]

    hook._regions = look
    step_of(model, CorrelationThresholdHook(0.3), hook)
    losses(model, seg_batch())
    assert drawn[0].shape == (2, 5, 32, 32)
    assert drawn[0][:, :, :20].any() and not drawn[0][:, :, 20:].any()
    assert not torch.equal(drawn[0], drawn[1])


def test_with_the_shared_stream_in_one_pass():
    model = pair(joint_pass=True)
    hooks = [
        CorrelationThresholdHook(0.3),
        FeaturePerturbationHook(shared=True),
        CorrelationPropagationHook(regions=4),
    ]
    found, spy = step_of(model, *hooks)
    assert set(spy.step.outputs) >= {"sup", "unsup_teacher", "unsup_student"}
    assert found["unsup_loss_correlation"] > 0


def test_without_unlabeled_images_the_head_learns_from_the_labeled_ones():
    found, _ = step_of(pair(burn_in=5), CorrelationThresholdHook(), CorrelationPropagationHook())
    assert found["sup_loss_correlation"] > 0 and found["unsup_loss_correlation"] == 0


def test_the_head_reduces_large_maps_and_leaves_a_class_token_out():
    head = MODELS.build(dict(HEAD, max_side=8, level=0))
    assert isinstance(head, CorrelationHead)
    first, second = head([[torch.rand(1, 32, 16, 12), torch.rand(1, 32)]])
    assert first.shape == second.shape == (1, 4, 8, 6)


def test_divergence_by_hand():
    """KL((.9, .1) || (.6, .4)) = .2263, summed over the classes."""
    model = build_seg(tiny_fcn(2))
    hook = ConsistencyHook(distance="kl")
    model.attach(hook)
    _, spy = step_of(model, batch=seg_batch(classes=2))
    targets = spy.step.targets["unsup_student"]
    targets.soft = torch.tensor([0.9, 0.1]).view(1, 2, 1, 1).expand(2, 2, 32, 32)
    logits = torch.tensor([0.6, 0.4]).log().view(1, 2, 1, 1).expand(2, 2, 4, 4)
    assert hook._loss(logits, targets).item() == pytest.approx(0.2263, abs=1e-4)


def test_models_that_cannot_and_a_missing_threshold():
    hook = CorrelationPropagationHook()
    with pytest.raises(TypeError, match=r"not with a TeacherStudentDetector"):
        build_pair().attach(hook)
    with pytest.raises(ValueError, match=r"auxiliary 'correlation' must be .* 4 classes.*is \[\]"):
        build_seg().attach(hook)
    other = build_seg(auxiliary=dict(correlation=dict(HEAD, num_classes=3)))
    with pytest.raises(ValueError, match="but there is one of 3 classes"):
        other.attach(hook)
    with pytest.raises(ValueError, match="no threshold to compare regions with"):
        step_of(pair(), CorrelationPropagationHook())


@pytest.mark.parametrize("settings", [dict(weight=-1), dict(regions=-1), dict(normalize="both")])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=f"CorrelationPropagationHook: {next(iter(settings))}"):
        CorrelationPropagationHook(**settings)
