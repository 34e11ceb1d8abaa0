"""Labeled images in the style of unlabeled ones."""

import pytest
import torch

from ssdet.hooks import StyleSwapHook
from ssdet.mixing import swap_statistics
from ssdet.teacher_student.step import Step, Views

from ...helpers import sample
from ...seg_helpers import build_seg


def step_of(**sizes):
    """Labeled images of 8 x 8, the second padded from 4 x 6; unlabeled ones that are brighter."""
    torch.manual_seed(0)
    labeled = Views(torch.randn(2, 3, 8, 8), [sample((8, 8)), sample((4, 6))])
    labeled.inputs[1, :, 4:] = labeled.inputs[1, :, :, 6:] = 0
    weak = Views(torch.randn(1, 3, *sizes.get("weak", (8, 8))) * 2 + 5, [sample((8, 8))])
    strong = {name: Views(weak.inputs.clone(), weak.samples) for name in ("unsup_student",)}
    return Step(build_seg(), 3, labeled, weak, strong)


@pytest.mark.parametrize("kind", ["fourier", "statistics"])
def test_what_is_seen_changes_and_padding_does_not(kind):
    step = step_of()
    before = step.sup.inputs.clone()
    StyleSwapHook(kind, prob=1.0).before_teacher(step)
    assert not torch.equal(step.sup.inputs[1, :, :4, :6], before[1, :, :4, :6])
    assert not step.sup.inputs[1, :, 4:].any() and not step.sup.inputs[1, :, :, 6:].any()
    means = step.sup.inputs[0].mean((1, 2))
    torch.testing.assert_close(means, step.weak.inputs[0].mean((1, 2)), rtol=1e-4, atol=1e-4)
    assert torch.equal(step.strong["unsup_student"].inputs, step.weak.inputs)


def test_the_batch_that_came_is_not_written_to():
    step = step_of()
    came = step.sup.inputs
    before = came.clone()
    StyleSwapHook(prob=1.0).before_teacher(step)
    assert torch.equal(came, before)


def test_strong_views_in_the_style_of_labeled_ones():
    step = step_of()
    hook = StyleSwapHook("statistics", prob=1.0, views="strong")
    hook.before_teacher(step)
    labeled = step.sup.inputs.clone()
    hook.before_student(step)
    assert torch.equal(step.sup.inputs, labeled)
    options = [swap_statistics(step.weak.inputs[0], labeled[0]),
               swap_statistics(step.weak.inputs[0], labeled[1, :, :4, :6])]  # fmt: skip
    found = step.strong["unsup_student"].inputs[0]
    assert any(torch.allclose(found, one, atol=1e-5) for one in options)


def test_by_chance_and_the_same_in_a_step_that_is_repeated():
    none, again = step_of(), step_of()
    StyleSwapHook(prob=0.0).before_teacher(none)
    assert torch.equal(none.sup.inputs, step_of().sup.inputs)
    assert none.log["style_swap/share"] == 0
    once = step_of()
    for step in (once, again):
        step.model.seed = 7
        StyleSwapHook(prob=0.5).before_teacher(step)
    assert torch.equal(once.sup.inputs, again.sup.inputs)


def test_a_style_of_another_size():
    step = step_of(weak=(16, 16))
    step.weak.samples = [sample((16, 12))]
    StyleSwapHook(prob=1.0).before_teacher(step)
    assert step.sup.inputs.isfinite().all()


@pytest.mark.parametrize(
    "wrong", [dict(kind="cycle"), dict(prob=2), dict(share=0.6), dict(views=1)]
)
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=f"StyleSwapHook: {next(iter(wrong))}="):
        StyleSwapHook(**wrong)
