"""ShrinkMatch as a hook of the step."""

import copy

import pytest
import torch.nn.functional as F

from ssdet.hooks import CutMixHook, FixedThresholdHook, ShrinkMatchHook, StepHook
from ssdet.losses.shrink import shrink_classes, shrink_loss
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


def head(num_classes=4):
    return dict(tiny_fcn(num_classes)["decode_head"], channels=4)


def pair(num_classes=4, **settings):
    return build_seg(tiny_fcn(num_classes), auxiliary=dict(shrink=head(num_classes)), **settings)


class Spy(StepHook):
    phase = Phase.OBSERVE
    priority = "LOWEST"

    def after_loss(self, step):
        self.step = step


def step_of(model, hook, batch=None, *others):
    spy = Spy()
    for each in (*others, hook, spy):
        model.attach(each)
    return losses(model, batch or seg_batch()), spy.step


def expected(model, step, threshold, name="unsup_student"):
    views, targets = step.strong[name], step.targets[name]
    logits = model.auxiliary.shrink(model.student.extract_feat(views.inputs))
    logits = F.interpolate(logits, targets.labels.shape[-2:], mode="bilinear")
    return shrink_loss(logits, shrink_classes(targets.soft, threshold), targets.valid)


def test_the_loss_is_that_of_the_second_head_on_the_strong_view():
    model = pair(unsup_weight=0.7)
    hook = ShrinkMatchHook(0.4, by_certain_ratio=False, weight=2.0)
    found, step = step_of(model, hook, None, CutMixHook(1.0), FixedThresholdHook(0.4))
    assert 0 < step.log["shrink/usable"] < 1
    wanted = 0.7 * 2.0 * expected(model, step, 0.4)
    assert found["unsup_loss_shrink"].item() == pytest.approx(wanted.item(), rel=1e-4)
    assert found["unsup_loss_shrink"] > 0


def test_who_learns_from_it():
    """The second head and the encoder; the main head is not disturbed."""
    model = pair()
    found, _ = step_of(model, ShrinkMatchHook(0.4, by_certain_ratio=False))
    found["unsup_loss_shrink"].backward()
    for part in (model.auxiliary.shrink, model.student.backbone):
        assert any(p.grad is not None and p.grad.any() for p in part.parameters())
    assert all(p.grad is None for p in model.student.decode_head.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())


def test_certain_ratio_starts_at_the_first_batch_and_moves_slowly():
    model, hook = pair(), ShrinkMatchHook(0.4, momentum=0.75)
    found, step = step_of(model, hook)
    first = step.log["shrink/certain"]
    assert hook.ratio == first and 0 < first < 1
    unscaled = expected(model, step, 0.4)
    assert found["unsup_loss_shrink"].item() == pytest.approx(first * unscaled.item(), rel=1e-4)
    _, step = step_of(model, hook, seg_batch())
    second = step.log["shrink/certain"]
    assert hook.ratio == pytest.approx(0.75 * first + 0.25 * second)


def test_state_round_trip():
    model, hook = pair(), ShrinkMatchHook(0.4)
    assert hook.state_dict() == {}
    step_of(model, hook)
    other = ShrinkMatchHook(0.4)
    other.load_state_dict(copy.deepcopy(hook.state_dict()))
    assert other.ratio == hook.ratio


def test_uncertain_pixels_teach_where_none_is_certain():
    """The student takes no pass on a view without a certain pixel; this hook takes its own."""
    model = pair()
    hook = ShrinkMatchHook(0.4, by_certain_ratio=False)
    found, step = step_of(model, hook, None, FixedThresholdHook(1.0))
    assert found["unsup_loss"] == 0 and found["unsup_loss_shrink"] > 0
    wanted = expected(model, step, 0.4)
    assert found["unsup_loss_shrink"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_every_parameter_is_connected_without_unlabeled_images():
    model = pair(burn_in=5)
    found, _ = step_of(model, ShrinkMatchHook())
    found["unsup_loss_shrink"].backward()
    assert found["unsup_loss_shrink"] == 0
    assert all(p.grad is not None for p in model.auxiliary.shrink.parameters())


def test_two_views_share_the_weight():
    model = pair()
    hook = ShrinkMatchHook(0.4, by_certain_ratio=False)
    found, step = step_of(model, hook, seg_batch(views=2))
    parts = [expected(model, step, 0.4, name) for name in step.strong]
    assert found["unsup_loss_shrink"].item() == pytest.approx(sum(parts).item() / 2, rel=1e-4)


def test_a_stride_looks_at_every_so_many_pixels():
    model = pair()
    hook = ShrinkMatchHook(0.4, by_certain_ratio=False, stride=4)
    found, step = step_of(model, hook)
    targets = step.targets["unsup_student"]
    shrunk = shrink_classes(targets.soft[..., 2::4, 2::4], 0.4)
    assert step.log["shrink/certain"] == pytest.approx(shrunk.certain.float().mean().item())
    assert found["unsup_loss_shrink"] > 0


def test_two_classes_give_no_loss_and_a_warning(monkeypatch):
    said = []
    where = "ssdet.hooks.pixels.shrink_match.print_log"
    monkeypatch.setattr(where, lambda text, *args, **kwargs: said.append(text))
    found, _ = step_of(pair(2), ShrinkMatchHook(0.95, by_certain_ratio=False), seg_batch(classes=2))
    assert found["unsup_loss_shrink"] == 0
    assert said == ["ShrinkMatchHook: with two classes none can be removed: no loss"]


def test_models_that_cannot():
    with pytest.raises(TypeError, match=r"ShrinkMatchHook: .*not with a TeacherStudentDetector"):
        build_pair().attach(ShrinkMatchHook())
    with pytest.raises(ValueError, match=r"no auxiliary 'shrink', only \[\]"):
        build_seg().attach(ShrinkMatchHook())
    with pytest.raises(ValueError, match="gives 3 channels, but there are 4 classes"):
        build_seg(auxiliary=dict(shrink=head(3))).attach(ShrinkMatchHook())


@pytest.mark.parametrize("settings", [dict(threshold=0), dict(stride=0), dict(momentum=2)])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=f"ShrinkMatchHook: .*{next(iter(settings))}"):
        ShrinkMatchHook(**settings)
