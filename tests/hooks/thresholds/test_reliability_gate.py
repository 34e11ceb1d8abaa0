"""CW-BASS v2: the gate decides once which threshold it is."""

from types import SimpleNamespace

import pytest
import torch

from ssdet.hooks import ReliabilityGateHook
from ssdet.hooks._parts.held_out import Judged
from ssdet.testing import box_step, detector, pixel_step


def judged(share, count=200):
    """Sure labels in as many images, of which a share is right."""
    right = torch.arange(count) < round(share * count)
    return Judged(
        torch.full((count,), 0.99), torch.zeros(count, dtype=torch.long), right, right,
        torch.arange(count), torch.tensor([count]), True,
    )  # fmt: skip


def kept(hook, scores=((0.97, 0.8, 0.5),)):
    step = pixel_step([list(row) for row in scores])
    hook.after_teacher(step)
    return step.pseudo.weights[0, 0].tolist(), step


def test_before_it_is_measured_the_strict_threshold_holds():
    weights, step = kept(ReliabilityGateHook())
    assert weights == [1, 0, 0]
    assert step.log["threshold/all"] == pytest.approx(0.95) and step.log["gate/strict"] == 1


@pytest.mark.parametrize(
    ("share", "strict"), [(1.0, True), (0.98, True), (0.5, False), (0.0, False)]
)
def test_a_teacher_that_is_right_keeps_the_strict_threshold(share, strict):
    hook = ReliabilityGateHook()
    hook.decide(judged(share))
    assert hook.strict is strict
    weights, step = kept(hook)
    assert weights == ([1, 0, 0] if strict else [1, 1, 0])
    assert step.log["gate/strict"] == float(strict)


def test_when_images_drawn_anew_would_decide_otherwise_it_stays_strict():
    hook = ReliabilityGateHook()
    hook.decide(judged(0.94))  # below .95, but not surely so
    assert hook.strict


def test_a_teacher_that_is_never_sure_gets_the_floor():
    found = judged(1.0)
    found.scores[:] = 0.5
    hook = ReliabilityGateHook()
    hook.decide(found)
    assert hook.strict is False


def test_the_floor_follows_the_mean_of_all_scores():
    """.6 -> .99 * .6 + .01 * .7567; the floor is .95 of it."""
    hook = ReliabilityGateHook()
    hook.strict = False
    _, step = kept(hook)
    mean = 0.99 * 0.6 + 0.01 * (0.97 + 0.8 + 0.5) / 3
    assert hook.mean == pytest.approx(mean)
    assert step.log["threshold/all"].item() == pytest.approx(0.95 * mean)
    other = ReliabilityGateHook()
    other.load_state_dict(hook.state_dict())
    assert other.mean == hook.mean and other.strict is False


def test_pixels_that_are_not_valid_and_batches_without_boxes():
    hook = ReliabilityGateHook()
    step = pixel_step([[0.9, 0.1]])
    step.pseudo.valid[0, 0, 1] = False
    hook.after_teacher(step)
    assert hook.mean == pytest.approx(0.99 * 0.6 + 0.01 * 0.9)
    empty = box_step([0.9])
    empty.pseudo[0] = empty.pseudo[0][:0]
    before = hook.mean
    hook.after_teacher(empty)
    assert hook.mean == before


def test_it_measures_once_and_when_it_is_time():
    hook, model = ReliabilityGateHook(at=5), detector(burn_in=10)
    asked = []

    class Fold:
        def judged(self, model, moment):
            asked.append(runner.iter)
            return judged(0.2)

    runner = SimpleNamespace(model=model, iter=0)
    hook.before_run(runner)
    hook.fold = Fold()
    for runner.iter in (0, 10, 14, 15, 16, 30):
        hook.before_train_iter(runner, 0)
    assert asked == [15] and hook.strict is False


def test_without_held_out_images_it_does_not_train():
    hook = ReliabilityGateHook()
    runner = SimpleNamespace(
        model=detector(), iter=0, train_dataloader=SimpleNamespace(dataset=SimpleNamespace())
    )
    hook.before_run(runner)
    with pytest.raises(ValueError, match=r"train_dataloader\.dataset\.held_out to a share"):
        hook.before_train(runner)
    with pytest.raises(ValueError, match=r"bounds=\(0.9, 0.3\)"):
        ReliabilityGateHook(bounds=(0.9, 0.3))
    with pytest.raises(ValueError, match="score=2"):
        ReliabilityGateHook(2)
