"""iMAS: what ease decides in a step."""

import pytest
import torch

from ssdet.hooks import EaseCutMixHook, FixedThresholdHook, HardnessHook, StepHook
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch

SECOND = "unsup_student_2"


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


class Shown(StepHook):
    """Strong views show 1, weak ones 0; or each image its number."""

    phase = Phase.LABEL

    def __init__(self, numbers=False):
        self.numbers = numbers

    def after_teacher(self, step):
        step.weak.inputs = torch.zeros_like(step.weak.inputs)
        for views in step.strong.values():
            value = torch.arange(len(views.inputs)) if self.numbers else torch.ones(1)
            views.inputs = value.view(-1, 1, 1, 1).float().expand_as(views.inputs).clone()


class Measured(StepHook):
    """Images that are as easy as one says."""

    phase = Phase.MEMORY

    def __init__(self, *ease):
        self.ease = torch.tensor(ease)

    def after_teacher(self, step):
        step.measures["ease"] = self.ease


def step_of(*hooks, batch=None, model=None):
    model, spy = model or build_seg(), Spy()
    for one in (*hooks, spy):
        model.attach(one)
    losses(model, batch or seg_batch(2, 2, views=2))
    return spy.step


def test_a_copy_that_is_sure_is_easy_and_one_that_is_not_is_hard():
    sure = step_of(HardnessHook(0.0))
    assert sure.measures["ease"].tolist() == [1, 1]
    unsure = step_of(HardnessHook(1.0))
    assert unsure.measures["ease"].tolist() == [0, 0]
    assert (unsure.pseudo.weights == 0).all() and (sure.pseudo.weights == 1).all()


def test_the_student_is_compared_in_eval_mode_and_left_as_it_was():
    seen = []

    class Watch(StepHook):
        phase = Phase.LABEL

        def on_attach(self, model):
            super().on_attach(model)
            model.student.register_forward_hook(lambda *_: seen.append(model.student.training))
            model.student.backbone.register_forward_hook(
                lambda network, *_: seen.append(network.training)
            )

    step = step_of(Watch(), HardnessHook(0.0), batch=seg_batch())
    assert seen[0] is False and seen[-1] is True
    assert step.model.student.training


def test_weights_of_the_pixels_are_multiplied():
    model = build_seg()
    with torch.no_grad():  # teacher and student differ
        for parameter in model.student.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    step = step_of(FixedThresholdHook(0.0), HardnessHook(0.0, blend=False), model=model)
    easy = step.measures["ease"]
    assert ((easy > 0) & (easy < 1)).all()
    assert torch.allclose(step.pseudo.weights, easy[:, None, None].expand(2, 32, 32))
    assert step.log["hardness/ease"].item() == pytest.approx(easy.mean().item())
    alone = step_of(HardnessHook(0.0, weigh=False, blend=False), model=build_seg())
    assert (alone.pseudo.weights == 1).all()


def test_a_hard_image_shows_little_of_its_strong_view():
    """ease .25, strong 1, weak 0: .25; the second view is left alone."""
    hook = HardnessHook(0.0, weigh=False)
    step = step_of(Shown(), hook, Measured(0.25, 1.0))
    shown = step.strong["unsup_student"].inputs
    assert (shown[0] == 0.25).all() and (shown[1] == 1).all()
    assert (step.strong[SECOND].inputs == 1).all()


def test_views_of_other_parts_cannot_be_blended():
    shifted = [[1, 0, 5], [0, 1, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match=r"blend=True .* other parts of the image"):
        step_of(HardnessHook(0.0), batch=seg_batch(homography=shifted))
    step_of(HardnessHook(0.0, blend=False), batch=seg_batch(homography=shifted))


def test_hard_images_get_boxes_of_easy_ones(monkeypatch):
    """Eases .9 .1 .5 .3: the hardest (1) meets the easiest (0), then 3 meets 2."""
    monkeypatch.setattr("ssdet.hooks.mixing.ease_cutmix.box_around", lambda *_: (0, 0, 32, 32))
    hook = EaseCutMixHook()
    step = step_of(Shown(numbers=True), Measured(0.9, 0.1, 0.5, 0.3), hook, Always(),
                   batch=seg_batch(2, 4, views=2))  # fmt: skip
    assert step.strong[SECOND].inputs[:, 0, 0, 0].tolist() == [1, 0, 3, 2]
    first = step.strong["unsup_student"].inputs[:, 0, 0, 0]
    assert first.tolist() == [0, 1, 2, 3]
    assert torch.equal(step.targets[SECOND].labels[0], step.targets["unsup_student"].labels[1])
    assert step.shares == {"unsup_student": 0.5, SECOND: 0.5}


class Always(StepHook):
    """Draws say that CutMix takes place."""

    phase = Phase.MEMORY

    def after_teacher(self, step):
        generator = step.generator

        def drawn(owner, *, all_ranks_alike=False, device="cpu"):
            made = generator(owner, all_ranks_alike=all_ranks_alike, device=device)
            seed = 0
            while all_ranks_alike and torch.rand((), generator=made.manual_seed(seed)) > 0.05:
                seed += 1
            return made.manual_seed(seed)

        step.generator = drawn


def test_in_a_hard_batch_the_view_is_left_out():
    step = step_of(Measured(0.0, 0.0), EaseCutMixHook())
    assert step.log["ease_cutmix/mixed"] == 0
    assert step.shares == {"unsup_student": 1.0} and list(step.targets) == ["unsup_student"]
    assert not any(name.startswith("unsup_2") for name in step.losses)


def test_cutmix_is_as_frequent_as_the_batch_is_easy():
    model, spy = build_seg(), Spy()
    for one in (Measured(0.2, 0.4), EaseCutMixHook(), spy):
        model.attach(one)
    batch, mixed = seg_batch(1, 2, size=(16, 16), views=2), []
    for _ in range(60):
        losses(model, batch)
        mixed.append(spy.step.log["ease_cutmix/mixed"].item())
    assert sum(mixed) / 60 == pytest.approx(0.3, abs=0.17)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"Add dict\(type='HardnessHook'\)"):
        step_of(EaseCutMixHook())
    with pytest.raises(ValueError, match=r"view='unsup_student_2': .*\['unsup_student'\]"):
        step_of(HardnessHook(0.0), EaseCutMixHook(), batch=seg_batch())
    for hook in (HardnessHook(), EaseCutMixHook()):
        with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
            build_pair().attach(hook)
    with pytest.raises(ValueError, match="HardnessHook: score=2"):
        HardnessHook(2)
    with pytest.raises(ValueError, match=r"EaseCutMixHook: side=\(0.9, 0.1\)"):
        EaseCutMixHook(side=(0.9, 0.1))
