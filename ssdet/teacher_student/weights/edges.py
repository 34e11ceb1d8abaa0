"""The head of PIDNet in MMSegmentation, which learns the borders of a label map, too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...losses.edges import label_edges
from .boxes import Mixin


class LabelEdges(Mixin):
    """PIDHead: the borders come from the labels where no pipeline drew them, as in pseudo labels.

    Attributes:
        edge_width: In pixels, as in the published configs.
    """

    edge_width = 4

    def _stack_batch_gt(self, batch_data_samples: list[Any]) -> tuple[Tensor, Tensor]:
        if all("gt_edge_map" in sample for sample in batch_data_samples):
            drawn: tuple[Tensor, Tensor] = super()._stack_batch_gt(batch_data_samples)
            return drawn
        labels = torch.stack([sample.gt_sem_seg.data for sample in batch_data_samples])
        edges = label_edges(labels[:, 0], self.edge_width, self.ignore_index)
        return labels, edges[:, None]
