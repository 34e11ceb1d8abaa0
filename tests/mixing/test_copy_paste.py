"""Copy-paste on small grids, counted by hand."""

import pytest
import torch

from ssdet.mixing import box_pixels, class_mask, patch_mask, region_of, restrict


def boxes_of(*boxes):
    return torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)


def grid(*rows):
    return torch.tensor([[int(sign == "#") for sign in row] for row in rows], dtype=torch.bool)


def test_a_box_has_the_pixels_that_it_touches():
    rows, columns = box_pixels(boxes_of([0.5, 1, 2.5, 3]), (4, 5))
    assert rows.int().tolist() == [[0, 1, 1, 0]]
    assert columns.int().tolist() == [[1, 1, 1, 0, 0]]


def test_the_region_is_the_union():
    found = region_of(boxes_of([0, 0, 2, 1], [1, 0, 3, 2]), None, (3, 4))
    assert torch.equal(found, grid("###.", ".##.", "...."))
    masks = torch.stack([grid("#...", "....", "...."), grid("....", "...#", "....")])
    assert torch.equal(region_of(boxes_of(), masks, (3, 4)), masks[0] | masks[1])
    assert not region_of(boxes_of(), None, (3, 4)).any()


def test_masks_are_cut_and_boxes_follow():
    masks = torch.stack([
        grid("##..", "##..", "...."),  # its right half is covered
        grid("....", "....", "...#"),  # untouched
        grid("..#.", "..#.", "...."),  # wholly covered
    ])  # fmt: skip
    boxes = boxes_of([0, 0, 2, 2], [3.25, 2, 4, 3], [2, 0, 3, 2])
    covered = grid(".##.", ".##.", "....")
    share, cut, left = restrict(boxes, masks, ~covered)
    assert share.tolist() == [0.5, 1.0, 0.0]
    assert cut.tolist() == [[0, 0, 1, 2], [3.25, 2, 4, 3], [0, 0, 0, 0]]
    assert torch.equal(left[0], grid("#...", "#...", "...."))
    assert torch.equal(left[1], masks[1]) and not left[2].any()


def test_a_mask_with_a_hole_keeps_its_box():
    masks = grid("###", "###", "###")[None]
    share, cut, left = restrict(boxes_of([0, 0, 3, 3]), masks, ~grid("...", ".#.", "..."))
    assert share.item() == pytest.approx(8 / 9)
    assert cut.tolist() == [[0, 0, 3, 3]] and not left[0, 1, 1]


def test_boxes_without_masks_are_cut_where_a_whole_side_is_hidden():
    region = ~grid("..##", "..##", "..##", "....")
    boxes = boxes_of([0.5, 0, 4, 3], [0, 0, 4, 4], [2, 0, 4, 3], [0, 3, 2, 4])
    share, cut, masks = restrict(boxes, None, region)
    # 4x3 pixels are touched by the first, two columns of three are hidden; then 6 of 16, 6 of 6.
    assert share.tolist() == pytest.approx([6 / 12, 10 / 16, 0, 1])
    assert cut.tolist() == [[0.5, 0, 2, 3], [0, 0, 4, 4], [0, 0, 0, 0], [0, 3, 2, 4]]
    assert masks is None


def test_nothing_to_restrict():
    region = torch.ones(3, 4, dtype=torch.bool)
    share, cut, _ = restrict(boxes_of(), None, region)
    assert share.shape == (0,) and cut.shape == (0, 4)
    share, cut, masks = restrict(boxes_of(), torch.zeros(0, 3, 4), region)
    assert share.shape == (0,) and cut.shape == (0, 4) and masks.shape == (0, 3, 4)


def test_an_object_without_a_pixel_has_no_share():
    share, _, _ = restrict(boxes_of([0, 0, 2, 2]), torch.zeros(1, 3, 4), torch.ones(3, 4).bool())
    assert share.tolist() == [0]


@pytest.mark.parametrize("shape", [(256, 256), (21, 9), (10, 16)])
def test_the_patch_has_two_thirds_of_each_side(shape):
    for _ in range(5):
        mask = patch_mask(shape)
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert rows == 2 * shape[0] // 3 and columns == 2 * shape[1] // 3
        assert mask.sum() == rows * columns


def test_the_patch_reaches_every_border():
    torch.manual_seed(0)
    masks = torch.stack([patch_mask((6, 6)) for _ in range(60)])
    for edge in (masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]):
        assert 5 < edge.any(1).sum() < 55


def test_patches_in_a_grid_and_a_strip():
    mask = patch_mask((18, 27), kind="grid", parts=3)
    for row in range(3):
        for column in range(3):
            cell = mask[row * 6 : row * 6 + 6, column * 9 : column * 9 + 9]
            assert cell.sum() == 4 * 6
    strip = patch_mask((18, 27), kind="strip")
    assert strip.any(1).sum() == 8 and strip.all(1).sum() == 8  # 4/9 of 18 rows


def test_half_of_the_classes_and_never_what_is_not_valid():
    labels = torch.tensor([[0, 0, 1, 2], [0, 3, 4, 255]])
    valid = torch.tensor([[True, True, True, True], [True, True, False, False]])
    torch.manual_seed(0)
    seen = set()
    for _ in range(40):
        mask = class_mask(labels, valid)
        drawn = labels[mask].unique().tolist()
        assert len(drawn) == 2 and not mask[~valid].any()
        assert mask.sum() == sum((labels[valid] == k).sum() for k in drawn)
        seen |= set(drawn)
    assert seen == {0, 1, 2, 3}


def test_half_of_three_classes_is_two_and_of_one_is_one():
    labels = torch.tensor([[0, 1, 2, 2]])
    valid = torch.ones_like(labels, dtype=torch.bool)
    assert len(labels[class_mask(labels, valid)].unique()) == 2
    assert class_mask(labels * 0, valid).all()
    assert not class_mask(labels, ~valid).any()
    assert len(labels[class_mask(labels, valid, share=0.3)].unique()) == 1
