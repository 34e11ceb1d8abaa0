"""Feature perturbation and complementary dropout as hooks of the step."""

import copy

import pytest
import torch

from ssdet.hooks import (
    ComplementaryDropoutHook,
    CutMixHook,
    FeaturePerturbationHook,
    FixedThresholdHook,
    StepHook,
)
from ssdet.hooks._parts.features import map_levels
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.recording import changed_features

from ...helpers import build_pair, losses, multi_branch
from ...seg_helpers import build_seg, seg_batch

FEATURES = "unsup_student_features"


class Spy(StepHook):
    """What the student's encoder gave in each pass, and the step."""

    phase = Phase.OBSERVE
    priority = "LOWEST"

    def __init__(self):
        self.seen = {}

    def student_pass(self, step, branch):
        def remember(features):
            self.seen[branch] = features
            return features

        return changed_features(step.model.student, remember)

    def after_loss(self, step):
        self.step = step


def trained(*hooks, batch=None, model=None, **settings):
    """One step: losses, and what the passes saw before and after the hooks under test."""
    model = model or build_seg(sup_weight=0.5, unsup_weight=0.5, **settings)
    before, after = Spy(), Spy()
    before.phase = Phase.LABEL  # the hook that is entered first changes first
    for hook in (before, *hooks, after):
        model.attach(hook)
    found = losses(model, batch or seg_batch(views=2))
    return found, before, after


def changed(before, after, branch):
    return [
        torch.where(b.abs() > 0, a / b, 1.0)
        for a, b in zip(after.seen[branch], before.seen[branch], strict=True)
    ]


def test_weights_of_unimatch():
    """1/2 (L_x + 1/4 L_s1 + 1/4 L_s2 + 1/2 L_fp)."""
    found, before, _ = trained(FeaturePerturbationHook())
    step = before.step
    assert step.shares == {"unsup_student": 0.25, "unsup_student_2": 0.25, FEATURES: 0.5}
    assert step.unsup_weight == 0.5
    plain = step.model.student_losses(step.strong["unsup_student"], step.targets["unsup_student"])
    scaled = found["unsup_decode.loss_ce"]
    assert torch.allclose(scaled, 0.125 * plain["decode.loss_ce"], atol=1e-6)
    assert "unsup_features_decode.loss_ce" in found and "unsup_2_decode.loss_ce" in found


def test_channels_of_every_level_are_dropped_in_that_stream_alone():
    _, before, after = trained(FeaturePerturbationHook(0.5), batch=seg_batch(unsup=4))
    for branch in ("sup", "unsup_student"):
        for one, other in zip(before.seen[branch], after.seen[branch], strict=True):
            assert torch.equal(one, other)
    patterns = []
    for factors in changed(before, after, FEATURES):
        rounded = factors.round(decimals=4)
        assert set(rounded.unique().tolist()) <= {0.0, 1.0, 2.0}
        dropped = (after.seen[FEATURES][len(patterns)].flatten(2).abs().sum(2) == 0).float()
        assert 0.2 < dropped.mean() < 0.8
        assert not torch.equal(dropped[0], dropped[1]), "each image has its own mask"
        patterns.append(dropped)
    assert not torch.equal(patterns[0][:, :8], patterns[1][:, :8]), "each level too"


@pytest.mark.parametrize("first", ["mix", "features"])
def test_labels_and_image_of_that_stream_are_not_mixed(first):
    hooks = [CutMixHook(prob=1.0), FeaturePerturbationHook()]
    model = build_seg()
    # The runner sorts by priority; listed first, the hook still comes second.
    listed = hooks if first == "mix" else hooks[::-1]
    order = {"NORMAL": 0, "LOW": 1}
    _, before, _ = trained(*sorted(listed, key=lambda h: order[h.priority]), model=model)
    step = before.step
    assert torch.equal(step.strong[FEATURES].inputs, step.weak.inputs)
    assert torch.equal(step.targets[FEATURES].labels, step.pseudo.labels)
    assert not torch.equal(step.strong["unsup_student"].inputs, step.weak.inputs)


def test_no_probability_changes_nothing():
    model = build_seg()
    found, before, _ = trained(FeaturePerturbationHook(0.0), model=model, batch=seg_batch())
    step = before.step
    plain = model.student_losses(step.weak, step.pseudo)["decode.loss_ce"]
    assert torch.allclose(found["unsup_features_decode.loss_ce"], 0.5 * plain, atol=1e-6)


def test_empty_pseudo_labels_and_burn_in():
    found, _, _ = trained(FixedThresholdHook(1.0), FeaturePerturbationHook())
    assert all(torch.isfinite(v).all() for k, v in found.items() if "loss" in k)
    model = build_seg(burn_in=1)
    model.attach(FeaturePerturbationHook())
    assert not any(k.startswith("unsup") for k in losses(model, seg_batch()))


def test_perturbation_of_a_detector():
    model = build_pair()
    model.attach(FeaturePerturbationHook())
    found = losses(model, multi_branch())
    assert any(k.startswith("unsup_features_") for k in found)


def test_with_one_pass_for_all_views_it_is_refused():
    with pytest.raises(ValueError, match="joint_pass"):
        build_seg(joint_pass=True).attach(FeaturePerturbationHook())


@pytest.mark.parametrize("shared", [False, True])
def test_two_views_see_complementary_channels(shared):
    hook = ComplementaryDropoutHook(share_across_stages=shared)
    model = build_seg()
    if shared:
        same = lambda found: tuple(found[-1] for _ in found)  # noqa: E731
        compute = model.student.extract_feat
        model.student.extract_feat = lambda x: same(compute(x))
    _, before, after = trained(hook, model=model, batch=seg_batch(unsup=4, views=2))
    masks = {}
    for branch in hook.views:
        for level, feature in enumerate(after.seen[branch]):
            alive = before.seen[branch][level].flatten(2).abs().sum(2) > 0
            found = feature.flatten(2).sum(2) / before.seen[branch][level].flatten(2).sum(2)
            masks[branch, level] = found.where(alive, float("nan")).detach()
    for level in range(len(after.seen[hook.views[0]])):
        one, two = (masks[branch, level] for branch in hook.views)
        known = one.isfinite() & two.isfinite()
        assert torch.allclose((one + two)[known], torch.tensor(2.0), atol=1e-4)
        whole = [bool(((row - 1).abs() < 1e-4)[k].all()) for row, k in zip(one, known, strict=True)]
        assert sum(whole) == 2, "half of the four pairs"
    first = torch.stack([hook._masks[0][0]] * 2)
    assert torch.equal(first[0] + hook._masks[0][1], torch.full_like(first[0], 2.0))
    assert len(hook._masks) == (1 if shared else 3)
    assert torch.equal(before.seen["sup"][0], after.seen["sup"][0])


def test_the_pair_of_a_batch_of_one_is_never_whole():
    hook = ComplementaryDropoutHook()
    trained(hook, batch=seg_batch(unsup=1, views=2))
    assert set(hook._masks[0][0].unique().tolist()) == {0.0, 2.0}


def test_masks_of_the_next_step_are_new():
    hook, model = ComplementaryDropoutHook(intact=0.0), build_seg()
    trained(hook, model=model)
    before = copy.deepcopy(hook._masks[2][0])
    losses(model, seg_batch(views=2))
    assert not torch.equal(before, hook._masks[2][0])


def test_shared_masks_need_levels_of_one_width():
    model = build_seg()
    model.attach(ComplementaryDropoutHook(share_across_stages=True))
    with pytest.raises(ValueError, match=r"8 and 16 channels. Set it to False"):
        losses(model, seg_batch(views=2))


def test_a_missing_view_is_named():
    model = build_seg()
    model.attach(ComplementaryDropoutHook())
    with pytest.raises(ValueError, match=r"no view \['unsup_student_2'\]"):
        losses(model, seg_batch())


def test_levels_of_nested_features():
    features = ([torch.ones(1, 2, 3, 3), torch.ones(1, 2)], torch.ones(1, 2, 3, 3))
    found = map_levels(features, lambda level, t: t * (level + 1))
    assert found[0][1].tolist() == [[1, 1]] and found[1].max() == 2
    assert map_levels({"a": torch.ones(1), "b": torch.ones(1)}, lambda i, t: t * i)["b"] == 1


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: FeaturePerturbationHook(1.0), "prob=1.0"),
        (lambda: FeaturePerturbationHook(share=0), "share=0"),
        (lambda: ComplementaryDropoutHook(intact=2), "intact=2"),
        (lambda: ComplementaryDropoutHook(views=("a", "a")), "two different"),
    ],
)
def test_settings_are_checked(build, says):
    with pytest.raises(ValueError, match=says):
        build()
