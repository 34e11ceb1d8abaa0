"""Borders of label maps."""

import pytest
import torch
from mmseg.datasets.transforms import GenerateEdge

from ssdet.losses.edges import label_edges


def test_a_border_by_hand():
    """One pixel wide: below, left of and diagonally above another label; none at ignored ones."""
    labels = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 255]])[None]
    expected = [[1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 0, 0]]
    assert label_edges(labels, 1)[0].tolist() == expected


@pytest.mark.parametrize("width", [1, 3, 4])
def test_borders_are_those_of_mmsegmentation(width):
    torch.manual_seed(0)
    coarse = torch.randint(0, 4, (3, 6, 5))
    coarse[coarse == 3] = 255
    labels = coarse.repeat_interleave(5, 1).repeat_interleave(7, 2)
    found = label_edges(labels, width)
    for own, one in zip(found, labels, strict=True):
        results = dict(img_shape=tuple(one.shape), gt_seg_map=one.numpy())
        drawn = GenerateEdge(edge_width=width).transform(results)["gt_edge_map"]
        assert torch.equal(own, torch.as_tensor(drawn).long())
    assert found.any() and not found.all()
