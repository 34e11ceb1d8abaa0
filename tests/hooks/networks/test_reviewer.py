"""An older teacher confirms what the teacher says."""

import pytest
import torch

from ssdet.hooks import ReviewerHook, StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import HIGH, LOW

from ...helpers import build_pair, losses, multi_branch, pseudo
from ...seg_helpers import build_seg, seg_batch

BOXES = [[0, 0, 20, 20], [30, 30, 50, 50], [0, 40, 20, 60]]


class Says(StepHook):
    """The teacher finds three boxes, the reviewer the first, a little smaller."""

    phase = Phase.FILTER

    def __init__(self, hook):
        self.hook = hook

    def after_teacher(self, step):
        step.pseudo = [pseudo(BOXES, [0.9, 0.8, 0.7], [0, 1, 2]) for _ in step.pseudo]
        label = step.model.label

        def reviewed(views, network=None, needs=None):
            if network is self.hook.reviewer:
                moved = [[0, 0, 20, 18], [30, 30, 50, 50]]
                return [pseudo(moved, [0.5, 0.5], [0, 2]) for _ in views.samples]
            return label(views, network, needs)

        step.model.label = reviewed
        self.step = step


@pytest.mark.parametrize("unconfirmed", ["ignore", "drop"])
def test_a_box_counts_if_the_reviewer_has_one_of_its_class(unconfirmed):
    hook, model = ReviewerHook(unconfirmed=unconfirmed), build_pair()
    says = Says(hook)
    for one in (says, hook):
        model.attach(one)
    found = losses(model, multi_branch())
    boxes = says.step.pseudo[0]
    assert found["reviewer/confirmed"].item() == pytest.approx(1 / 3)
    if unconfirmed == "drop":
        assert boxes.labels.tolist() == [0]
    else:
        assert boxes.level.tolist() == [HIGH, LOW, LOW]


def trained(hook, model, steps):
    """Steps after each of which the teacher moves."""
    for number in range(steps):
        losses(model, seg_batch())
        with torch.no_grad():
            model.teacher.decode_head.conv_seg.bias.fill_(float(number + 1))
    return hook.reviewer.decode_head.conv_seg.bias[0].item()


def test_it_is_constant_between_updates():
    hook, model = ReviewerHook(interval=3), build_seg(burn_in=1)
    model.attach(hook)
    losses(model, seg_batch())
    assert hook.reviewer is None, "the burn-in has no pseudo labels"
    first = trained(hook, model, 1)
    assert trained(hook, model, 2) == first
    assert trained(hook, model, 1) == 2.0  # the teacher before the fourth step


def test_a_slow_average():
    hook, model = ReviewerHook(interval=1, momentum=0.75), build_seg()
    model.attach(hook)
    with torch.no_grad():
        model.teacher.decode_head.conv_seg.bias.zero_()
    assert trained(hook, model, 2) == pytest.approx(0.25)


def test_pixels_on_which_both_differ_do_not_count():
    hook, model = ReviewerHook(), build_seg()
    model.attach(hook)
    found = losses(model, seg_batch())
    assert found["reviewer/confirmed"] == 1
    with torch.no_grad():
        model.teacher.decode_head.conv_seg.bias.copy_(torch.tensor([99.0, 0, 0, 0]))
        hook.reviewer.decode_head.conv_seg.bias.copy_(torch.tensor([0, 99.0, 0, 0]))
    found = losses(model, seg_batch())
    assert found["reviewer/confirmed"] == 0 and found["pseudo/kept"] == 0


def test_it_is_restored_before_and_after_its_first_step():
    hook, model = ReviewerHook(), build_seg()
    model.attach(hook)
    losses(model, seg_batch())
    with torch.no_grad():
        hook.reviewer.decode_head.conv_seg.bias.fill_(5.0)
    saved = {name: value.clone() for name, value in hook.state_dict().items()}
    early = ReviewerHook()
    early.load_state_dict(saved)
    assert early.state_dict().keys() == saved.keys()
    other = build_seg()
    other.attach(early)
    other.iteration = 1
    losses(other, seg_batch())
    hook.load_state_dict(saved)
    for one in (early, hook):
        assert (one.reviewer.decode_head.conv_seg.bias == 5).all()
        assert not any(p.requires_grad for p in one.reviewer.parameters())


@pytest.mark.parametrize("wrong", [dict(interval=0), dict(momentum=2), dict(unconfirmed="weigh")])
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=f"ReviewerHook: {next(iter(wrong))}="):
        ReviewerHook(**wrong)
