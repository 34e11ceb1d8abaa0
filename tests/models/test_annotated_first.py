"""Which of two boxes a proposal learns, where one of them is annotated."""

import pytest
import torch
from mmengine.structures import InstanceData

from ssdet.models import AnnotatedFirstAssigner
from ssdet.teacher_student.pseudo_boxes import PseudoBoxes, Source

PLAIN = dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, match_low_quality=False)


def at(overlap):
    """A box of width 100 of which a shorter proposal beside x = 0 has this IoU."""
    return [0.0, 0.0, 100.0 * overlap, 100.0]


def assigned(annotated, pseudo, order=(0, 1), **more):
    """What a proposal of 100x100 is assigned to, which has these IoUs with both boxes."""
    boxes = torch.tensor([at(annotated), at(pseudo)])
    sources = torch.tensor([Source.ANNOTATION, Source.TEACHER])
    truth = PseudoBoxes(bboxes=boxes, labels=torch.tensor([4, 7]), source=sources)[list(order)]
    found = InstanceData(priors=torch.tensor([[0.0, 0.0, 100.0, 100.0]]))
    return AnnotatedFirstAssigner({**PLAIN, **more}).assign(found, truth)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("annotated", "pseudo", "label"), [(0.55, 0.9, 4), (0.4, 0.6, 7), (0.4, 0.45, None)]
)
def test_an_annotation_comes_first(annotated, pseudo, label, order):
    result = assigned(annotated, pseudo, order)
    assert result.num_gts == 2
    if label is None:
        assert result.gt_inds.tolist() == [0]
        return
    place = order.index(0 if label == 4 else 1)
    assert result.gt_inds.tolist() == [place + 1]
    assert result.labels.tolist() == [label]
    assert result.max_overlaps.tolist() == pytest.approx([annotated if label == 4 else pseudo])


def test_what_one_of_them_ignores_is_ignored_unless_the_other_takes_it():
    assert assigned(0.45, 0.1, neg_iou_thr=0.4).gt_inds.tolist() == [-1]
    assert assigned(0.45, 0.6, neg_iou_thr=0.4).gt_inds.tolist() == [2]


def test_boxes_of_one_kind_are_assigned_as_ever():
    truth = InstanceData(bboxes=torch.tensor([at(0.9)]), labels=torch.tensor([3]))
    found = InstanceData(priors=torch.tensor([[0.0, 0.0, 100.0, 100.0]]))
    assert AnnotatedFirstAssigner(PLAIN).assign(found, truth).labels.tolist() == [3]
