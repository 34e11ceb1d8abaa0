"""Pseudo boxes: the boxes of one image with everything that hooks and losses use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

import torch
from mmdet.structures.bbox import get_box_tensor
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.structures import InstanceData
from torch import Tensor
from typing_extensions import Self

from ..validation import check_choice

# How far a pseudo box is trusted. HIGH and AMBIGUOUS boxes are trained on with their weights; a
# LOW box says "something may be here": no loss is taken from the region that it covers.
HIGH, AMBIGUOUS, LOW = 2, 1, 0
ALL_STAGES = 2**31  # more than a cascade has

Task = Literal["rpn", "cls", "box"]
TASKS: tuple[Task, ...] = ("rpn", "cls", "box")


class Source(IntEnum):
    """Where a box comes from."""

    TEACHER = 0
    ANNOTATION = 1
    MEMORY = 2  # the teacher, in an earlier step
    EXTERNAL = 3  # another model, or a file


@dataclass(frozen=True)
class Field:
    """A field of `PseudoBoxes`: its type, and its default for boxes that lack it."""

    default: float | int | bool

    def fill(self, boxes: InstanceData) -> Tensor:
        """The default for each of these boxes."""
        dtype = {bool: torch.bool, int: torch.long}.get(type(self.default), torch.float32)
        corners = get_box_tensor(boxes.bboxes)
        return corners.new_full((len(corners),), self.default, dtype=dtype)


# One rule for all: what is unknown of a box is what an annotated box would have, full trust.
FIELDS = {
    "scores": Field(1.0),
    "weight_cls": Field(1.0),
    "weight_box": Field(1.0),
    "weight_mask": Field(1.0),
    "level": Field(HIGH),
    "max_stage": Field(ALL_STAGES),
    "objectness": Field(1.0),
    "soft_objectness": Field(1.0),
    "classified": Field(True),
    "loc_quality": Field(1.0),
    "mask_score": Field(1.0),
    "spread": Field(0.0),
    "source": Field(int(Source.ANNOTATION)),
    **{f"in_{task}": Field(True) for task in TASKS},
}


class PseudoBoxes(InstanceData):
    """The boxes of one image; every field has one entry for each box.

    | field | type | meaning |
    |---|---|---|
    | `bboxes` | float (N, 4) | corners x1, y1, x2, y2 in the frame of the view |
    | `labels` | long (N,) | classes |
    | `scores` | float (N,) | the teacher's confidence in [0, 1] |
    | `weight_cls`, `weight_box` | float (N,) | factors on the losses of classification and box |
    | `weight_mask` | float (N,) | a further factor on the loss of the mask |
    | `level` | long (N,) | HIGH, AMBIGUOUS (both are trained on) or LOW (a region to ignore) |
    | `max_stage` | long (N,) | how many stages of a cascade learn the box |
    | `objectness` | float (N,) | that there is any object, where the detector has such a number |
    | `soft_objectness` | float (N,) | the target of YOLOX's objectness, in [0, 1] |
    | `classified` | bool (N,) | whether YOLOX learns the class of the box; RTMDet: or its score |
    | `loc_quality` | float (N,) | how well the box is placed, in [0, 1] |
    | `mask_score` | float (N,) | how good the mask is, in [0, 1], where a hook asks for it |
    | `spread` | float (N,) | how far repeated regressions scatter, as a share of the sides |
    | `in_rpn`, `in_cls`, `in_box` | bool (N,) | membership in the sets of single tasks |
    | `side_logits` | float (N, 4) | logits: how unsure of left, top, right, bottom |
    | `source` | long (N,) | where it comes from: a `Source` |
    | `masks` | (N, H, W) | outlines: a tensor in the weak view, `BitmapMasks` in targets |

    `bboxes` and `labels` are always there. A field that is absent has its default for all boxes:
    what an annotated box would have, which is full trust. A field of your own travels along as long
    as all boxes that are put together have it; give it a default with `declare` if some do not.
    """

    @classmethod
    def declare(cls, name: str, default: float | int | bool) -> None:
        """Add a field, with its default for boxes that lack it."""
        FIELDS[name] = Field(default)

    @classmethod
    def of(cls, boxes: InstanceData, **fields: Any) -> Self:
        """Any instances (annotations, for example) as pseudo boxes, with additional fields."""
        found = cls(metainfo=boxes.metainfo)
        found.set_data({**dict(boxes.items()), **fields})
        if "bboxes" in found:
            found.bboxes = get_box_tensor(found.bboxes)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        known = not name.startswith("_") and len(self._data_fields)
        if known and len(value) != len(self):
            raise ValueError(
                f"PseudoBoxes: {name!r} has {len(value)} entries for {len(self)} boxes; give one "
                "for each box"
            )
        super().__setattr__(name, value)

    __setitem__ = __setattr__

    def value(self, name: str) -> Tensor:
        """A declared field, or its default for every box."""
        return self[name] if name in self else FIELDS[name].fill(self)

    def exclude_from_task(self, task: Task, excluded: Tensor) -> None:
        """Take boxes (a mask) out of the set of a task; see `ssdet.teacher_student.task_sets`."""
        check_choice("exclude_from_task", "task", task, Task)
        self[f"in_{task}"] = self.value(f"in_{task}") & ~excluded

    def split(self, mask: Tensor) -> tuple[Self, Self]:
        """The boxes where the mask is true, and the others."""
        return self._at(mask), self._at(~mask)

    def detached(self) -> Self:
        """A copy without a graph, and without the notes that losses make in the metainfo."""
        own = {k: v.detach().clone() if isinstance(v, Tensor) else v for k, v in self.items()}
        return type(self)(**own)

    def tensors(self) -> dict[str, Tensor]:
        """Every field as a tensor, for a checkpoint."""
        fields = {k: v for k, v in self.items() if isinstance(v, Tensor)}
        if "masks" in self and not isinstance(self.masks, Tensor):
            fields["masks"] = torch.as_tensor(bitmaps(self.masks).masks)
        return fields

    @classmethod
    def from_tensors(cls, fields: dict[str, Tensor]) -> Self:
        """Boxes from what `tensors` returned; masks become `BitmapMasks`."""
        boxes = cls(**{k: v for k, v in fields.items() if k != "masks"})
        if "masks" in fields:
            boxes.masks = as_bitmaps(fields["masks"])
        return boxes

    @classmethod
    def cat(cls, parts: Sequence[InstanceData]) -> Self:  # type: ignore[override]
        """All boxes one after the other, with every field that any of them has.

        Where a part lacks a field, its boxes get the default; metainfo is that of the first part.
        """
        every = [part if isinstance(part, cls) else cls.of(part) for part in parts]
        joined = cls(metainfo=every[0].metainfo)
        for name in dict.fromkeys(name for part in every for name, _ in part.items()):
            values = [_field(part, name) for part in every]
            joined[name] = _cat([value for value in values if value is not None])
        return joined

    def _at(self, mask: Tensor) -> Self:
        # Bitmap masks are arrays on the CPU, and cannot be indexed from another device.
        on_cpu = any(not isinstance(value, Tensor) for value in self.values())
        return self[mask.cpu() if on_cpu else mask]


def _field(boxes: PseudoBoxes, name: str) -> Any:
    """A field of boxes, its default, or nothing where there is no box to have it."""
    if name in boxes:
        return boxes[name]
    if name in FIELDS:
        return FIELDS[name].fill(boxes)
    if not len(boxes):
        return None
    if name == "masks":
        raise ValueError(
            "PseudoBoxes.cat: some boxes have masks and others have none; load masks for both "
            "(LoadAnnotations(with_mask=True)), or train a detector without masks"
        )
    raise ValueError(
        f"PseudoBoxes.cat: some boxes have {name!r} and others do not; declare their default: "
        f"PseudoBoxes.declare({name!r}, default)"
    )


def _cat(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, Tensor):
        dtype = next((v.dtype for v in values if len(v)), first.dtype)
        return torch.cat([v.to(first.device, dtype) for v in values])
    return type(first).cat(values)


def bitmaps(masks: BitmapMasks | PolygonMasks) -> BitmapMasks:
    """MMDetection's masks of any kind as bitmaps."""
    return masks.to_bitmap() if isinstance(masks, PolygonMasks) else masks


def as_bitmaps(masks: Tensor, shape: Sequence[int] | None = None) -> BitmapMasks:
    """Masks (N, H, W) as MMDetection's losses take them; `shape` is their height and width."""
    height, width = shape or masks.shape[1:]
    return BitmapMasks(masks.cpu().numpy().astype("uint8"), height, width)
