"""AugSeg's CutMix, and how sure a teacher is of an image."""

import numpy as np
import pytest
import torch

from ssdet.hooks import AdaptiveCutMixHook, FixedThresholdHook, StepHook
from ssdet.hooks.mixing.adaptive_cutmix import confidence
from ssdet.mixing import box_around
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch


class Spy(StepHook):
    phase = Phase.OBSERVE
    needs = frozenset({"soft"})

    def after_loss(self, step):
        self.step = step


class Given(StepHook):
    """The teacher knows the class of each image: its number; images show their number."""

    phase = Phase.LABEL

    def __init__(self, probability):
        self.probability = probability

    def after_teacher(self, step):
        pseudo, p = step.pseudo, self.probability
        for image in range(len(pseudo)):
            pseudo.labels[image], pseudo.scores[image] = image, p
            pseudo.soft[image] = (1 - p) / (pseudo.soft.shape[1] - 1)
            pseudo.soft[image, image] = p
        for views in step.strong.values():
            views.inputs = torch.arange(len(pseudo)).view(-1, 1, 1, 1).expand_as(views.inputs) * 1.0
        step.sup.inputs = torch.full_like(step.sup.inputs, 9.0)
        for sample in step.sup.samples:
            sample.gt_sem_seg.data[:] = 3
            sample.gt_sem_seg.data[:, :4] = 255


def step_of(probability, hook=None, batch=None, *others):
    model, spy = build_seg(), Spy()
    for one in (Given(probability), *others, hook or AdaptiveCutMixHook(), spy):
        model.attach(one)
    losses(model, batch or seg_batch(3, 3))
    return spy.step


def test_confidence_by_hand():
    """(.9, .1): (1 - .4690) * .9 = .4779; even: 0; half of the pixels each: .239."""
    soft = torch.tensor([[0.9, 0.5], [0.1, 0.5]]).view(1, 2, 1, 2)
    every = torch.ones(1, 1, 2, dtype=torch.bool)
    assert confidence(soft, every).item() == pytest.approx(0.239, abs=1e-3)
    first = torch.tensor([[[True, False]]])
    assert confidence(soft, first).item() == pytest.approx(0.4779, abs=1e-4)
    assert confidence(soft, ~every).item() == 0
    assert confidence(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), every[..., :1]).item() == 1


def test_boxes_are_cut_off_at_the_border():
    """Sides of .5 of an image of 8 x 16: 4 x 8, around the center."""
    assert box_around((0.5, 0.5), (0.5, 0.5), (8, 16)) == (4, 2, 12, 6)
    assert box_around((0.125, 0.99), (0.5, 0.5), (8, 16)) == (11, 0, 16, 3)
    assert box_around((0.5, 0.5), (0.1, 0.5), (8, 16)) is None


def test_a_sure_teacher_gets_pixels_of_other_images_alone():
    """Image, label and score travel together, and the box is that of the partner."""
    step = step_of(1.0)
    views, targets = step.strong["unsup_student"], step.targets["unsup_student"]
    shown = views.inputs[:, 0]
    assert torch.equal(shown.long(), targets.labels)
    assert set(shown.unique().tolist()) == {0, 1, 2}
    assert step.log["adaptive_cutmix/annotated"] == 0
    assert step.log["adaptive_cutmix/confidence"] == pytest.approx(1, abs=1e-4)


def test_an_unsure_teacher_gets_annotated_pixels_with_full_weight():
    """Probability 1/4 of four classes: confidence 0, so a labeled box is in every copy."""
    torch.manual_seed(0)
    hook = AdaptiveCutMixHook(labeled=(1, 30), unlabeled=(1, 30))  # nearly the whole view
    step = step_of(0.25, hook, None, FixedThresholdHook(0.9))
    views, targets = step.strong["unsup_student"], step.targets["unsup_student"]
    lent = views.inputs[:, 0] == 9
    assert step.log["adaptive_cutmix/annotated"] == 1 and lent.any()
    known = lent & targets.valid
    assert (targets.labels[known] == 3).all() and (targets.scores[known] == 1).all()
    assert (targets.weights[known] == 1).all()
    unknown = lent & ~targets.valid  # annotated with 255
    assert (targets.labels[unknown] == 255).all()
    assert (targets.weights[~lent] == 0).all()  # not sure, and not annotated


def test_labeled_boxes_are_as_frequent_as_doubt():
    """Confidence .5 (probability .816 of four classes): a labeled box in half of the copies."""
    hook, lent = AdaptiveCutMixHook(), []
    soft = torch.full((1, 4, 1, 1), (1 - 0.816) / 3)
    soft[:, 0] = 0.816
    sure = confidence(soft, torch.ones(1, 1, 1, dtype=torch.bool)).item()
    model, spy = build_seg(), Spy()
    for one in (Given(0.816), hook, spy):
        model.attach(one)
    batch = seg_batch(4, 4)
    for _ in range(40):
        losses(model, batch)
        lent.append(spy.step.log["adaptive_cutmix/annotated"].item())
    assert np.mean(lent) == pytest.approx(1 - sure, abs=0.1)


def test_areas_of_the_boxes():
    """lambda .8 has the side .4472, .5 has .7071; on average a fifth and a half of the view."""
    drawn, hook = np.random.default_rng(0), AdaptiveCutMixHook()
    assert np.sqrt(1 - 0.8) == pytest.approx(0.4472, abs=1e-4)
    every = np.ones(1, bool)
    sizes = [
        max(hook._boxes((64, 64), beta, every, drawn).float().mean().item() for _ in range(200))
        for beta in (hook.labeled, hook.unlabeled)
    ]
    assert sizes[0] < sizes[1] < 1
    nothing = hook._boxes((64, 64), (4, 4), np.zeros(3, bool), drawn)
    assert nothing.shape == (3, 64, 64) and not nothing.any()


def test_one_image_and_no_labeled_ones():
    step = step_of(0.25, AdaptiveCutMixHook(labeled=(1, 30), unlabeled=(1, 30)), seg_batch(1, 1))
    assert (step.strong["unsup_student"].inputs == 9).any()
    model, spy = build_seg(), Spy()
    for one in (AdaptiveCutMixHook(), spy):
        model.attach(one)
    losses(model, seg_batch(sup=0, unsup=2))
    assert "adaptive_cutmix/annotated" not in spy.step.log


def test_it_is_for_pixels_and_checks_its_settings():
    with pytest.raises(TypeError, match="for boxes there is CopyPasteHook"):
        build_pair().attach(AdaptiveCutMixHook())
    with pytest.raises(ValueError, match=r"labeled=\(0, 2\) is not \(a, b\)"):
        AdaptiveCutMixHook(labeled=(0, 2))
