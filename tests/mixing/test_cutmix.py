"""Boxes and pasting of CutMix."""

import pytest
import torch

from ssdet.mixing import box_mask, paste, sample_box


@pytest.mark.parametrize("shape", [(64, 64), (40, 120), (97, 33)])
def test_boxes_lie_inside_and_keep_their_ranges(shape):
    height, width = shape
    shares, tall = [], 0
    for _ in range(400):
        x1, y1, x2, y2 = sample_box(shape)
        assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
        w, h = x2 - x1, y2 - y1
        # Sides are rounded down to whole pixels: before that each was less than one pixel longer.
        assert w * h <= 0.4 * height * width and (w + 1) * (h + 1) >= 0.02 * height * width
        assert h / (w + 1) * width / height <= 1 / 0.3 and (h + 1) / w * width / height >= 0.3
        shares.append(w * h / height / width)
        tall += h / height > w / width
    assert max(shares) > 0.3 and min(shares) < 0.06, "the whole range is drawn from"
    assert tall > 200, "tall boxes dominate: the aspect is uniform, not its logarithm"


def test_generator_decides_the_box():
    first = sample_box((50, 50), generator=torch.Generator().manual_seed(3))
    torch.rand(7)
    assert first == sample_box((50, 50), generator=torch.Generator().manual_seed(3))


def test_a_whole_image_is_the_only_box_of_share_one():
    assert sample_box((1, 1), (1.0, 1.0), (1.0, 1.0)) == (0, 0, 1, 1)


def test_impossible_boxes_are_refused_by_number():
    with pytest.raises(ValueError, match=r"\(0.9, 1.0\).*\(3.0, 4.0\).*32x32"):
        sample_box((32, 32), (0.9, 1.0), (3.0, 4.0))


def test_mask_and_paste():
    mask = box_mask([(1, 0, 3, 2), None], (3, 4))
    assert mask[0].int().tolist() == [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert not mask[1].any()
    own, partner = torch.zeros(2, 3, 3, 4), torch.ones(2, 3, 3, 4)
    mixed = paste(own, partner, mask)
    assert mixed.sum(dim=(1, 2, 3)).tolist() == [12.0, 0.0]
    assert torch.equal(paste(own, partner, torch.zeros_like(mask)), own)
    assert torch.equal(paste(own, partner, torch.ones_like(mask)), partner)
    assert torch.equal(paste(own[:, 0].long(), partner[:, 0].long(), mask), mask.long())
