"""Gaps in annotations: what the teacher fills, what is ignored, and what is left alone."""

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks

from ssdet.hooks import PartialLabelsHook
from ssdet.teacher_student.step import PixelLabels, Step, Views
from ssdet.teacher_student.weights.boxes import BACKGROUND, regions_of

from ...helpers import build_pair, instances, losses, multi_branch, pseudo, sample
from ...seg_helpers import build_seg, seg_sample

KNOWN, NEW, THIRD = [8.0, 8.0, 24.0, 24.0], [40.0, 40.0, 56.0, 56.0], [40.0, 8.0, 56.0, 24.0]


def filled(found, known=((KNOWN), (0,)), iteration=0, hook=None, **meta):
    """A labeled image after the hook; the teacher finds these boxes in it."""
    model = build_pair()
    model.label = lambda views, *_, **__: [found]
    hook = hook or PartialLabelsHook(score=0.5, ignore=0.2)
    model.attach(hook)
    one = sample(gt=instances([known[0]], list(known[1])))
    one.set_metainfo(meta)
    step = Step(model, iteration, sup=Views(torch.zeros(1, 3, 64, 64), [one]))
    hook.before_teacher(step)
    return step.sup.samples[0], one


def test_sure_boxes_are_learned_and_doubtful_ones_ignored():
    done, before = filled(pseudo([NEW, THIRD, [0, 0, 5, 5]], [0.8, 0.3, 0.1], [1, 1, 1]))
    assert done.gt_instances.bboxes.tolist() == [KNOWN, NEW]
    assert done.gt_instances.labels.tolist() == [0, 1]
    assert done.gt_instances.weight_cls.tolist() == pytest.approx([1.0, 0.8])
    assert regions_of(done).tolist() == [THIRD]
    assert len(before.gt_instances) == 1  # the sample of the data set is not changed


def test_an_annotation_comes_first():
    done, _ = filled(pseudo([KNOWN], [0.9], [2]))
    assert done.gt_instances.labels.tolist() == [0]
    assert regions_of(done) is None


def test_a_badly_placed_box_of_an_annotated_object_changes_nothing():
    """With an IoU of 1/3 it is neither another object nor a region around the annotated one."""
    for score in (0.95, 0.4):
        found = pseudo([[16.0, 8.0, 32.0, 24.0]], [score], [0])
        done, _ = filled(found, hook=PartialLabelsHook())
        assert done.gt_instances.bboxes.tolist() == [KNOWN] and regions_of(done) is None


def test_of_exhaustive_classes_nothing_is_missing():
    done, _ = filled(pseudo([NEW, THIRD], [0.9, 0.3], [0, 1]), exhaustive=(0,))
    assert done.gt_instances.bboxes.tolist() == [KNOWN]
    assert regions_of(done).tolist() == [THIRD]


def test_a_complete_image_is_left_alone():
    done, before = filled(pseudo([NEW], [0.9], [1]), exhaustive=(0, 1, 2))
    assert done is before


def test_before_the_teacher_the_background_weighs_less():
    hook = PartialLabelsHook(start=5, background=0.25)
    done, before = filled(pseudo([NEW], [0.9], [1]), hook=hook)
    assert done.gt_instances.get(BACKGROUND) == 0.25
    assert len(done.gt_instances) == 1 and before.gt_instances.get(BACKGROUND) is None
    done, before = filled(pseudo([NEW], [0.9], [1]), hook=PartialLabelsHook(start=5))
    assert done is before  # unless that is asked for, it counts as in any image


def test_masks_are_filled_too():
    model, hook = build_pair(), PartialLabelsHook()
    found = pseudo([NEW], [0.9], [1])
    found.masks = torch.zeros(1, 60, 64, dtype=torch.bool)
    found.masks[:, 40:56, 40:56] = True
    model.label = lambda views, *_, **__: [found]
    model.attach(hook)
    one = sample(gt=instances([KNOWN]))
    one.gt_instances.masks = BitmapMasks(np.zeros((1, 64, 64), np.uint8), 64, 64)
    step = Step(model, 0, sup=Views(torch.zeros(1, 3, 64, 64), [one]))
    hook.before_teacher(step)
    assert step.sup.samples[0].gt_instances.masks.masks.sum((1, 2)).tolist() == [0, 256]


def test_the_losses_ignore_what_is_doubtful():
    """The background loss of a region falls away; that of a filled box becomes one of an object."""
    torch.manual_seed(0)
    batch, found = multi_branch(sup=1, unsup=0), {}
    for score in (0.1, 0.3, 0.9):
        model = build_pair()
        torch.manual_seed(0)
        model.init_weights()
        model.label = lambda views, *_, s=score, **__: [pseudo([[0, 0, 64, 64]], [s], [1])]
        model.attach(PartialLabelsHook(score=0.5, ignore=0.2))
        found[score] = float(sum(losses(model, batch)["sup_loss_cls"]))
    assert found[0.3] < found[0.1]
    assert found[0.9] != found[0.1]


def test_unlabeled_pixels_are_filled_where_the_teacher_is_sure():
    model, hook = build_seg(), PartialLabelsHook(score=0.7, share=1)
    labels, scores = torch.tensor([[[1, 2, 3, 1]]]), torch.tensor([[[0.9, 0.9, 0.6, 0.9]]])
    valid = torch.ones_like(scores).bool()
    model.label = lambda views, *_, **__: PixelLabels(labels, scores, scores, valid)
    model.attach(hook)
    one = seg_sample((1, 4), gt=torch.tensor([[255, 0, 255, 255]]))
    one.set_metainfo(dict(exhaustive=()))
    step = Step(model, 0, sup=Views(torch.zeros(1, 3, 1, 4), [one]))
    hook.before_teacher(step)
    assert step.sup.samples[0].gt_sem_seg.data.tolist() == [[[1, 0, 255, 1]]]
    assert step.log["partial/filled"] == 0.5
    assert one.gt_sem_seg.data.tolist() == [[[255, 0, 255, 255]]]


def test_a_real_segmentor_fills_the_picture_and_not_its_padding():
    """Of 16 x 16 pixels the upper left 12 x 12 show the image, of half the size."""
    model, hook = build_seg(), PartialLabelsHook(score=0.0, share=1)
    model.attach(hook)
    gt = torch.full((16, 16), 255)
    gt[2, 3] = 2
    one = seg_sample((16, 16), homography=np.diag([2.0, 2.0, 1.0]), gt=gt)
    one.set_metainfo(dict(ori_shape=(6, 6)))
    step = Step(model, 0, sup=Views(torch.randn(1, 3, 16, 16), [one]))
    hook.before_teacher(step)
    filled = step.sup.samples[0].gt_sem_seg.data[0]
    assert (filled[:12, :12] < 4).all() and filled[2, 3] == 2
    assert (filled[12:] == 255).all() and (filled[:, 12:] == 255).all()


def test_filled_pixels_are_no_more_than_their_share():
    """Three annotated pixels in 16 x 16, and one of them in four is the teacher's."""
    model, hook = build_seg(), PartialLabelsHook(score=0.0, share=0.25)
    model.attach(hook)
    found = set()
    for iteration in range(3):
        gt = torch.full((16, 16), 255)
        gt[0, :3] = 1
        views = Views(torch.randn(1, 3, 16, 16), [seg_sample((16, 16), gt=gt)])
        step = Step(model, iteration, sup=views)
        hook.before_teacher(step)
        filled = step.sup.samples[0].gt_sem_seg.data[0]
        filled[0, :3] = 255
        assert (filled != 255).sum() == 1
        found.add(int((filled != 255).flatten().nonzero()))
    assert len(found) > 1  # another one each time


def test_a_class_that_is_labeled_everywhere_is_not_filled():
    model, hook = build_seg(), PartialLabelsHook(score=0.7, share=1)
    labels, scores = torch.tensor([[[1, 2]]]), torch.full((1, 1, 2), 0.9)
    model.label = lambda views, *_, **__: PixelLabels(labels, scores, scores, scores > 0)
    model.attach(hook)
    one = seg_sample((1, 2), gt=torch.tensor([[255, 255]]), exhaustive=(1,))
    step = Step(model, 0, sup=Views(torch.zeros(1, 3, 1, 2), [one]))
    hook.before_teacher(step)
    assert step.sup.samples[0].gt_sem_seg.data.tolist() == [[[255, 2]]]
