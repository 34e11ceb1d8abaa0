"""The teacher's latest scores, which thresholds keep for each class or for all together."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, get_world_size
from torch import Tensor

from ...labels import IGNORE
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import push_scores
from ...validation import check_range


class ScoreHistory:
    """The newest `length` scores of each class, in a tensor of constant size.

    Args:
        owner: The hook that keeps the scores, for its errors.
        length: Scores of each class.
        sync: All processes keep the scores of all; else each its own, and the checkpoint
            holds those of the first.
    """

    def __init__(self, owner: str, length: int, sync: bool) -> None:
        check_range(owner, "num_scores", length, 2, float("inf"))
        self.owner, self.length, self.sync = owner, length, sync
        self.queue = torch.zeros(0, length)

    def push(
        self, scores: Tensor, labels: Tensor, classes: int, *, are_drawn: bool = False
    ) -> None:
        """Remember new scores, the first of them as the newest.

        Those of all processes come in the order in which one process with all images has them.
        Scores that were drawn at random (`are_drawn`) have no such order, and there are more than a
        history holds: they are taken in turns, or those of the first process would fill it.
        """
        if self.sync:
            rows = gathered(torch.stack([scores.float(), labels.float()], 1), turns=are_drawn)
            scores, labels = rows.unbind(1)
        self.queue = push_scores(self.of(classes, scores.device), scores, labels.long())

    def of(self, classes: int, device: torch.device) -> Tensor:
        """The scores (classes, length) so far; 0 where there is none yet."""
        queue = self.queue.to(device)
        return F.pad(queue, (0, 0, 0, max(0, classes - len(queue))))

    def state_dict(self) -> dict[str, Any]:
        """The queue."""
        return {"queue": self.queue.cpu()} if len(self.queue) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a queue of the same length."""
        queue = state.get("queue", self.queue)
        if queue.shape[1] != self.length:
            raise ValueError(
                f"{self.owner}: the checkpoint holds {queue.shape[1]} scores of each class, "
                f"but num_scores={self.length}; resume with num_scores={queue.shape[1]}, or start "
                "a new run from these weights with load_from"
            )
        self.queue = queue


def found_scores(step: Step, evidence: Any, pixels: int) -> tuple[Tensor, Tensor]:
    """Values and classes (M,) of the teacher's new labels; of pixels, `pixels` drawn at random.

    `evidence` gives the value of each label. The drawn pixels may repeat, and those that are not
    valid have the class 255.
    """
    if not isinstance(step.pseudo, PixelLabels):
        boxes = step.pseudo_boxes
        values = torch.cat([evidence(one) for one in boxes])
        return values, torch.cat([one.labels for one in boxes])
    found = step.pseudo
    labels = found.labels.where(found.valid, IGNORE).flatten()
    # Drawn on the CPU, whose random state travels with the checkpoint.
    drawn = torch.randint(len(labels), (pixels,)).to(labels.device)
    return evidence(found).flatten()[drawn], labels[drawn]


def gathered(rows: Tensor, *, turns: bool = False) -> Tensor:
    """The rows (M, ...) of all processes; every process must call it.

    In the order of the processes, or with `turns` the first row of each, then the second, ...
    """
    if get_world_size() == 1:
        return rows
    counts = torch.cat(all_gather(torch.tensor([len(rows)], device=rows.device))).tolist()
    padding = [0] * (2 * rows.ndim - 1) + [max(counts) - len(rows)]
    parts = all_gather(F.pad(rows, padding))
    together = torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])
    if not turns:
        return together
    places = torch.cat([torch.arange(count, device=rows.device) for count in counts])
    return together[places.argsort(stable=True)]
