"""A detector that gives every box a mask by a small network of its own (CondInst), as a graph."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.utils import aligned_bilinear
from torch import Tensor

from .onnx_graphs import BoxGraph, Levels, flat, priors_of

CANDIDATES = 300  # a mask for every box would not fit into memory
_NEAR = 1e-4  # scores this near to that of the last candidate may be of other boxes elsewhere


class MaskGraph(BoxGraph):
    """Its outputs are the boxes with the best scores, their scores, and their masks."""

    outputs: tuple[str, ...] = ("boxes", "scores", "masks")

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.mask_head = model.mask_head

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, K, 4), (B, K, classes), and (B, K, h, w) in [0, 1]; K is at most `CANDIDATES`."""
        features = self.model.extract_feat(self.normalized(image))
        outputs = self.head(features)
        boxes, scores = self.boxes_of(outputs)
        count = min(CANDIDATES, scores.shape[1])
        best = scores.amax(2).topk(count, dim=1).indices[..., None]
        networks = flat(outputs[3], self.head.num_params)
        places = torch.cat(priors_of(self.head, outputs[0], with_stride=True))[..., :3]
        places = places[None].expand(best.shape[0], -1, -1)
        masks = self._masks(
            self.mask_head.mask_feature_head(features), _rows(networks, best), _rows(places, best)
        )
        return _rows(boxes, best), _rows(scores, best), masks

    def _masks(self, features: Tensor, networks: Tensor, places: Tensor) -> Tensor:
        """The layers of each box's network over the features and the way to the box's center.

        Args:
            features: (B, C, h, w).
            networks: (B, K, numbers), all weights and then all biases.
            places: (B, K, 3), x and y of the center and the stride of the level.
        """
        head = self.mask_head
        height, width = features.shape[-2:]
        (pixels,) = _pixels(head, features)
        way = places[..., :2, None] - pixels.T
        way = way / (places[..., 2, None, None] * head.size_of_interest)
        sizes = [*head.weight_nums, *head.bias_nums]
        parts = networks.split(sizes, dim=2)
        weights, biases = parts[: head.num_layers], parts[head.num_layers :]
        common = features.flatten(2)[:, None]
        layer = weights[0].unflatten(2, (head.feat_channels, -1))
        # The features are the same for all boxes, so they are not copied for each of them.
        values = layer[..., :2] @ way + layer[..., 2:] @ common + biases[0][..., None]
        for weight, bias in zip(weights[1:], biases[1:], strict=True):
            layer = weight.unflatten(2, (-1, head.feat_channels))
            values = layer @ values.relu() + bias[..., None]
        masks = values.squeeze(2).unflatten(2, (height, width))
        factor = int(head.mask_feat_stride / head.mask_out_stride)
        return aligned_bilinear(masks, factor).sigmoid()

    def matched(
        self, found: list[Tensor], expected: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Pairs of the same box: which of two equal scores comes first is nobody's fault.

        The scores stay sorted and whole; boxes and masks are those that both must have chosen.
        """
        pairs: list[tuple[list[Tensor], list[Tensor]]] = []
        for ours, theirs in zip(zip(*found, strict=True), zip(*expected, strict=True), strict=True):
            rank = ours[1].amax(1)
            sure = rank > rank.min() + _NEAR if len(rank) == CANDIDATES else rank >= 0
            apart = torch.cdist(torch.cat(ours[:2], 1), torch.cat(theirs[:2], 1))
            partner = apart.argmin(1)[sure]
            pairs.append(
                ([ours[0][sure], rank, ours[2][sure]],
                 [theirs[0][partner], theirs[1].amax(1), theirs[2][partner]])
            )  # fmt: skip
        left, right = zip(*pairs, strict=True)
        return _joined(left), _joined(right)


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """Rows (B, K, C) of (B, N, C); the index is (B, K, 1)."""
    return values.gather(1, index.expand(-1, -1, values.shape[-1]))


def _pixels(head: Any, features: Tensor) -> Levels:
    """The places (h * w, 2) of a map of features, in pixels of the image."""
    return head.prior_generator.grid_priors([features.shape[-2:]], device=features.device)


def _joined(images: tuple[list[Tensor], ...]) -> list[Tensor]:
    return [torch.cat(parts) for parts in zip(*images, strict=True)]
