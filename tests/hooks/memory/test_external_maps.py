"""Another source's label maps as evidence: counts, the rule of Bayes, what a bad source does."""

import pytest
import torch
from mmengine.structures import PixelData

from ssdet.hooks import ExternalMapsHook
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...seg_helpers import build_seg, seg_sample

SIZE = (4, 4)


@pytest.fixture(scope="module")
def model():
    return build_seg()


def views(said, truth=None):
    """A view of one image, all of whose pixels have these labels."""
    one = seg_sample(SIZE, torch.eye(3).numpy(), gt=truth)
    one.second_sem_seg = PixelData(data=torch.as_tensor(said, dtype=torch.uint8)[None])
    return Views(torch.zeros(1, 3, *SIZE), [one])


def full(label):
    return torch.full(SIZE, label)


def hook_of(model, **settings):
    hook = ExternalMapsHook(decay=1.0, **settings)
    hook.on_attach(model)
    return hook


def taught(hook, *pairs, times=50):
    """The source says the first label where the second one is annotated."""
    for _ in range(times):
        for said, truth in pairs:
            hook.before_teacher(Step(hook.model, 0, sup=views(full(said), full(truth))))
    return hook


def labeled(hook, probabilities, said):
    soft = torch.tensor(probabilities).view(1, 4, 1, 1).repeat(1, 1, *SIZE)
    scores, labels = soft.max(1)
    valid = torch.ones(1, *SIZE, dtype=torch.bool)
    pixels = PixelLabels(labels, scores, torch.ones_like(scores), valid, soft)
    step = Step(hook.model, 0, weak=views(full(said)), pseudo=pixels)
    hook.after_teacher(step)
    return step


def test_a_source_that_proved_right_decides_what_the_teacher_does_not_know(model):
    hook = taught(hook_of(model), (0, 0), (1, 1), (2, 2), (3, 3))
    step = labeled(hook, [0.4, 0.35, 0.15, 0.1], said=1)
    assert step.pseudo.labels.unique().tolist() == [1]
    assert step.pseudo.scores.min() > 0.99
    assert step.log["external/changed"] == 1


def test_the_numbers(model):
    # In one image of four the source says 1 where 0 is; it is seen to say 1 wherever 1 is.
    hook = taught(hook_of(model, strength=1e-6), (0, 0), (0, 0), (0, 0), (1, 0), *[(1, 1)] * 4)
    step = labeled(hook, [0.8, 0.2, 0.0, 0.0], said=1)
    assert step.pseudo.scores[0, 0, 0].item() == pytest.approx(0.5, abs=1e-4)  # 0.8 / 4 against 0.2
    step = labeled(hook, [0.6, 0.4, 0.0, 0.0], said=1)
    assert step.pseudo.labels.unique().tolist() == [1]
    assert step.pseudo.scores[0, 0, 0].item() == pytest.approx(0.4 / 0.55, abs=1e-4)


def test_a_source_that_says_anything_anywhere_changes_nothing(model):
    hook = taught(hook_of(model), *[(said, truth) for said in (0, 1) for truth in range(4)])
    before = [0.4, 0.35, 0.15, 0.1]
    step = labeled(hook, before, said=1)
    assert step.pseudo.soft[0, :, 0, 0].tolist() == pytest.approx(before, abs=1e-4)


def test_unknown_pixels_stay_as_they_are(model):
    hook = taught(hook_of(model), (0, 0), (1, 1))
    step = labeled(hook, [0.4, 0.35, 0.15, 0.1], said=255)
    assert step.pseudo.scores[0, 0, 0].item() == pytest.approx(0.4)


def test_it_may_have_other_classes(model):
    hook = taught(hook_of(model, num_classes=2), (0, 0), (0, 1), (1, 2), (1, 3))
    step = labeled(hook, [0.4, 0.1, 0.3, 0.2], said=1)
    assert step.pseudo.labels.unique().tolist() == [2]
    assert step.pseudo.scores[0, 0, 0].item() == pytest.approx(0.6, abs=0.01)


def test_without_annotated_images_a_sure_teacher_stands_in(model):
    hook = hook_of(model, sure=0.9)
    for _ in range(40):
        labeled(hook, [0.95, 0.05, 0.0, 0.0], said=3)
        labeled(hook, [0.05, 0.95, 0.0, 0.0], said=2)
    assert hook.likelihood[0, 3] > 0.9 and hook.likelihood[1, 2] > 0.9
