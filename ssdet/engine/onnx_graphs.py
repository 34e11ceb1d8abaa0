"""Plain detectors and segmentors as graphs without lists, loops and post-processing, for ONNX.

A graph takes images as OpenCV reads them, (B, 3, H, W) in BGR from 0 to 255, and normalizes them
itself. What a head of MMDetection does after its layers (`predict_by_feat`) cannot be exported, so
boxes are decoded here: all of them, without a threshold and without suppression. Of a detector
with masks only those with the best scores, since a mask for every box would not fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..exits import UsageError

Levels = Sequence[Tensor]  # one map (B, C, H, W) for each level of the pyramid


class Normalized(nn.Module):
    """The first nodes of a graph: what the data preprocessor does to pixels."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        preprocessor = model.data_preprocessor
        self.swaps = bool(getattr(preprocessor, "_channel_conversion", False))
        self.normalizes = bool(getattr(preprocessor, "_enable_normalize", False))
        if self.normalizes:
            self.mean, self.std = preprocessor.mean.clone(), preprocessor.std.clone()

    def normalized(self, image: Tensor) -> Tensor:
        """What the backbone sees."""
        image = image.flip(1) if self.swaps else image
        return (image - self.mean) / self.std if self.normalizes else image

    def matched(
        self, found: list[Tensor], expected: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Outputs of a file and of the graph, ready to be compared number by number."""
        return found, expected


class PixelGraph(Normalized):
    """A segmentor; its output are the logits of all classes in the size of the image."""

    outputs = ("logits",)

    def forward(self, image: Tensor) -> Tensor:
        """(B, classes, H, W)."""
        metas = [{"img_shape": tuple(image.shape[2:])}]
        return self.model.encode_decode(self.normalized(image), metas)


class BoxGraph(Normalized):
    """A detector of one stage; its outputs are all its boxes, and their scores for each class."""

    outputs: tuple[str, ...] = ("boxes", "scores")

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.head = model.bbox_head
        self.decode, self.has_factor = DECODERS[type(self.head).__name__]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, N, 4) as x1, y1, x2, y2 in pixels of the input, and (B, N, classes) in [0, 1]."""
        return self.boxes_of(self.head(self.model.extract_feat(self.normalized(image))))

    def boxes_of(self, outputs: Sequence[Levels]) -> tuple[Tensor, Tensor]:
        """All boxes and scores that the outputs of the head mean."""
        classes, regression = outputs[:2]
        scores = flat(classes, self.head.cls_out_channels).sigmoid()
        if self.has_factor:  # centerness or objectness
            scores = scores * flat(outputs[2], 1).sigmoid()
        return self.decode(self.head, regression), scores


def graph_of(model: Any) -> PixelGraph | BoxGraph:
    """The graph of a plain model; an error names what can be exported."""
    from .onnx_masks import MaskGraph

    head = getattr(model, "bbox_head", None) or getattr(model, "decode_head", None)
    name = type(head).__name__
    if isinstance(head, nn.Module) and not hasattr(model, "roi_head"):
        if name in DECODERS and getattr(head, "use_sigmoid_cls", True):
            return MaskGraph(model) if name in MASK_HEADS else BoxGraph(model)
        if name in PIXEL_HEADS and type(model).__name__ == "EncoderDecoder":
            return PixelGraph(model)
    what = f"{type(model).__name__} with {name}" if head is not None else type(model).__name__
    raise UsageError(
        f"--onnx: {what} cannot be exported yet. Known to work are detectors with one of the heads "
        f"{', '.join(DECODERS)}, and EncoderDecoder with {', '.join(PIXEL_HEADS)}"
    )


def flat(maps: Levels, channels: int) -> Tensor:
    """(B, N, channels) of all levels, in the order of the priors."""
    parts = [level.permute(0, 2, 3, 1).flatten(1, 2) for level in maps]
    return torch.cat([part.reshape(part.shape[0], -1, channels) for part in parts], 1)


def priors_of(head: Any, maps: Levels, **options: Any) -> list[Tensor]:
    """The anchors or points of each level."""
    sizes = [level.shape[-2:] for level in maps]
    return head.prior_generator.grid_priors(sizes, device=maps[0].device, **options)


def _with_coder(head: Any, priors: Tensor, regression: Tensor) -> Tensor:
    """What the head's coder makes of it; it knows no batch."""
    count = regression.shape[0]
    many = priors[None].expand(count, -1, -1).reshape(-1, priors.shape[-1])
    boxes = head.bbox_coder.decode(many, regression.reshape(-1, 4))
    return boxes.reshape(count, -1, 4)


def _anchors(head: Any, maps: Levels) -> Tensor:
    return _with_coder(head, torch.cat(priors_of(head, maps)), flat(maps, 4))


def _distributions(head: Any, maps: Levels) -> Tensor:
    """GFL: the mean of a distribution for each side, in units of the stride."""
    strides = [stride[0] for stride in head.prior_generator.strides]
    sides = [
        head.integral(flat([level], 4 * (head.reg_max + 1)).flatten(0, 1)).reshape(
            level.shape[0], -1, 4
        )
        * stride
        for level, stride in zip(maps, strides, strict=True)
    ]
    centers = head.anchor_center(torch.cat(priors_of(head, maps)))
    return _with_coder(head, centers, torch.cat(sides, 1))


def _centers_and_sides(head: Any, maps: Levels) -> Tensor:
    """YOLOX: shifts and logarithms of sides in units of the stride."""
    priors = torch.cat(priors_of(head, maps, with_stride=True))
    return head._bbox_decode(priors, flat(maps, 4))


# How a head's regression becomes boxes, and whether scores are multiplied by a third output.
DECODERS: dict[str, tuple[Callable[[Any, Levels], Tensor], bool]] = {
    "ATSSHead": (_anchors, True),
    "CondInstBboxHead": (_anchors, True),
    "FCOSHead": (_anchors, True),
    "GFLHead": (_distributions, False),
    "RetinaHead": (_anchors, False),
    "RTMDetHead": (_anchors, False),
    "RTMDetSepBNHead": (_anchors, False),
    "YOLOXHead": (_centers_and_sides, True),
}
MASK_HEADS = ("CondInstBboxHead",)
PIXEL_HEADS = ("ASPPHead", "DepthwiseSeparableASPPHead", "FCNHead", "PSPHead", "SegformerHead")
