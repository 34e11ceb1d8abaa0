"""UniMatch's stream on the features of the joint pass: one pass of the encoder, further rows."""

import pytest
import torch

from ssdet.hooks import CutMixHook, FeaturePerturbationHook, StepHook
from ssdet.mixing.channels import channel_mask
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses, multi_branch
from ...seg_helpers import build_seg, seg_batch, tiny_fcn

FEATURES = "unsup_student_features"


class Spy(StepHook):
    phase = Phase.OBSERVE
    needs = frozenset({"features"})

    def after_loss(self, step):
        self.step = step


def joint(norm="GN", **settings):
    return build_seg(
        tiny_fcn(norm=norm), joint_pass=True, sup_weight=0.5, unsup_weight=0.5, **settings
    )


def step_of(model, *hooks, batch=None):
    spy = Spy()
    for hook in (*hooks, spy):
        model.attach(hook)
    return losses(model, batch or seg_batch(views=2)), spy.step


def shared(prob=0.5):
    return FeaturePerturbationHook(prob, shared=True)


def test_the_encoder_sees_the_weak_view_once_and_the_head_twice():
    """One labeled and one unlabeled image, with one strong view: 3 rows, and 2 more of the head."""
    model, rows = joint(), []
    model.student.backbone.register_forward_hook(lambda _, given, out: rows.append(len(given[0])))
    model.student.decode_head.conv_seg.register_forward_hook(
        lambda _, given, out: rows.append(len(given[0]))
    )
    _, step = step_of(model, shared(), batch=seg_batch(1, 1))
    assert rows == [3, 5]
    assert step.rows == {
        "sup": slice(0, 1),
        "unsup_teacher": slice(1, 2),
        "unsup_student": slice(2, 3),
        FEATURES: slice(4, 5),
    }


def test_channels_are_dropped_or_doubled_with_a_mask_for_each_image_and_level():
    _, step = step_of(joint(), shared())
    clean, changed = step.features["unsup_teacher"], step.features[FEATURES]
    masks = []
    for before, after in zip(clean, changed, strict=True):
        factors = torch.where(before != 0, after / before, 1.0).flatten(2)
        assert set(factors.round(decimals=4).unique().tolist()) <= {0.0, 1.0, 2.0}
        masks.append((after.flatten(2).abs().sum(2) == 0) & (before.flatten(2).abs().sum(2) > 0))
        assert 0.1 < masks[-1].float().mean() < 0.9
    assert not torch.equal(masks[-1][0], masks[-1][1])
    for name in ("sup", "unsup_student"):  # their own rows are left alone
        own = step.model.student.extract_feat(step.branches[name].inputs)
        assert all(
            torch.allclose(a, b, atol=1e-5) for a, b in zip(own, step.features[name], strict=True)
        )


def test_without_a_dropped_channel_it_is_the_clean_view():
    """Losses of the stream in a pass of its own, and in the joint pass, are the same."""
    torch.manual_seed(0)
    batch, model = seg_batch(views=2), joint()
    found, step = step_of(model, shared(0.0), batch=batch)
    plain = model.student_losses(step.weak, step.pseudo)["decode.loss_ce"]
    # 1/2 (L_x + 1/4 L_s1 + 1/4 L_s2 + 1/2 L_fp): a quarter
    assert found["unsup_features_decode.loss_ce"].item() == pytest.approx(
        0.25 * plain.item(), rel=1e-4
    )


def test_its_labels_are_not_mixed_and_its_gradient_reaches_the_encoder():
    found, step = step_of(joint(), CutMixHook(1.0), shared())
    assert torch.equal(step.targets[FEATURES].labels, step.pseudo.labels)
    found["unsup_features_decode.loss_ce"].backward()
    assert any(
        p.grad is not None and p.grad.any() for p in step.model.student.backbone.parameters()
    )


def test_perturbed_labeled_rows_count_in_the_statistics_of_the_head():
    """The running mean of the head's norm moves by the mean of all rows, once."""
    model, seen = joint(norm="BN"), []
    norm = model.student.decode_head.convs[0].bn
    norm.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    _, step = step_of(model, shared(), batch=seg_batch(2, 1))
    assert [len(rows) for rows in seen] == [4 + 3]
    assert torch.allclose(norm.running_mean, 0.1 * seen[0].mean((0, 2, 3)), atol=1e-5)
    assert step.rows[FEATURES] == slice(6, 7)


def test_without_labeled_images_it_perturbs_the_weak_ones_alone():
    _, step = step_of(joint(), shared(), batch=seg_batch(sup=0, unsup=2))
    assert step.rows[FEATURES] == slice(4, 6)


def test_a_detector_shares_its_features_too():
    model = build_pair(joint_pass=True)
    spy = Spy()
    model.attach(shared())
    model.attach(spy)
    found = losses(model, multi_branch())
    assert spy.step.rows[FEATURES].stop == 2 * len(spy.step.branches["sup"].inputs) + 3 * len(
        spy.step.weak.inputs
    )
    stream = [value for name, value in found.items() if name.startswith("unsup_features_loss")]
    assert len(stream) == 2 and all(torch.isfinite(sum(levels)) for levels in stream)


def test_it_says_what_it_cannot_work_with():
    with pytest.raises(ValueError, match=r"shared=True .*joint_pass=False. Set joint_pass=True"):
        build_seg().attach(shared())
    with pytest.raises(ValueError, match="changes single passes"):
        joint().attach(FeaturePerturbationHook())


def test_masks_are_drawn_for_labeled_rows_as_well(monkeypatch):
    drawn = []

    def draw(images, channels, prob):
        drawn.append(images)
        return channel_mask(images, channels, prob)

    monkeypatch.setattr("ssdet.hooks.pixels.feature_perturbation.channel_mask", draw)
    step_of(joint(), shared(), batch=seg_batch(3, 2))
    assert drawn == [5, 5, 5]  # three levels
