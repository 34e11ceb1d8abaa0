"""Boxes and masks of an image as they are stored in a file, in the frame of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...formats.segments import decode, encode
from ...teacher_student.geometry import areas, clip_boxes, project_boxes, warp
from ...teacher_student.pseudo_boxes import PseudoBoxes


def to_image(boxes: PseudoBoxes, matrix: np.ndarray, size: tuple[int, int]) -> PseudoBoxes:
    """Boxes of a view in the frame of its image (height, width): what is worth storing of them."""
    back = np.linalg.inv(matrix)
    hull = clip_boxes(project_boxes(boxes.bboxes, back), size)
    found = PseudoBoxes(bboxes=hull, labels=boxes.labels, scores=boxes.scores)
    if "masks" in boxes:
        found.masks = _moved(boxes.masks, back, size)
    return found[areas(hull) > 0]


def to_view(stored: PseudoBoxes, matrix: np.ndarray, size: tuple[int, int]) -> PseudoBoxes:
    """Stored boxes in a view (height, width), those that it shows."""
    seen = PseudoBoxes.of(stored, bboxes=clip_boxes(project_boxes(stored.bboxes, matrix), size))
    if "masks" in stored:
        seen.masks = _moved(stored.masks, matrix, size)
    return seen[areas(seen.bboxes) > 0]


def entry_of(boxes: PseudoBoxes, size: tuple[int, int]) -> dict[str, Any]:
    """What a file holds of boxes in an image (height, width)."""
    content = {"width": size[1], "height": size[0], "boxes": boxes.bboxes.tolist()}
    content |= {"labels": boxes.labels.tolist(), "scores": boxes.scores.tolist()}
    if "masks" in boxes:
        content["masks"] = [encode(mask) for mask in boxes.masks.cpu().numpy()]
    return content


def boxes_of(entry: dict[str, Any], device: torch.device, masks: bool) -> PseudoBoxes:
    """The boxes of a file, with their masks if the detector learns some."""
    boxes = PseudoBoxes(
        bboxes=torch.tensor(entry["boxes"], device=device).reshape(-1, 4),
        labels=torch.tensor(entry["labels"], device=device, dtype=torch.long),
        scores=torch.tensor(entry["scores"], device=device, dtype=torch.float32),
    )
    if masks:
        if "masks" not in entry:
            raise ValueError(
                "PseudoLabelDiskHook: the stored boxes have no masks, and this detector learns "
                "masks. Name another folder, or start with an empty one"
            )
        height, width = entry["height"], entry["width"]
        drawn = [torch.from_numpy(decode(one, height, width)) for one in entry["masks"]]
        none = torch.zeros(0, height, width, dtype=torch.bool)
        boxes.masks = (torch.stack(drawn) if drawn else none).to(device)
    return boxes


def _moved(masks: Tensor, matrix: np.ndarray, size: tuple[int, int]) -> Tensor:
    if not len(masks):
        return masks.new_zeros(0, *size[:2]).bool()
    moved, _ = warp(masks, matrix, size)
    return moved.bool()
