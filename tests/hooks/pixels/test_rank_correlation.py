"""RankMatch's correlation as a hook of the step."""

import copy

import pytest
import torch

from ssdet.hooks import (
    AdaptiveCutMixHook,
    CutMixHook,
    FeaturePerturbationHook,
    RankCorrelationHook,
    StepHook,
)
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, padded_from, seg_batch, with_other_labeled

LAYER = "decode_head.convs"
SETTINGS = dict(agents=8, layer=LAYER)


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def taken(*hooks, batch=None, **settings):
    torch.manual_seed(0)
    model, spy = build_seg(**settings), Spy()
    for one in (*hooks, spy):
        model.attach(one)
    found = losses(model, batch or seg_batch())
    return found, spy.step


def hook(**settings):
    return RankCorrelationHook(**{**SETTINGS, **settings})


def same_views():
    """Strong views that are the weak ones."""
    batch = seg_batch(same=True)
    for part in batch.values():
        part["unsup_student"] = copy.deepcopy(part["unsup_teacher"])
    return batch


def test_a_strong_view_that_is_the_weak_one_has_no_loss():
    found, _ = taken(hook(), batch=same_views())
    assert found["unsup_loss_ranks"].item() == pytest.approx(0, abs=1e-6)
    found, _ = taken(hook())
    assert found["unsup_loss_ranks"] > 0


@pytest.mark.parametrize("joint", [False, True])
def test_features_follow_the_boxes_of_cutmix(joint):
    """Features of the weak views, cut as the images were, have no loss; uncut they have one."""
    one = hook()
    _, step = taken(CutMixHook(1.0, area=(0.4, 0.4)), one, joint_pass=joint)
    shown = step.shown["unsup_student"]
    assert shown.dtype == torch.int16 and sorted(shown[0].unique().tolist()) == [0, 1]
    weak = torch.randn(2, 8, 32, 32)
    cut = torch.where(shown[:, None] == torch.tensor([0, 1]).view(2, 1, 1, 1), weak, weak.flip(0))
    assert one._loss(step, "unsup_student", weak, cut)[0] < 1e-6
    assert one._loss(step, "unsup_student", weak, weak)[0] > 1e-3


def test_what_a_box_shows_is_known():
    _, step = taken(CutMixHook(1.0), hook(), batch=seg_batch(2, 3))
    shown, targets = step.shown["unsup_student"], step.targets["unsup_student"]
    pseudo = step.pseudo.labels
    for image in range(3):
        for source in (image, (image - 1) % 3):
            here = shown[image] == source
            assert here.any() and torch.equal(targets.labels[image][here], pseudo[source][here])


@pytest.mark.parametrize(("given", "images"), [(dict(source="labeled"), 2), ({}, 1)])
def test_pixels_of_images_that_are_not_there_are_left_out(given, images):
    model, spy = build_seg(), Spy()
    for one in (CutMixHook(1.0, area=(0.4, 0.4), **given), hook(), spy):
        model.attach(one)
    for _ in range(2):  # a batch of one has the image of the batch before
        losses(model, seg_batch(2, images))
    shown = spy.step.shown["unsup_student"]
    assert (shown == -1).any() and (shown >= 0).any()
    assert 0 < spy.step.log["ranks/pixels"] < 1


def test_padding_takes_no_part():
    _, step = taken(hook(), batch=padded_from(seg_batch(), 16))
    assert step.log["ranks/pixels"].item() == pytest.approx(0.5)
    large = with_other_labeled(seg_batch(), (64, 32))
    _, step = taken(CutMixHook(1.0), hook(), batch=large, joint_pass=True)
    assert step.log["ranks/pixels"].item() == pytest.approx(0.5)
    assert (step.shown["unsup_student"][:, 32:] == -1).all()


def test_the_loss_trains_the_strong_view_alone_and_no_classifier():
    found, step = taken(hook())
    weak = step.layers["unsup_teacher"]["layer:" + LAYER]
    weak.retain_grad()
    found["unsup_loss_ranks"].backward()
    assert weak.requires_grad and weak.grad is None
    student = step.model.student
    assert any(p.grad is not None and p.grad.any() for p in student.backbone.parameters())
    assert all(
        p.grad is None or not p.grad.any() for p in student.decode_head.conv_seg.parameters()
    )


def test_orders_in_the_strong_view_follow_those_of_the_weak_one(monkeypatch):
    seen = []

    def divergence(weak, strong, agents, top):
        seen.append((weak, strong))
        return strong.sum(1)

    monkeypatch.setattr("ssdet.hooks.pixels.rank_correlation.rank_divergence", divergence)
    _, step = taken(hook())
    weak, strong = (
        step.layers[name]["layer:" + LAYER].movedim(1, -1).flatten(1, 2)
        for name in ("unsup_teacher", "unsup_student")
    )
    assert all(torch.equal(own, weak[image]) for image, (own, _) in enumerate(seen))
    assert all(torch.equal(own, strong[image]) for image, (_, own) in enumerate(seen))


def test_weights_and_views():
    """Twice the factor is twice the loss; the stream of perturbed features is no image."""
    one, _ = taken(hook(weight=0.1))
    two, _ = taken(hook(weight=0.2))
    assert two["unsup_loss_ranks"].item() == pytest.approx(2 * one["unsup_loss_ranks"].item())
    _, step = taken(hook(), FeaturePerturbationHook(shared=True), joint_pass=True)
    assert step.losses["unsup_loss_ranks"] > 0
    assert step.log["ranks/pixels"].item() == pytest.approx(1)


def test_without_valid_pixels_there_is_a_loss_of_zero():
    found, _ = taken(hook(), batch=padded_from(seg_batch(), 0))
    assert found["unsup_loss_ranks"] == 0


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match=r"layer='decode_head.aspp': .*decode_head\.convs"):
        build_seg().attach(hook(layer="decode_head.aspp"))
    with pytest.raises(ValueError, match="AdaptiveCutMixHook does not tell which image"):
        taken(AdaptiveCutMixHook(), hook())
    with pytest.raises(ValueError, match="other parts of the image"):
        taken(hook(), batch=seg_batch(homography=[[1, 0, 5], [0, 1, 0], [0, 0, 1]]))
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(hook())
    with pytest.raises(ValueError, match="agents=2"):
        RankCorrelationHook(agents=2)
