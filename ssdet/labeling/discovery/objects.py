"""Objects in unlabeled images: those that the detector names, and those that it only sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from mmcv.ops import nms
from mmdet.structures.bbox import bbox_overlaps
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from torch import Tensor

from ...datasets.sources import Source
from ...exits import UsageError
from ...formats.labeled import LabeledImage
from ...hooks._parts.box_features import box_features
from ...validation import check_range
from ..labeler import Labeler, Prepared
from ..network import Network

Item = TypeVar("Item")
_PART = 64  # images whose objects are in memory before they are drawn from
_APART = 0.5  # overlap from which two proposals show the same


@dataclass(frozen=True)
class Asked:
    """How objects are found and grouped.

    Attributes:
        objectness: Least score of a proposal that is taken for an object.
        known: Score from which a detection explains what is there, and stands for its class.
        overlap: With such a detection, from which a proposal is explained.
        per_image: Proposals of an image, the best.
        most: Objects that are kept in memory, drawn at random from all.
        most_known: The same for each known class.
        width: Components of the features.
        start: Groups to start from.
        device: Where the detector runs.
        seed: Of what is drawn.
    """

    objectness: float = 0.5
    known: float = 0.5
    overlap: float = 0.3
    per_image: int = 10
    most: int = 10_000
    most_known: int = 200
    width: int = 16
    start: int = 10
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("objectness", "known", "overlap"):
            check_range("discover", name, getattr(self, name))
        for name in ("per_image", "most", "most_known", "width", "start"):
            check_range("discover", name, getattr(self, name), 1, float("inf"))


@dataclass
class Object:
    """A box of an image; its label is -1 where the detector does not know it."""

    image: LabeledImage
    place: int
    box: tuple[float, ...]
    score: float
    label: int
    feature: Tensor


class Reservoir(Generic[Item]):
    """A fair sample of a stream, of at most `most` items.

    Examples:
        >>> kept = Reservoir(2, torch.Generator())
        >>> for number in range(100):
        ...     kept.add(number)
        >>> len(kept.items), kept.seen
        (2, 100)
    """

    def __init__(self, most: int, generator: torch.Generator) -> None:
        self.most, self.generator = most, generator
        self.items: list[Item] = []
        self.seen = 0

    def add(self, item: Item) -> None:
        """Keep it, maybe in place of another one."""
        self.seen += 1
        if len(self.items) < self.most:
            self.items.append(item)
            return
        place = int(torch.randint(self.seen, (), generator=self.generator))
        if place < self.most:
            self.items[place] = item


class ObjectFinder(Labeler):
    """Reads images as `ssdet label` does, and remembers the objects in place of labels."""

    def __init__(self, network: Network, asked: Asked, workers: int = 2) -> None:
        super().__init__(
            network, (0.0,) * len(network.classes), batch_size=1, workers=workers,
            device=asked.device,
        )  # fmt: skip
        self.asked = asked
        self.objects: list[Object] = []
        head = getattr(getattr(self.model, "roi_head", None), "bbox_head", None)
        first = head[0] if isinstance(head, torch.nn.ModuleList) else head
        if not hasattr(first, "fc_cls") or not getattr(self.model, "with_rpn", False):
            raise UsageError(
                f"{network.path}: a {type(self.model).__name__} has no proposals of objects of any "
                "class. Give a two-stage detector (Faster, Mask or Cascade R-CNN)"
            )

    def find(self, source: Source) -> Iterator[tuple[LabeledImage, list[Object]]]:
        """Each image with its objects; one that could not be read has an error and none."""
        parts = [range(at, min(at + _PART, len(source))) for at in range(0, len(source), _PART)]
        for part, records in zip(parts, self.run(source, parts), strict=True):
            found, self.objects = self.objects, []
            for place, record in zip(part, records, strict=True):
                yield record, [one for one in found if one.place == place]

    def _label(self, batch: list[Prepared]) -> dict[int, LabeledImage]:
        for image in batch:
            self.objects += self._objects(image)
        return {image.place: image.record for image in batch}

    @torch.inference_mode()
    def _objects(self, image: Prepared) -> list[Object]:
        model, asked = self.model, self.asked
        with DefaultScope.overwrite_default_scope(self.scope):
            data = model.data_preprocessor(pseudo_collate([image.views[0]]), False)
            samples: Any = data["data_samples"]
            pyramid = model.extract_feat(data["inputs"])
            proposals = model.rpn_head.predict(pyramid, samples, rescale=False)
            (found,) = model.roi_head.predict(pyramid, proposals, samples, rescale=False)
        found = found[found.scores >= asked.known]
        rows = unexplained(proposals[0].bboxes, proposals[0].scores, found.bboxes, asked)
        boxes = torch.cat([found.bboxes, proposals[0].bboxes[rows]])
        scores = torch.cat([found.scores, proposals[0].scores[rows]])
        labels = torch.cat([found.labels, torch.full_like(rows, -1)])
        features = box_features(model, pyramid, [boxes])[0].float().cpu()
        wide, high = samples[0].metainfo.get("scale_factor", (1.0, 1.0))[:2]
        corners = (boxes / boxes.new_tensor([wide, high, wide, high])).tolist()
        return [
            Object(image.record, image.place, tuple(box), score, label, feature.clone())
            for box, score, label, feature in zip(
                corners, scores.tolist(), labels.tolist(), features, strict=True
            )
        ]


def unexplained(boxes: Tensor, scores: Tensor, found: Tensor, asked: Asked) -> Tensor:
    """Which proposals are objects that no detection explains; the best first, each once."""
    (rows,) = (scores >= asked.objectness).nonzero(as_tuple=True)
    if len(found) and len(rows):
        rows = rows[bbox_overlaps(boxes[rows], found).amax(1) < asked.overlap]
    if len(rows):
        rows = rows[nms(boxes[rows], scores[rows], _APART)[1]]
    return rows[: asked.per_image]
