"""Weights of classes in labels and pseudo labels."""

import pytest
import torch

from ssdet.hooks import ClassBalanceHook, StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.testing import pixel_step
from ssdet.thresholds import effective_number_weights

from ...helpers import build_pair, instances, losses, multi_branch, pseudo
from ...seg_helpers import build_seg, seg_batch


class Says(StepHook):
    """Two pseudo boxes of the class 0 and one of the class 1 in each image; the step is kept."""

    phase = Phase.FILTER

    def after_teacher(self, step):
        corners = [[0, 0, 20, 20], [20, 20, 40, 40], [40, 0, 60, 20]]
        for image in range(len(step.pseudo)):
            step.pseudo[image] = pseudo(corners, [0.9, 0.5, 0.8], [0, 0, 1])
        self.step = step


def boxes_of(*hooks, steps=1):
    model, says = build_pair(), Says()
    for one in (says, *hooks):
        model.attach(one)
    batch = multi_branch(sup=2, unsup=2)
    batch["data_samples"]["sup"][1].gt_instances = instances([(0, 0, 9, 9)], [2])
    for _ in range(steps):
        losses(model, batch)
    return says.step


def test_counts_of_boxes_by_hand():
    """Labels (1, 0, 1) in two images, pseudo labels (1.4, .8, 0) in each of two."""
    hook = ClassBalanceHook(beta=0.9)
    step = boxes_of(hook)
    assert hook.labeled.tolist() == [1, 0, 1, 2]
    assert hook.found.tolist() == pytest.approx([2.8, 1.6, 0, 2])
    expected = effective_number_weights(torch.tensor([3.8, 1.6, 1.0]), 0.9)
    torch.testing.assert_close(hook.weights(3), expected)
    boxes = step.pseudo[0]
    torch.testing.assert_close(boxes.weight_cls, expected[[0, 0, 1]])
    assert boxes.weight_box.tolist() == [1, 1, 1]
    first, second = (sample.gt_instances for sample in step.sup.samples)
    before = effective_number_weights(torch.tensor([1.0, 0.0, 1.0]), 0.9)  # no pseudo label yet
    torch.testing.assert_close(first.weight_cls, before[[0]])
    torch.testing.assert_close(second.weight_cls, before[[2]])


class Halves(StepHook):
    """Another hook weighs boxes, too."""

    phase = Phase.FILTER

    def after_teacher(self, step):
        for boxes in step.pseudo:
            boxes.weight_cls = boxes.weight_cls * 0.5


def test_the_weights_of_others_stay():
    alone, both = (
        boxes_of(*hooks, ClassBalanceHook()).pseudo[0].weight_cls for hooks in ((), (Halves(),))
    )
    torch.testing.assert_close(both, 0.5 * alone)


def test_pixels_that_a_threshold_has_dropped_are_not_counted():
    step = pixel_step([[0.9, 0.8, 0.7, 0.2]], labels=[[0, 0, 1, 1]])
    step.pseudo.weights[0, 0, 2:] = 0
    hook = ClassBalanceHook()
    step.model.attach(hook)
    hook.after_teacher(step)
    assert hook.found.tolist() == pytest.approx([0.85, 0, 0, 0, 1])


def test_counts_are_those_of_all_images_and_pseudo_labels_fade():
    hook = ClassBalanceHook(beta=0.9, momentum=0.5)
    hook.sizes = (10, 100)
    boxes_of(hook, steps=2)
    assert hook.labeled.tolist() == [2, 0, 2, 4]
    assert hook.found.tolist() == pytest.approx([4.2, 2.4, 0, 3])
    expected = effective_number_weights(torch.tensor([5 + 140.0, 80.0, 5.0]), 0.9)
    torch.testing.assert_close(hook.weights(3), expected)


@pytest.mark.parametrize("part", ["labels", "pseudo_labels"])
def test_each_part_can_be_left_out(part):
    step = boxes_of(ClassBalanceHook(beta=0.9, **{part: False}), steps=2)
    assert ("weight_cls" in step.sup.samples[0].gt_instances) is (part != "labels")
    assert bool((step.pseudo[0].weight_cls == 1).all()) is (part == "pseudo_labels")


def test_images_that_show_a_class_are_counted_in_label_maps():
    hook, model = ClassBalanceHook(beta=0.9), build_seg()
    model.attach(hook)
    batch = seg_batch()
    for sample, labels in zip(batch["data_samples"]["sup"], ((0, 1), (0, 3)), strict=False):
        if sample is not None:
            sample.gt_sem_seg.data = torch.tensor(labels).repeat_interleave(512).view(1, 32, 32)
    losses(model, batch)
    assert hook.labeled.tolist() == [2, 1, 0, 1, 2]
    assert hook.found[-1] == 2 and (hook.found[:-1] <= 2).all()


def test_the_supervised_loss_of_pixels_is_weighted():
    """Every pixel has the label 1, and three classes are never seen."""
    found = {}
    for beta, over in ((0.0, "classes"), (1.0, "classes"), (1.0, "samples")):
        torch.manual_seed(0)
        hook = ClassBalanceHook(beta=beta, pseudo_labels=False, over=over)
        model = build_seg()
        model.attach(hook)
        hook.sizes = (4, 0)
        batch = seg_batch(unsup=0)
        for sample in batch["data_samples"]["sup"]:
            sample.gt_sem_seg.data = torch.ones(1, 32, 32, dtype=torch.long)
        found[beta, over] = losses(model, batch)["sup_decode.loss_ce"].item()
    plain = found[0.0, "classes"]
    # n = 4: 1/4 against 1, 1, 1; their mean is 13/16. All samples are of the class.
    assert found[1.0, "classes"] / plain == pytest.approx(0.25 * 16 / 13, rel=1e-4)
    assert found[1.0, "samples"] == pytest.approx(plain, rel=1e-4)
