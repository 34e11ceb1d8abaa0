"""Prompts of a label map and the masks that come back, by hand."""

import pytest
import torch

from ssdet.thresholds import Acceptance, believed, components, repainted

SIZE = (64, 64)


def label_map(*rectangles):
    """Background 0 with (x1, y1, x2, y2, class)."""
    labels = torch.zeros(SIZE, dtype=torch.long)
    for x1, y1, x2, y2, label in rectangles:
        labels[y1:y2, x1:x2] = label
    return labels


def mask_of(*corners):
    return label_map((*corners, 1)).bool()


def found_in(labels, sure=None, **settings):
    sure = torch.ones(SIZE, dtype=torch.bool) if sure is None else sure
    return components(labels, sure, **{"background": 0, "min_area": 1, "most": 10, **settings})


def test_a_square_by_hand():
    """10 x 10 at (20, 30): 5 % are half a pixel, so 2 pixels; the core is in the middle."""
    (one,) = found_in(label_map((20, 30, 30, 40, 2)))
    assert one.label == 2 and one.mask.sum() == 100
    assert one.box == (18.0, 28.0, 32.0, 42.0)
    assert one.point in {(24, 34), (25, 34), (24, 35), (25, 35)}


def test_a_large_part_at_the_border_is_not_left():
    """60 pixels wide: 3 pixels more, but not outside of the image."""
    (one,) = found_in(label_map((0, 10, 60, 20, 1)))
    assert one.box == (0.0, 8.0, 63.0, 22.0)


def test_the_largest_parts_that_are_sure_and_large_enough():
    labels = label_map((0, 0, 4, 4, 1), (10, 0, 13, 3, 1), (20, 0, 22, 2, 1), (0, 20, 5, 25, 3))
    sure = torch.ones(SIZE, dtype=torch.bool)
    assert [int(one.mask.sum()) for one in found_in(labels, min_area=5)] == [16, 9, 25]
    assert [int(one.mask.sum()) for one in found_in(labels, most=1)] == [16, 25]
    sure[:, :2] = False
    assert [int(one.mask.sum()) for one in found_in(labels, sure, min_area=9)] == [9, 15]
    assert found_in(labels, torch.zeros_like(sure)) == []


def test_diagonal_neighbors_are_one_part():
    assert len(found_in(label_map((0, 0, 2, 2, 1), (2, 2, 4, 4, 1)))) == 1


PART = (20, 30, 30, 40)


def judge(mask, quality=0.9, labels=None, sure=None, **limits):
    labels = label_map((*PART, 1)) if labels is None else labels
    sure = torch.ones(SIZE, dtype=torch.bool) if sure is None else sure
    found = found_in(label_map((*PART, 1)))
    return believed(
        mask[None], torch.tensor([quality]), found, labels, sure, background=0,
        limits=Acceptance(**limits),
    ).item()  # fmt: skip


@pytest.mark.parametrize(
    ("corners", "quality", "expected"),
    [
        ((19, 30, 31, 40), 0.9, True),  # 12 x 10: IoU 100/120
        ((10, 30, 40, 40), 0.9, False),  # 30 x 10: .333
        ((20, 30, 40, 40), 0.9, True),  # 20 x 10: exactly one half
        ((20, 30, 30, 40), 0.79, False),
        ((20, 30, 20, 40), 0.9, False),  # nothing
    ],
)
def test_masks_that_fit(corners, quality, expected):
    assert judge(mask_of(*corners), quality) is expected


def test_a_mask_on_another_class_or_on_everything():
    """12 of 112 pixels are of class 3: more than 10 %; of 120, not."""
    labels = label_map((*PART, 1), (30, 30, 31, 42, 3))
    mask = mask_of(*PART) | mask_of(30, 30, 31, 42)
    assert judge(mask, labels=labels) is False
    assert judge(mask | mask_of(12, 30, 20, 31), labels=labels) is True
    unsure = torch.ones(SIZE, dtype=torch.bool)
    unsure[:, 30] = False
    assert judge(mask, labels=labels, sure=unsure) is True, "a guess is no objection"
    whole = torch.ones(SIZE, dtype=torch.bool)
    assert judge(whole, overlap=0.0) is False


def test_masks_take_the_place_of_their_parts():
    """The higher quality wins where two masks meet; what is left of a part becomes background."""
    labels = label_map((0, 0, 4, 1, 1), (6, 0, 10, 1, 2), (0, 5, 3, 6, 3))
    scores = torch.full(SIZE, 0.5)
    one, other = (part for part in found_in(labels) if part.label < 3)
    masks = torch.stack([mask_of(1, 0, 7, 1), mask_of(5, 0, 9, 1)])
    new, values, changed = repainted(
        labels, scores, [one, other], masks, torch.tensor([0.8, 0.9]), background=0
    )
    assert new[0, :11].tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 2, 0, 0]
    assert values[0, :11].tolist() == pytest.approx([0.5] + [0.8] * 4 + [0.9] * 4 + [0.5] * 2)
    assert changed[0, :11].tolist() == [
        True, False, False, False, True, True, False, False, False, True, False,
    ]  # fmt: skip
    assert torch.equal(new[5], labels[5]), "a part whose mask is not believed stays"


def test_nothing_is_asked_of_nothing():
    empty = torch.zeros(0, *SIZE, dtype=torch.bool)
    labels = label_map()
    kept = believed(
        empty, torch.zeros(0), [], labels, labels == 0, background=0, limits=Acceptance()
    )
    assert kept.shape == (0,)
    new, _, changed = repainted(labels, labels * 1.0, [], empty, torch.zeros(0), 0)
    assert torch.equal(new, labels) and not changed.any()
