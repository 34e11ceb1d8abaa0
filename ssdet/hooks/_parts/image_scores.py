"""What the teacher found in the latest images: a fixed number of scores and classes each."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ...teacher_student.step import PixelLabels

NOTHING = -1


class ImageScores:
    """A ring of the latest `images` images with `each` scores and classes, of constant size.

    Of boxes the best are kept, of pixels some that are drawn at random. A place without a
    label has the class -1.
    """

    def __init__(self, images: int, each: int) -> None:
        self.images, self.each = images, each
        self.scores = torch.zeros(images, each)
        self.labels = torch.full((images, each), NOTHING, dtype=torch.int16)
        self.seen = 0

    @property
    def full(self) -> bool:
        """Whether `images` images were seen."""
        return self.seen >= self.images

    def push(self, rows: Tensor) -> None:
        """Remember the rows (B, each, 2) of new images instead of the oldest ones."""
        rows = rows[-self.images :]
        self.scores, self.labels = self.scores.to(rows.device), self.labels.to(rows.device)
        places = (torch.arange(len(rows), device=rows.device) + self.seen) % self.images
        self.scores[places] = rows[..., 0]
        self.labels[places] = rows[..., 1].to(torch.int16)
        self.seen += len(rows)

    def state_dict(self) -> dict[str, Any]:
        """The ring, as far as it is filled."""
        used = min(self.seen, self.images)
        return {
            "scores": self.scores[:used].cpu(),
            "labels": self.labels[:used].cpu(),
            "seen": self.seen,
        }

    def load_state_dict(self, owner: str, state: dict[str, Any]) -> None:
        """Restore a ring of the same size."""
        used, each = state["scores"].shape
        if each != self.each or used != min(state["seen"], self.images):
            raise ValueError(
                f"{owner}: the checkpoint holds {used} of {state['seen']} images with {each} "
                f"scores, which do not fit images={self.images}, per_image={self.each}; resume "
                "with the settings that it was trained with"
            )
        self.scores[:used] = state["scores"].to(self.scores.device)
        self.labels[:used] = state["labels"].to(self.labels.device)
        self.seen = state["seen"]


def image_rows(pseudo: list[InstanceData] | PixelLabels, each: int) -> Tensor:
    """Scores and classes (B, each, 2) of the labels of each image."""
    if isinstance(pseudo, PixelLabels):
        labels = pseudo.labels.where(pseudo.valid, NOTHING).flatten(1)
        drawn = torch.randint(labels.shape[1], (len(labels), each)).to(labels.device)
        scores = pseudo.scores.flatten(1).gather(1, drawn)
        return torch.stack([scores, labels.gather(1, drawn).to(scores.dtype)], -1)
    return torch.stack([_box_rows(boxes, each) for boxes in pseudo])


def _box_rows(boxes: InstanceData, each: int) -> Tensor:
    scores, best = boxes.scores.topk(min(each, len(boxes)))
    rows = boxes.scores.new_full((each, 2), NOTHING)
    rows[: len(best), 0], rows[: len(best), 1] = scores, boxes.labels[best].to(rows.dtype)
    return rows
