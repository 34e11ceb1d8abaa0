"""Pseudo-labeled images as pieces that can be kept for later steps and put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from torch import Tensor

from ...mixing.canvas import CanvasBox, Shape, put, put_boxes
from ...teacher_student.core import STRONG
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import Step, Views


@dataclass
class CachedImage:
    """An image (C, h, w) without padding, its boxes, and regions (K, 4) to ignore."""

    image: Tensor
    boxes: PseudoBoxes
    ignored: Tensor

    @property
    def shape(self) -> Shape:
        """Height and width."""
        return self.image.shape[-2], self.image.shape[-1]


class ImageCache:
    """The last `size` images of earlier steps; they travel with the checkpoint.

    Kept in half precision, which is finer than the 8 bits that images come with. With several
    processes each has its own, and the checkpoint holds that of the first.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[CachedImage] = []

    def __len__(self) -> int:
        return len(self.images)

    def add(self, images: Iterable[CachedImage]) -> None:
        """Keep copies; the oldest images are removed."""
        copies = [
            CachedImage(
                p.image.detach().to(torch.float16, copy=True), p.boxes.detached(), p.ignored.clone()
            )
            for p in images
        ]
        self.images = [*self.images, *copies][-self.size :]

    def draw(self, count: int) -> list[CachedImage]:
        """Random images; none is drawn twice before all were drawn once."""
        order: list[int] = []
        while len(order) < count:
            order += torch.randperm(len(self.images)).tolist()
        return [self.images[number] for number in order[:count]]

    def state(self) -> list[dict[str, Any]]:
        """The images as tensors and dicts of them."""
        return [
            dict(image=p.image, boxes=p.boxes.tensors(), ignored=p.ignored) for p in self.images
        ]

    def load(self, state: Sequence[dict[str, Any]]) -> None:
        """Restore the images from what `state` returned."""
        kept = [
            CachedImage(p["image"], PseudoBoxes.from_tensors(p["boxes"]), p["ignored"])
            for p in state
        ]
        self.images = kept[-self.size :]


def batch_views(step: Step) -> list[str]:
    """The strong views that came with the batch, not those that hooks have added."""
    return [name for name in step.strong if comes_with_batch(name)]


def comes_with_batch(name: str) -> bool:
    """Whether a strong view of this name is made by the pipeline, not by a hook."""
    return name == STRONG or name.removeprefix(STRONG + "_").isdigit()


def are_mixed(views: Views) -> bool:
    """Whether views are made of several images each."""
    return any(sample.metainfo.get("pieces", 1) > 1 for sample in views.samples)


def to_cache(views: Views, targets: Sequence[DetDataSample]) -> list[CachedImage]:
    """The images of a strong view with what the student is to learn from them."""
    found = []
    for image, sample in zip(views.inputs, targets, strict=True):
        height, width = sample.img_shape[:2]
        ignored = sample.ignored_instances.bboxes
        boxes = PseudoBoxes.of(sample.gt_instances)
        found.append(CachedImage(image[:, :height, :width], boxes, ignored))
    return found


def compose(
    parts: Sequence[tuple[CachedImage, CanvasBox, float]], shape: Shape, like: Tensor
) -> tuple[Tensor, DetDataSample]:
    """Images on one canvas, each at its place and with its share, and their boxes together.

    The canvas has the device, the type and the channels of `like`.
    """
    canvas = like.new_zeros(like.shape[-3], *shape)
    boxes, regions = [], []
    for piece, place, share in parts:
        put(canvas, piece.image.to(canvas), place, share=share)
        boxes.append(_placed(piece, place, shape, canvas.device))
        regions.append(put_boxes(piece.ignored.to(canvas.device), piece.shape, place))
    meta = dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0), pieces=len(parts))
    sample = DetDataSample(metainfo=meta)
    sample.gt_instances = PseudoBoxes.cat(boxes)
    sample.ignored_instances = InstanceData(bboxes=torch.cat(regions))
    return canvas, sample


def as_views(images: Sequence[Tensor], samples: Sequence[DetDataSample], divisor: int) -> Views:
    """A batch of images of any size, padded like the data preprocessor, and recorded so."""
    padded = [tuple(-(-side // divisor) * divisor for side in i.shape[-2:]) for i in images]
    height, width = (max(sides) for sides in zip(*padded, strict=True))
    for sample, own in zip(samples, padded, strict=True):
        sample.set_metainfo(dict(pad_shape=own, batch_input_shape=(height, width)))
    inputs = [F.pad(i, (0, width - i.shape[-1], 0, height - i.shape[-2])) for i in images]
    return Views(torch.stack(inputs), [DetDataSample(metainfo=s.metainfo) for s in samples])


def _placed(
    piece: CachedImage, place: CanvasBox, shape: Shape, device: torch.device
) -> PseudoBoxes:
    boxes: PseudoBoxes = piece.boxes.detached().to(device)
    boxes.bboxes = put_boxes(boxes.bboxes, piece.shape, place)
    if "masks" in boxes:
        drawn = torch.as_tensor(boxes.masks.masks, dtype=torch.float32)
        canvas = torch.zeros(len(drawn), *shape)
        if len(drawn):
            put(canvas, drawn, place, mode="nearest")
        boxes.masks = BitmapMasks(canvas.numpy().astype("uint8"), *shape)
    return boxes
