"""The type of pseudo boxes: defaults, one way to put them together, and laws that hold for all."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from ssdet.teacher_student.pseudo_boxes import (
    ALL_STAGES,
    AMBIGUOUS,
    FIELDS,
    HIGH,
    PseudoBoxes,
    Source,
    as_bitmaps,
)

from ..helpers import build_pair, sample

MODEL = build_pair(min_size=2.0, min_visible=0.3)
MIRROR = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]


def boxes(count=2, **fields):
    corners = torch.arange(4.0 * count).reshape(-1, 4) + torch.tensor([0.0, 0.0, 8.0, 8.0])
    return PseudoBoxes(bboxes=corners, labels=torch.arange(count), **fields)


@st.composite
def some_boxes(draw):
    """Boxes in an image of 64 pixels with any of the declared fields and one of their own."""
    count = draw(st.integers(0, 4))
    numbers = st.integers(0, 60)
    rows = draw(
        st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=count, max_size=count)
    )
    corners = torch.tensor([(x, y, x + w, y + h) for x, y, w, h in rows]).float().reshape(-1, 4)
    found = PseudoBoxes(bboxes=corners, labels=torch.arange(count))
    for name in draw(st.sets(st.sampled_from(sorted(FIELDS)))):
        like = FIELDS[name].fill(found)
        drawn = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
        found[name] = torch.tensor(drawn).to(like.dtype).reshape(like.shape)
    found.level = found.value("level")  # where boxes go is said by it
    found.own = torch.arange(count) * 7
    return found


def same(first, second):
    fields, others = dict(first.items()), dict(second.items())
    assert fields.keys() == others.keys()
    for name, value in fields.items():
        assert torch.equal(value, others[name]), name


def kept(part):
    return part.labels % 2 == 0


def transferred(part):
    view = MODEL.to_view(part, sample(), sample(homography=np.array(MIRROR)))
    return view.gt_instances, view.ignored_instances.bboxes


@settings(max_examples=60, deadline=None)
@given(st.lists(some_boxes(), min_size=1, max_size=3))
def test_putting_together_filtering_and_transferring_commute(parts):
    together = PseudoBoxes.cat(parts)
    same(together.split(kept(together))[0], PseudoBoxes.cat([p.split(kept(p))[0] for p in parts]))
    moved, regions = transferred(together)
    every = [transferred(part) for part in parts]
    same(moved, PseudoBoxes.cat([one for one, _ in every]))
    assert torch.equal(regions, torch.cat([each for _, each in every]))


@settings(max_examples=60, deadline=None)
@given(st.lists(some_boxes(), min_size=1, max_size=3))
def test_no_field_is_lost_and_none_is_invented(parts):
    together = PseudoBoxes.cat(parts)
    assert set(together.keys()) == set().union(*(part.keys() for part in parts))
    start = 0
    for part in parts:
        for name in together.keys():  # noqa: SIM118
            mine = together[name][start : start + len(part)]
            assert torch.equal(mine, part[name] if name in part else part.value(name))
        start += len(part)
    one, other = together.split(kept(together))
    assert set(one.keys()) == set(other.keys()) == set(together.keys())
    assert len(one) + len(other) == len(together)


def test_what_nobody_said_is_what_an_annotated_box_would_have():
    annotated = InstanceData(bboxes=torch.zeros(1, 4), labels=torch.zeros(1, dtype=torch.long))
    teacher = boxes(
        2,
        scores=torch.tensor([0.5, 0.6]),
        weight_cls=torch.tensor([0.5, 0.6]),
        level=torch.tensor([AMBIGUOUS, HIGH]),
        max_stage=torch.tensor([1, 2]),
        objectness=torch.tensor([0.1, 0.2]),
        in_box=torch.tensor([False, True]),
        source=torch.full((2,), Source.TEACHER),
    )
    found = PseudoBoxes.cat([teacher, annotated])
    assert found.scores.tolist() == pytest.approx([0.5, 0.6, 1.0])
    assert found.weight_cls.tolist() == pytest.approx([0.5, 0.6, 1.0])
    assert found.level.tolist() == [AMBIGUOUS, HIGH, HIGH]
    assert found.max_stage.tolist() == [1, 2, ALL_STAGES]
    assert found.objectness.tolist() == pytest.approx([0.1, 0.2, 1.0])
    assert found.in_box.tolist() == [False, True, True]
    assert found.source.tolist() == [Source.TEACHER, Source.TEACHER, Source.ANNOTATION]
    assert "weight_box" not in found and found.value("weight_box").tolist() == [1.0] * 3


def test_a_field_of_ones_own_needs_a_default_where_some_lack_it():
    with pytest.raises(ValueError, match=r"some boxes have 'age'.*declare\('age', default\)"):
        PseudoBoxes.cat([boxes(2, age=torch.tensor([3, 4])), boxes(1)])
    assert len(PseudoBoxes.cat([boxes(2, age=torch.tensor([3, 4])), boxes(0)]).age) == 2
    PseudoBoxes.declare("age", -1)
    try:
        found = PseudoBoxes.cat([boxes(1), boxes(2, age=torch.tensor([3, 4]))])
        assert found.age.tolist() == [-1, 3, 4]
    finally:
        del FIELDS["age"]


def test_a_field_of_another_length_is_refused():
    found = boxes(2)
    with pytest.raises(ValueError, match="'scores' has 3 entries for 2 boxes"):
        found.scores = torch.zeros(3)
    with pytest.raises(ValueError, match="'scores' has 1 entries for 0 boxes"):
        boxes(0).scores = torch.zeros(1)


def test_masks_go_together_or_not_at_all():
    masks = torch.ones(2, 8, 8, dtype=torch.bool)
    with pytest.raises(ValueError, match="some boxes have masks and others have none"):
        PseudoBoxes.cat([boxes(2, masks=masks), boxes(1)])
    drawn = [boxes(2, masks=as_bitmaps(masks)), boxes(1, masks=as_bitmaps(masks[:1]))]
    assert PseudoBoxes.cat(drawn).masks.masks.shape == (3, 8, 8)
    one, other = PseudoBoxes.cat(drawn).split(torch.tensor([True, False, True]))
    assert len(one.masks) == 2 and len(other.masks) == 1


def test_annotations_of_mmdetection_become_plain_tensors():
    corners = torch.tensor([[1.0, 2, 3, 4]])
    annotated = InstanceData(bboxes=HorizontalBoxes(corners), labels=torch.tensor([1]))
    found = PseudoBoxes.of(annotated, level=torch.tensor([AMBIGUOUS]))
    assert type(found.bboxes) is torch.Tensor and torch.equal(found.bboxes, corners)
    assert found.level.tolist() == [AMBIGUOUS] and "level" not in annotated


def test_exclusions_from_a_task_add_up():
    found = boxes(3)
    found.exclude_from_task("cls", torch.tensor([True, False, False]))
    found.exclude_from_task("cls", torch.tensor([False, False, True]))
    assert found.in_cls.tolist() == [False, True, False] and "in_box" not in found
    with pytest.raises(ValueError, match="task='mask' is not one of"):
        found.exclude_from_task("mask", torch.tensor([True] * 3))


def test_tensors_and_back():
    masks = torch.ones(2, 8, 8, dtype=torch.bool)
    found = boxes(2, scores=torch.tensor([0.5, 0.6]), masks=as_bitmaps(masks))
    back = PseudoBoxes.from_tensors(found.tensors())
    assert torch.equal(back.scores, found.scores)
    assert (back.masks.masks == found.masks.masks).all()


def test_a_copy_shares_nothing_and_takes_no_notes_along():
    found = boxes(2, scores=torch.tensor([0.5, 0.6], requires_grad=True))
    found.set_metainfo({"background_weight": 0.5})
    copy = found.detached()
    copy.bboxes[0, 0] = 99
    assert found.bboxes[0, 0] == 0 and not copy.scores.requires_grad
    assert "background_weight" not in copy
