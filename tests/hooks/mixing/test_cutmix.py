"""CutMix as a hook of the step."""

import copy

import pytest
import torch

from ssdet.hooks import CutMixHook, StepHook
from ssdet.mixing import box_mask, sample_box
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...helpers import build_pair, losses, total
from ...seg_helpers import build_seg, seg_batch, seg_sample


def step_of(batch, size=(24, 40), model=None, views=("unsup_student",)):
    """A step in which every field of image i shows the number i (scaled to its type)."""
    number = torch.arange(1.0, batch + 1).view(-1, 1, 1).expand(batch, *size)
    step = Step(model, 0)
    for name in views:
        inputs = number[:, None].repeat(1, 3, 1, 1)
        step.strong[name] = Views(inputs, [seg_sample(size) for _ in range(batch)])
        step.targets[name] = PixelLabels(
            number.long(), number / 10, number / 100, number.remainder(2) == 1
        )
    return step


def test_everything_is_cut_by_the_same_mask():
    step = step_of(3)
    CutMixHook(prob=1.0).before_student(step)
    inputs, targets = step.strong["unsup_student"].inputs, step.targets["unsup_student"]
    shown = inputs[:, 0]
    assert torch.equal(targets.labels, shown.long())
    assert torch.equal(targets.scores, shown / 10)
    assert torch.equal(targets.weights, shown / 100)
    assert torch.equal(targets.valid, shown.remainder(2) == 1)
    for image, partner in zip(range(3), (3, 1, 2), strict=True):
        found = shown[image].unique().tolist()
        assert found == sorted([image + 1, partner]), "never an image with itself"
        pasted = (shown[image] == partner).nonzero()
        box = pasted.amax(0) - pasted.amin(0) + 1
        assert box.prod() == len(pasted), "a box"


def test_probability_zero_changes_nothing():
    step, before = step_of(2), step_of(2)
    CutMixHook(prob=0.0).before_student(step)
    assert torch.equal(step.strong["unsup_student"].inputs, before.strong["unsup_student"].inputs)
    assert torch.equal(step.targets["unsup_student"].scores, before.targets["unsup_student"].scores)


def test_probability_is_that_of_an_image():
    hook, changed = CutMixHook(prob=0.3), 0
    for _ in range(60):
        step = step_of(10, size=(8, 8))
        before = step.strong["unsup_student"].inputs
        hook.before_student(step)
        after = step.strong["unsup_student"].inputs
        changed += int((before != after).flatten(1).any(1).sum())
    assert 140 < changed < 220  # 180 of 600, standard deviation 11


def test_every_strong_view_has_its_own_boxes():
    step = step_of(2, views=("unsup_student", "unsup_student_2"))
    CutMixHook(prob=1.0).before_student(step)
    first, second = (view.inputs for view in step.strong.values())
    assert not torch.equal(first, second)


def test_a_batch_of_one_takes_its_partner_from_the_batch_before():
    hook = CutMixHook(prob=1.0)
    first, second = step_of(1), step_of(1)
    second.strong["unsup_student"].inputs.fill_(9.0)
    hook.before_student(first)
    assert first.log["cutmix/skipped"] == 1
    hook.before_student(second)
    assert second.log["cutmix/skipped"] == 0
    assert second.strong["unsup_student"].inputs.unique().tolist() == [1.0, 9.0]
    third = step_of(1)
    hook.before_student(third)
    shown = third.strong["unsup_student"].inputs.unique().tolist()
    assert shown == [1.0, 9.0], "the partner is the image as it came, not as it was mixed"


def test_a_partner_of_another_size_is_skipped():
    hook = CutMixHook(prob=1.0)
    hook.before_student(step_of(1))
    other = step_of(1, size=(16, 16))
    hook.before_student(other)
    assert other.log["cutmix/skipped"] == 1


def test_state_round_trip_continues_exactly():
    model, batches = build_seg(), [seg_batch(sup=0, unsup=1) for _ in range(3)]
    first, second = CutMixHook(prob=1.0), CutMixHook(prob=1.0)
    model.attach(first)
    for batch in batches[:2]:
        losses(model, batch)
    assert CutMixHook().state_dict() == {}
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    random = torch.get_rng_state()
    expected = total(losses(model, batches[2]))
    model.hooks = [second]
    second.on_attach(model)
    torch.set_rng_state(random)
    assert torch.equal(expected, total(losses(model, batches[2])))


def test_a_detector_is_refused_by_name():
    with pytest.raises(TypeError, match=r"CutMixHook: .*not with a TeacherStudentDetector"):
        build_pair().attach(CutMixHook())


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (dict(prob=1.5), "prob=1.5 is not in"),
        (dict(area=(0.0, 0.4)), "area="),
        (dict(area=(0.5, 0.4)), "area="),
        (dict(area=(0.5, 1.4)), "high <= 1"),
        (dict(aspect=(0.5,)), "aspect="),
    ],
)
def test_settings_are_checked_when_built(setting, says):
    with pytest.raises(ValueError, match=f"CutMixHook: .*{says}|CutMixHook: {says}"):
        CutMixHook(**setting)


def test_mixed_labels_reach_the_loss():
    """The loss of the step is that of the mixed pictures with the mixed labels."""

    class Spy(StepHook):
        phase = Phase.OBSERVE

        def after_loss(self, step):
            self.step = step

    model, spy = build_seg(), Spy()
    model.attach(CutMixHook(prob=1.0))
    model.attach(spy)
    found = losses(model, seg_batch(sup=0))
    step = spy.step
    again = model.student_losses(step.strong["unsup_student"], step.targets["unsup_student"])
    assert torch.equal(found["unsup_decode.loss_ce"], again["decode.loss_ce"])


def test_three_boxes_paste_where_an_odd_number_of_them_lie():
    """CPS: three boxes of a third of the share each; where two overlap, nothing is pasted."""
    torch.manual_seed(0)
    hook = CutMixHook(prob=1.0, boxes=3, area=(0.25, 0.5))
    shares, holes = [], 0
    for _ in range(60):
        mask = hook.mask({"inputs": torch.zeros(3, 60, 60)})
        shares.append(float(mask.float().mean()))
        rows, columns = mask.any(1), mask.any(0)
        holes += bool((rows[:, None] & columns & ~mask).any())
    assert max(shares) <= 0.5 and min(shares) < 0.25, "overlaps are taken out"
    assert sum(shares) / 60 > 0.2 and holes > 30, "more than one box"
    with pytest.raises(ValueError, match="CutMixHook: boxes=0"):
        CutMixHook(boxes=0)


def test_one_box_is_drawn_as_before():
    torch.manual_seed(3)
    box = sample_box((24, 40), (0.02, 0.4), (0.3, 1 / 0.3))
    torch.manual_seed(3)
    mask = CutMixHook().mask({"inputs": torch.zeros(3, 24, 40)})
    assert torch.equal(mask, box_mask([box], (24, 40))[0])
