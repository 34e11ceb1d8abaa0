"""Copy-paste of objects between images, on small pictures whose pixels say where they come from."""

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from ssdet.hooks import CopyPasteHook, StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import HIGH, LOW
from ssdet.teacher_student.step import Step, Views

from ...helpers import build_pair, instances, losses, multi_branch, pseudo, sample, total

SIZE = (6, 8)
NAME = "unsup_student"
LABELED, UNLABELED = 1.0, 2.0


def masks_of(boxes, notch=None):
    """Full boxes as masks; `notch` (row, column) is taken out of all of them."""
    masks = np.zeros((len(boxes), *SIZE), dtype=np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = 1
        if notch:
            mask[notch] = 0
    return BitmapMasks(masks, *SIZE)


def step_of(sup, unsup, masks=True, shape=SIZE, notch=None, batch=1):
    """A step whose labeled images show 1 and whose strong views show 2 everywhere."""
    step = Step(None, 0)
    labeled, targets = [], []
    for _ in range(batch):
        gt = instances(sup, [1] * len(sup))
        found = pseudo(unsup, [0.9] * len(unsup), [0] * len(unsup))
        found.weight_cls *= 0.5
        if masks:
            gt.masks, found.masks = masks_of(sup, notch), masks_of(unsup)
        labeled.append(sample(shape, gt=gt))
        targets.append(sample(SIZE, gt=found))
        targets[-1].ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
    step.sup = Views(torch.full((batch, 3, *SIZE), LABELED), labeled)
    step.strong[NAME] = Views(torch.full((batch, 3, *SIZE), UNLABELED), [sample(SIZE)] * batch)
    step.targets[NAME] = targets
    return step


def pasted(step, mode="labeled_to_unlabeled", **settings):
    CopyPasteHook(mode, prob=1.0, **settings).before_student(step)
    return step.strong[NAME].inputs, step.targets[NAME][0].gt_instances


def test_an_object_with_a_mask_covers_what_lies_below():
    # The pasted object has rows 0-3 and columns 2-5 without pixel (1, 3); the one below loses two
    # of its four columns, and shows through the notch.
    step = step_of([[2, 0, 6, 4]], [[0, 0, 4, 4], [6, 4, 8, 6]], notch=(1, 3))
    inputs, found = pasted(step)
    expected = torch.full(SIZE, UNLABELED)
    expected[0:4, 2:6] = LABELED
    expected[1, 3] = UNLABELED
    assert torch.equal(inputs[0, 0], expected)
    assert found.bboxes.tolist() == [[0, 0, 4, 4], [6, 4, 8, 6], [2, 0, 6, 4]]
    assert found.labels.tolist() == [0, 0, 1]
    assert found.weight_cls.tolist() == [0.5, 0.5, 1] and found.weight_box.tolist() == [1, 1, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.9, 1]) and (found.level == HIGH).all()
    shown = found.masks.masks.astype(bool)
    assert shown[0].sum() == 4 * 2 + 1 and shown[0][1, 3]
    assert np.array_equal(shown[2], expected.numpy() == LABELED)
    assert not (shown[0] & shown[2]).any(), "masks of one image never overlap"
    assert found.masks.masks.shape == (3, *SIZE)
    assert step.log["copy_paste/objects"] == 1 and step.log["copy_paste/hidden"] == 0


def test_the_box_of_a_cut_mask_is_tight_around_the_rest():
    _, found = pasted(step_of([[2, 0, 6, 4]], [[0, 0, 4, 4]]))
    assert found.bboxes.tolist() == [[0, 0, 2, 4], [2, 0, 6, 4]]
    assert found.masks.masks[0].sum() == 8


def test_boxes_alone_are_cut_by_a_stated_rule():
    step = step_of([[2, 0, 6, 4]], [[0, 0, 4, 4], [0, 0, 8, 6]], masks=False)
    inputs, found = pasted(step)
    assert (inputs[0, 0] == LABELED).sum() == 16
    # The right half of the first is hidden; of the second only the middle: its box stays.
    assert found.bboxes.tolist() == [[0, 0, 2, 4], [0, 0, 8, 6], [2, 0, 6, 4]]
    assert "masks" not in found


@pytest.mark.parametrize("masks", [True, False])
def test_objects_that_are_hidden_too_much_are_gone(masks):
    below = [[2, 0, 4, 5], [0, 0, 4, 4]]  # 2 of 10 pixels are left, and 8 of 16
    step = step_of([[2, 0, 6, 4]], below, masks=masks)
    _, found = pasted(step)
    assert found.bboxes.tolist() == [[0, 0, 2, 4], [2, 0, 6, 4]]
    assert step.log["copy_paste/hidden"] == 1
    _, found = pasted(step_of([[2, 0, 6, 4]], below, masks=masks), min_visible=0.2)
    assert found.bboxes.tolist() == [[2, 4, 4, 5], [0, 0, 2, 4], [2, 0, 6, 4]]


def test_a_pasted_box_brings_along_what_lies_inside_of_it():
    """With one object drawn, the other comes by half, as its left half lies in the pasted box."""
    torch.manual_seed(0)
    seen = set()
    for _ in range(12):
        step = step_of([[0, 0, 4, 4], [2, 0, 6, 2]], [], masks=False)
        _, found = pasted(step, max_objects=1)
        seen.add(tuple(map(tuple, found.bboxes.int().tolist())))
    # Of the first box 4 of 16 pixels lie in the second: not enough to come along.
    assert seen == {((0, 0, 4, 4), (2, 0, 4, 2)), ((2, 0, 6, 2),)}


def test_regions_to_ignore_are_cut_and_hidden_too():
    step = step_of([[2, 0, 6, 4]], [[0, 4, 2, 6]])
    regions = torch.tensor([[0.0, 0, 4, 4], [3, 1, 5, 3]])
    step.targets[NAME][0].ignored_instances = InstanceData(bboxes=regions)
    pasted(step)
    assert step.targets[NAME][0].ignored_instances.bboxes.tolist() == [[0, 0, 2, 4]]


def test_a_pasted_region_brings_along_what_is_unsure_in_it():
    step = step_of([[2, 0, 6, 4]], [], masks=False)
    regions = torch.tensor([[3.0, 0, 5, 2], [5, 0, 8, 6], [6, 4, 8, 6]])
    step.sup.samples[0].ignored_instances = InstanceData(bboxes=regions)
    pasted(step)
    # Of the second, 4 of 18 pixels are pasted: less than min_visible.
    assert step.targets[NAME][0].ignored_instances.bboxes.tolist() == [[3, 0, 5, 2]]


def test_what_lies_in_the_padding_of_either_image_is_not_pasted():
    step = step_of([[4, 0, 8, 4]], [[0, 0, 2, 2]], masks=False, shape=(6, 6))
    inputs, found = pasted(step)
    assert found.bboxes.tolist() == [[0, 0, 2, 2], [4, 0, 6, 4]]
    assert (inputs[0, 0] == LABELED).sum() == 8
    step = step_of([[4, 0, 8, 4]], [[0, 0, 2, 2]], masks=False, shape=(6, 5))
    inputs, found = pasted(step)  # a quarter is left: less than min_visible
    assert len(found) == 1 and (inputs == UNLABELED).all()


def test_frames_of_different_size():
    step = step_of([[0, 0, 4, 4]], [[6, 4, 8, 6]], masks=False)
    step.sup.inputs = torch.full((1, 3, 12, 4), LABELED)
    inputs, found = pasted(step)
    assert (inputs[0, 0] == LABELED).sum() == 16 and len(found) == 2


def test_both_directions_read_the_images_as_they_were():
    step = step_of([[0, 0, 4, 4]], [[4, 2, 8, 6]])
    pasted(step, "bidirectional")
    strong, sup = step.targets[NAME][0].gt_instances, step.sup.samples[0].gt_instances
    assert strong.bboxes.tolist() == [[4, 2, 8, 6], [0, 0, 4, 4]]
    assert sup.bboxes.tolist() == [[0, 0, 4, 4], [4, 2, 8, 6]]
    assert sup.labels.tolist() == [1, 0] and sup.weight_cls.tolist() == [1, 0.5]
    assert (step.sup.inputs[0, 0] == UNLABELED).sum() == 16
    assert (step.strong[NAME].inputs[0, 0] == LABELED).sum() == 16


def test_to_labeled_images_alone():
    step = step_of([[0, 0, 4, 4]], [[4, 2, 8, 6]])
    inputs, found = pasted(step, "unlabeled_to_labeled")
    assert (inputs == UNLABELED).all() and len(found) == 1
    assert len(step.sup.samples[0].gt_instances) == 2


def test_between_unlabeled_images():
    step = step_of([], [[0, 0, 4, 4]], batch=2)
    step.targets[NAME][1].gt_instances = instances([])
    step.targets[NAME][1].gt_instances.masks = masks_of([])
    pasted(step, "unlabeled")
    assert [len(t.gt_instances) for t in step.targets[NAME]] == [1, 1]
    assert step.targets[NAME][1].gt_instances.weight_cls.tolist() == [0.5]
    alone = step_of([], [[0, 0, 4, 4]])
    pasted(alone, "unlabeled")
    assert len(alone.targets[NAME][0].gt_instances) == 1


def test_the_samples_of_the_batch_stay_as_they_came():
    step = step_of([[2, 0, 6, 4]], [[0, 0, 4, 4]])
    before, labeled = step.targets[NAME][0], step.sup
    pasted(step)
    assert before.gt_instances.bboxes.tolist() == [[0, 0, 4, 4]]
    assert step.sup is labeled and len(labeled.samples[0].gt_instances) == 1


def test_sets_of_the_tasks_and_fields_of_other_hooks():
    step = step_of([[2, 0, 6, 4]], [[0, 0, 2, 4], [6, 4, 8, 6]])
    below = step.targets[NAME][0].gt_instances
    below.in_cls, below.spread = torch.tensor([True, False]), torch.zeros(2)
    below.max_stage = torch.tensor([3, 1])
    _, found = pasted(step)
    assert found.in_cls.tolist() == [True, False, True]
    assert found.max_stage[:2].tolist() == [3, 1] and found.max_stage[2] > 100
    assert found.spread.tolist() == [0, 0, 0]


def test_what_a_task_does_not_learn_weighs_nothing_in_labeled_images():
    """The labeled pass knows no sets: a box that jitter moved is no target there either."""
    step = step_of([[0, 0, 2, 2]], [[4, 2, 8, 6], [0, 4, 3, 6]])
    found = step.targets[NAME][0].gt_instances
    found.in_box, found.in_cls = torch.tensor([False, True]), torch.tensor([True, False])
    found.in_rpn = torch.tensor([True, True])
    torch.manual_seed(0)
    while len(step.sup.samples[0].gt_instances) < 3:  # one or two are drawn
        step.sup = step_of([[0, 0, 2, 2]], []).sup
        pasted(step, "unlabeled_to_labeled")
    sup = step.sup.samples[0].gt_instances
    assert sup.bboxes.tolist() == [[0, 0, 2, 2], [4, 2, 8, 6], [0, 4, 3, 6]]
    assert sup.weight_cls.tolist() == [1, 0.5, 0] and sup.weight_box.tolist() == [1, 0, 1]
    assert "in_box" not in sup and found.in_box.tolist() == [False, True]


def test_probability_zero_changes_nothing():
    step = step_of([[2, 0, 6, 4]], [[0, 0, 4, 4]])
    CopyPasteHook("bidirectional", prob=0.0).before_student(step)
    assert (step.strong[NAME].inputs == UNLABELED).all() and len(step.log) == 0


@pytest.mark.parametrize("mode", ["labeled_to_unlabeled", "bidirectional", "unlabeled"])
def test_in_a_step_with_empty_pseudo_labels_ignore_regions_and_two_views(mode):
    class Nothing(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            low = pseudo([[0, 0, 30, 30]], [0.2])
            low.level[:] = LOW
            step.pseudo[:] = [pseudo([], []), low]

    model = build_pair()
    model.attach(Nothing())
    model.attach(CopyPasteHook(mode, prob=1.0))
    found = losses(model, multi_branch(views=2))
    assert torch.isfinite(total(found))
    empty = found["pseudo/empty_batch"]
    assert empty == (2 if mode == "unlabeled" else 0), "pasted objects are something to learn"


def test_labeled_images_are_needed():
    model = build_pair()
    model.attach(CopyPasteHook())
    with pytest.raises(ValueError, match="needs labeled images in each batch"):
        losses(model, multi_branch(sup=0))


def test_masks_below_need_masks_above():
    step = step_of([[2, 0, 6, 4]], [[0, 0, 4, 4]])
    del step.sup.samples[0].gt_instances.masks
    with pytest.raises(ValueError, match="those to paste have none"):
        pasted(step)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(mode="sideways"), "CopyPasteHook: mode='sideways' is not one of"),
        (dict(prob=2), "CopyPasteHook: prob=2 is not in"),
        (dict(max_objects=0), "CopyPasteHook: max_objects=0 is not in"),
        (dict(min_visible=-1), "CopyPasteHook: min_visible=-1"),
        (dict(side=1.5), "CopyPasteHook: side=1.5"),
        (dict(patch="round"), "CopyPasteHook: patch='round' is not one of"),
        (dict(parts=0), "CopyPasteHook: parts=0"),
        (dict(alpha=-1), "CopyPasteHook: alpha=-1"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        CopyPasteHook(**settings)


def test_a_detector_has_no_use_for_settings_of_regions():
    with pytest.raises(ValueError, match="side, alpha is not for a TeacherStudentDetector"):
        build_pair().attach(CopyPasteHook("bidirectional", side=0.5, alpha=1.0))
