"""Boundaries of label maps, beside a Sobel filter on the one-hot code."""

import pytest
import torch
import torch.nn.functional as F

from ssdet.losses.boundaries import boundary_map, boundary_weights, label_boundaries


def sobel(labels, classes):
    """sum_c |gradient| > 0, with the border continued."""
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    kernels = torch.stack([kernel, kernel.T])[:, None]
    maps = F.one_hot(labels, classes).movedim(-1, 1).float().flatten(0, 1)[:, None]
    gradient = F.conv2d(F.pad(maps, (1, 1, 1, 1), mode="replicate"), kernels)
    energy = gradient.square().sum(1).sqrt()
    return energy.view(len(labels), classes, *labels.shape[1:]).sum(1) > 0


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_it_is_the_sobel_filter_on_the_one_hot_code(classes):
    noise = torch.randint(classes, (40, 6, 7))
    blocks = torch.randint(classes, (8, 4, 4)).repeat_interleave(3, 1).repeat_interleave(3, 2)
    for labels in (noise, blocks):
        assert torch.equal(label_boundaries(labels), sobel(labels, classes))


def test_two_halves():
    labels = torch.zeros(1, 4, 6, dtype=torch.long)
    labels[..., 3:] = 1
    assert label_boundaries(labels)[0].nonzero()[:, 1].unique().tolist() == [2, 3]
    assert label_boundaries(labels, width=1)[0].nonzero()[:, 1].unique().tolist() == [1, 2, 3, 4]


def test_a_constant_map_has_no_boundary_not_even_at_the_border_of_the_image():
    assert not label_boundaries(torch.full((2, 5, 5), 3)).any()


def test_ignored_pixels_neither_have_nor_make_boundaries():
    labels = torch.full((1, 5, 6), 2)
    labels[..., 4:] = 255  # padding
    assert not label_boundaries(labels).any()
    labels[..., :2] = 1
    found = label_boundaries(labels)[0]
    assert found[:, 1:3].all() and found.sum() == 10
    labels[..., 3:] = 255
    assert not label_boundaries(labels, width=2)[0][:, 3:].any(), "nor are they in the band"


def test_weights_of_a_second_mean():
    """sum(l (w + 0.5 w_b)) / 10 is the weighted mean plus half the mean over the boundary."""
    losses = torch.tensor([[[1.0, 2.0, 4.0, 8.0]]])
    weights = torch.tensor([[[0.5, 0.0, 1.0, 1.0]]])
    valid = torch.tensor([[[True, True, True, False]]])
    boundary = torch.tensor([[[True, True, True, True]]])
    added = boundary_weights(weights, boundary, valid, per=torch.tensor(10.0))
    assert added.tolist() == [[[5, 0, 5, 0]]]
    assert (losses * added).sum() / 10 == (1 + 4) / 2
    nothing = boundary_weights(weights, ~boundary, valid, per=torch.tensor(10.0))
    assert not nothing.any()


def test_weights_of_a_predicted_boundary_by_hand():
    """|8 * 1| in the center and |-1| around it; their mean is 16 / 9, and that of the weights 3."""
    mask = torch.zeros(1, 3, 3)
    mask[0, 1, 1] = 1.0
    found = boundary_map(mask)
    expected = torch.full((3, 3), 1.6875)
    expected[1, 1] = 13.5
    torch.testing.assert_close(found[0], expected)
    assert found.sum().item() == pytest.approx(27)
    torch.testing.assert_close(boundary_map(mask, factor=1.0), found / 3)


def test_the_border_is_no_boundary_and_a_constant_mask_weighs_nothing():
    half = torch.zeros(2, 4, 6)
    half[0, :, 3:] = 1.0
    half[1] = 0.7
    found = boundary_map(half)
    assert found[0, :, [0, 1, 4, 5]].abs().max() < 1e-5
    torch.testing.assert_close(found[0, :, 2:4], torch.full((4, 2), 9.0))
    assert found[1].abs().max() == 0
