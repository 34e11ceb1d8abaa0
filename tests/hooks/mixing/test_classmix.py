"""ClassMix, and what it shares with CutMix."""

import pytest
import torch

from ssdet.hooks import ClassMixHook, CutMixHook
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...helpers import build_pair, losses, total
from ...seg_helpers import build_seg, seg_batch, seg_sample

SIZE = (2, 4)
NAME = "unsup_student"


def step_of(*rows, soft=False):
    """Strong views of 2 x 4 pixels whose rows are given; every field tells image and label."""
    labels = torch.tensor(rows)[:, None].expand(len(rows), *SIZE).contiguous()
    number = labels + 10 * torch.arange(1, len(rows) + 1).view(-1, 1, 1)
    step = Step(None, 0)
    inputs = number[:, None].repeat(1, 3, 1, 1).float()
    step.strong[NAME] = Views(inputs, [seg_sample(SIZE) for _ in rows])
    valid = labels != 255
    probabilities = number[:, None].repeat(1, 3, 1, 1) / 1000 if soft else None
    step.targets[NAME] = PixelLabels(labels, number / 100, number / 1000, valid, probabilities)
    return step


def test_whole_classes_are_pasted_with_every_field():
    for seed in range(8):
        torch.manual_seed(seed)
        step = step_of([0, 0, 1, 1], [2, 2, 3, 3], soft=True)
        ClassMixHook().before_student(step)
        shown, targets = step.strong[NAME].inputs[:, 0], step.targets[NAME]
        for image, (own, other) in enumerate([(10, (22, 23)), (20, (10, 11))]):
            pasted = shown[image] // 10 != own // 10
            label = shown[image][pasted].unique()
            assert len(label) == 1 and label.item() in other and pasted.sum() == 4
        assert torch.equal(targets.labels, (shown % 10).long())
        assert torch.allclose(targets.scores, shown / 100)
        assert torch.allclose(targets.weights, shown / 1000)
        assert torch.allclose(targets.soft, (shown / 1000)[:, None].expand(2, 3, *SIZE))
        assert targets.valid.all()


def test_ignored_pixels_are_never_pasted_and_validity_travels():
    step = step_of([255, 255, 1, 1], [2, 2, 2, 255])
    ClassMixHook().before_student(step)
    targets = step.targets[NAME]
    assert targets.labels[0, 0].tolist() == [2, 2, 2, 1]
    assert targets.labels[1, 0].tolist() == [2, 2, 1, 1]
    assert torch.equal(targets.valid, targets.labels != 255)


def test_probability_zero_changes_nothing():
    step, before = step_of([0, 1, 1, 1], [2, 2, 3, 3]), step_of([0, 1, 1, 1], [2, 2, 3, 3])
    ClassMixHook(prob=0.0).before_student(step)
    assert torch.equal(step.targets[NAME].labels, before.targets[NAME].labels)


def test_a_batch_of_one_waits_for_the_next():
    hook, step = ClassMixHook(), step_of([0, 0, 0, 0])
    hook.before_student(step)
    assert step.log["classmix/skipped"] == 1
    again = ClassMixHook()
    again.load_state_dict(hook.state_dict())
    step = step_of([1, 1, 1, 1])
    again.before_student(step)
    assert step.log["classmix/skipped"] == 0 and not step.targets[NAME].labels.any()


@pytest.mark.parametrize("kind", [ClassMixHook, CutMixHook])
def test_annotated_pixels_over_unlabeled_ones(kind):
    torch.manual_seed(1)
    step = step_of([0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], soft=True)
    gt = torch.tensor([[2, 2, 255, 255], [2, 2, 255, 255]])
    # One labeled image for three, and wider than they are.
    wide = torch.nn.functional.pad(gt, (0, 1), value=255)
    step.sup = Views(torch.full((1, 3, 2, 5), 7.0), [seg_sample((2, 5), gt=wide)])
    kind(prob=1.0, source="labeled").before_student(step)
    targets, pasted = step.targets[NAME], step.strong[NAME].inputs[:, 0] == 7
    assert pasted.flatten(1).any(1).all()
    if kind is ClassMixHook:
        assert torch.equal(pasted, (gt == 2).expand(3, 2, 4))
    known = pasted & (gt == 2)
    assert torch.equal(targets.labels == 2, known) and torch.equal(targets.valid, ~pasted | known)
    assert (targets.scores[known] == 1).all() and (targets.weights[known] == 1).all()
    assert targets.soft.movedim(1, -1)[known].tolist() == [[0, 0, 1]] * int(known.sum())


def test_without_labeled_images_the_step_is_skipped():
    step = step_of([0, 0, 0, 0])
    ClassMixHook(source="labeled").before_student(step)
    assert step.log["classmix/skipped"] == 1


def test_a_step_of_training():
    model = build_seg()
    model.attach(ClassMixHook())
    model.attach(ClassMixHook(source="labeled"))
    found = losses(model, seg_batch(views=2))
    assert torch.isfinite(total(found))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(prob=2), "ClassMixHook: prob=2"),
        (dict(share=-1), "ClassMixHook: share=-1"),
        (dict(source="else"), "ClassMixHook: source='else' is not one of"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        ClassMixHook(**settings)


def test_a_detector_is_refused_by_name():
    with pytest.raises(TypeError, match=r"ClassMixHook: .*CopyPasteHook"):
        build_pair().attach(ClassMixHook())
