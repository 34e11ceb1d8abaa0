"""Raw outputs of detector heads, before boxes are selected: maps, queries, regions."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from mmdet.models.dense_heads import YOLOXHead
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from .heads import box_forward
from .recording import changed_results
from .step import Views


@dataclass(frozen=True)
class DenseOutputs:
    """Maps of a dense head, one for each level (B, channels, H, W).

    Attributes:
        cls: Logits of the classes, A * K channels (anchor first).
        box: What the box coder of the head decodes, A * 4 channels (or a distribution for each
            side). Distances to the sides are in pixels, whether the head was training or not.
        quality: Logits of centerness or objectness (B, A, H, W), or None.
        head: The head that made them.
    """

    cls: list[Tensor]
    box: list[Tensor]
    quality: list[Tensor] | None
    head: Any

    @classmethod
    def of(cls, head: Any, found: Sequence[Any]) -> DenseOutputs:
        """Build it from what a dense head of MMDetection returned."""
        scores, boxes = (list(each) for each in found[:2])
        if getattr(head, "norm_on_bbox", False) and head.training:
            # FCOS multiplies by the stride in eval mode alone.
            boxes = [one * own for one, own in zip(boxes, _strides(head), strict=True)]
        return cls(scores, boxes, list(found[2]) if len(found) > 2 else None, head)

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels per cell of each level."""
        return _strides(self.head)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of the maps."""
        return [(one.shape[-2], one.shape[-1]) for one in self.cls]

    def cut(self, sizes: Sequence[tuple[int, int]]) -> DenseOutputs:
        """The upper left part of the maps: without padding at the bottom and the right."""

        def part(maps: list[Tensor]) -> list[Tensor]:
            return [one[..., :h, :w] for one, (h, w) in zip(maps, sizes, strict=True)]

        quality = None if self.quality is None else part(self.quality)
        return DenseOutputs(part(self.cls), part(self.box), quality, self.head)

    def flatten(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Classes (B, P, K), boxes (B, P, D) and quality (B, P), in the order of `priors`."""
        anchors = getattr(self.head, "num_base_priors", 1)  # YOLOX does not have it
        quality = None if self.quality is None else _rows(self.quality, anchors)[..., 0]
        return _rows(self.cls, anchors), _rows(self.box, anchors), quality

    def priors(self) -> Tensor:
        """Anchors (P, 4) or points with their strides (P, 4), levels one after the other."""
        generator, device = self.head.prior_generator, self.cls[0].device
        points = "with_stride" in inspect.signature(generator.grid_priors).parameters
        more = {"with_stride": True} if points else {}
        levels = generator.grid_priors(self.sizes, device=device, **more)
        return torch.cat([get_box_tensor(level) for level in levels])

    def centers(self) -> Tensor:
        """Centers (P, 2) of the priors."""
        priors, offset = self.priors(), getattr(self.head.prior_generator, "offset", None)
        if offset is None:  # anchors
            return (priors[:, :2] + priors[:, 2:]) / 2
        return priors[:, :2] + (0.5 - offset) * priors[:, 2:]

    def levels(self) -> Tensor:
        """The number of the level of each prior (P,)."""
        anchors = getattr(self.head, "num_base_priors", 1)
        counts = torch.tensor([height * width * anchors for height, width in self.sizes])
        return torch.arange(len(counts)).repeat_interleave(counts).to(self.cls[0].device)

    def decoded(self) -> Tensor:
        """Boxes (B, P, 4) as corners in the frame of the view, not clipped."""
        raw, head = self.flatten()[1].float(), self.head
        if isinstance(head, YOLOXHead):
            return head._bbox_decode(self.priors(), raw)  # type: ignore[no-any-return]
        priors = self.priors()
        if hasattr(head, "integral"):  # GFL: a distribution for each side, in strides
            stride = raw.new_tensor(self.strides)[self.levels()]
            raw = head.integral(raw).view(*raw.shape[:2], 4) * stride[:, None]
            priors = self.centers()
        elif hasattr(head.prior_generator, "offset"):
            priors = priors[:, :2]
        return torch.stack([get_box_tensor(head.bbox_coder.decode(priors, one)) for one in raw])

    def inside(self, samples: Sequence[Any]) -> Tensor:
        """Which priors (B, P) have their center in the image, not in the padding."""
        x, y = self.centers().unbind(-1)
        shapes = [sample.metainfo["img_shape"] for sample in samples]
        return torch.stack([(x < width) & (y < height) for height, width, *_ in shapes])


@dataclass(frozen=True)
class QueryOutputs:
    """Predictions of a DETR for its queries in each decoder layer, without denoising queries.

    Attributes:
        cls: Logits (L, B, Q, K).
        box: Boxes (L, B, Q, 4), center and size as shares of the image.
        hidden: Input of the head (L, B, Q, D).
    """

    cls: Tensor
    box: Tensor
    hidden: Tensor

    @classmethod
    def of(cls, detector: Any, hidden: Tensor, found: Sequence[Tensor]) -> QueryOutputs:
        """Build it from the head of a DETR; the matching queries are the last ones."""
        count = detector.num_queries
        return cls(found[0][:, :, -count:], found[1][:, :, -count:], hidden[:, :, -count:])


@dataclass(frozen=True)
class RegionOutputs:
    """Outputs of a two-stage detector: RPN maps, proposals, and predictions for any boxes.

    Attributes:
        rpn: Maps of the RPN.
        proposals: Of each image, if the pass made any.
        features: The levels that the RoI head uses.
        roi_head: The RoI head.
    """

    rpn: DenseOutputs
    features: Any
    roi_head: Any
    proposals: list[InstanceData] = field(default_factory=list)

    def of_boxes(self, boxes: Sequence[Tensor], stage: int = 0) -> tuple[Tensor, Tensor]:
        """Class logits (R, K + 1) and deltas of boxes (N, 4) of each image, one after the other."""
        return box_forward(self.roi_head, stage, self.features, boxes)


HeadOutputs: TypeAlias = "DenseOutputs | QueryOutputs | RegionOutputs"


@contextmanager
def recorded_outputs(detector: Any) -> Iterator[list[HeadOutputs]]:
    """Within the context, the head outputs of a detector are appended for each pass."""
    found: list[HeadOutputs] = []
    head = _first_head(detector)
    handle = head.register_forward_hook(
        lambda _, inputs, output: found.append(_of(detector, head, inputs, output))
    )

    def keep(result: Any, *_: Any) -> Any:
        proposals = result[1] if isinstance(result, tuple) else result
        found[-1].proposals.extend(proposals)  # type: ignore[union-attr]
        return result

    try:
        if not _is_two_stage(detector):
            yield found
            return
        with (
            changed_results(detector.rpn_head, "predict", keep),
            changed_results(detector.rpn_head, "loss_and_predict", keep),
        ):
            yield found
    finally:
        handle.remove()


def forward_outputs(detector: Any, views: Views) -> HeadOutputs:
    """The outputs of a detector on a view, without losses and without selecting boxes."""
    head = _first_head(detector)
    features = detector.extract_feat(views.inputs)
    with recorded_outputs(detector) as found:
        if not hasattr(detector, "forward_transformer"):
            head(features)
        else:
            given = detector.forward_transformer(
                features, [_without_boxes(s) for s in views.samples]
            )
            wanted = inspect.signature(head.forward).parameters
            head(*(given[name] for name in wanted if name in given))
    return found[-1]


def _of(detector: Any, head: Any, inputs: Any, output: Any) -> HeadOutputs:
    if hasattr(detector, "forward_transformer"):
        return QueryOutputs.of(detector, inputs[0], output)
    dense = DenseOutputs.of(head, output)
    if _is_two_stage(detector):
        return RegionOutputs(dense, inputs[0], detector.roi_head)
    return dense


def check_outputs(owner: str, detector: Any) -> None:
    """Raise a TypeError, in the name of who reads them, for a detector without such outputs."""
    if not _is_two_stage(detector) and getattr(detector, "bbox_head", None) is None:
        raise TypeError(
            f"{owner}: reads the outputs of a box head, of queries or of an RPN, and a "
            f"{type(detector).__name__} has none of them. Take it out of custom_hooks, or use "
            f"another detector."
        )


def _first_head(detector: Any) -> Any:
    check_outputs("forward_outputs", detector)
    return detector.rpn_head if _is_two_stage(detector) else detector.bbox_head


def _is_two_stage(detector: Any) -> bool:
    return getattr(detector, "rpn_head", None) is not None


def _without_boxes(sample: Any) -> DetDataSample:
    """The sample of an unlabeled image, for detectors that make queries out of boxes."""
    empty = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    return DetDataSample(metainfo=sample.metainfo, gt_instances=empty)


def _rows(levels: Sequence[Tensor], anchors: int) -> Tensor:
    """Maps (B, A * D, H, W) as (B, P, D): levels, then cells row by row, then anchors."""
    flat = [
        level.permute(0, 2, 3, 1).reshape(len(level), -1, level.shape[1] // anchors)
        for level in levels
    ]
    return torch.cat(flat, 1)


def _strides(head: Any) -> tuple[int, ...]:
    return tuple(int(s[0]) if isinstance(s, (tuple, list)) else int(s)
                 for s in head.prior_generator.strides)  # fmt: skip
