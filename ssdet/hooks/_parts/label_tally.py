"""What became of the teacher's labels: counts for each class, over many steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...labels import IGNORE
from ...teacher_student.pseudo_boxes import AMBIGUOUS, LOW
from ...teacher_student.step import PixelLabels, Step

KEPT, UNSURE, IGNORED = "kept", "ambiguous", "ignored"  # other kinds are reasons of dropped labels
UNWEIGHTED = "weight"  # the reason of pixels of weight 0


class LabelTally:
    """Labels of each class by what became of them; it adds on the device and waits for nothing.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.images, self.steps, self.unit = 0, 0, "boxes"
        self.kinds: dict[str, Tensor] = {}
        self.scores: Tensor | None = None
        self.empty: Tensor | float = 0.0  # images without a kept label; shares of pixels

    def add(self, step: Step) -> None:
        """Count the labels of a step, as they are after all hooks."""
        pixels = isinstance(step.pseudo, PixelLabels)
        self.unit = "pixels" if pixels else "boxes"
        names, codes, labels, scores = self._pixels(step) if pixels else self._boxes(step)
        size = len(names) * self.classes
        # One place more for what does not count: padding, unknown pixels.
        there = (labels >= 0) & (labels < self.classes)
        places = torch.where(there, codes * self.classes + labels, size)
        counts = _sums(places, None, size).view(len(names), self.classes)
        for name, row in zip(names, counts, strict=True):
            self.kinds[name] = self.kinds[name].to(row) + row if name in self.kinds else row
        trained = there & (codes <= 1)
        where = torch.where(trained, labels, self.classes)
        total = _sums(where, scores, self.classes)
        self.scores = total if self.scores is None else self.scores.to(total) + total
        self.images += len(step.pseudo or [])
        self.steps += 1

    def _boxes(self, step: Step) -> tuple[list[str], Tensor, Tensor, Tensor]:
        names = [KEPT, UNSURE, IGNORED]
        groups = list(step.pseudo_boxes)
        codes = [torch.full_like(one.labels, 0) for one in groups]
        for code, one in zip(codes, groups, strict=True):
            code[one.level == AMBIGUOUS] = 1
            code[one.level == LOW] = 2
        trained = torch.stack([(one.level >= AMBIGUOUS).any() for one in groups])
        self.empty = self.empty + (~trained).sum()
        for dropped in step.dropped:
            for reason, lost in dropped.items():
                names += [reason] if reason not in names else []
                groups.append(lost)
                codes.append(torch.full_like(lost.labels, names.index(reason)))
        return (
            names,
            torch.cat(codes),
            torch.cat([one.labels for one in groups]),
            torch.cat([one.scores for one in groups]).detach(),
        )

    def _pixels(self, step: Step) -> tuple[list[str], Tensor, Tensor, Tensor]:
        found = step.pseudo_pixels
        counted = found.valid & (found.labels != IGNORE)
        codes = torch.where(found.weights >= 1, 0, torch.where(found.weights > 0, 1, 2))
        labels = found.labels.where(counted, self.classes)
        left_out = ((codes == 2) & counted).flatten(1).sum(1)
        self.empty = self.empty + (left_out / counted.flatten(1).sum(1).clamp(min=1)).sum()
        names = [KEPT, UNSURE, UNWEIGHTED]
        return names, codes.flatten(), labels.flatten(), found.scores.detach().flatten()

    def merge(self, other: dict[str, Any]) -> None:
        """Add the `state_dict` of another process, or of a checkpoint."""
        if not other:
            return
        self.unit = other["unit"]
        self.images += other["images"]
        self.steps = max(self.steps, other["steps"])
        self.empty = self.empty + float(other["empty"])
        for name, row in other["kinds"].items():
            self.kinds[name] = self.kinds[name].to(row) + row if name in self.kinds else row
        total = other["scores"]
        self.scores = total if self.scores is None else self.scores.to(total) + total

    def state_dict(self) -> dict[str, Any]:
        """The counts, on the CPU; empty where nothing was counted."""
        if self.scores is None:
            return {}
        return {
            "images": self.images,
            "steps": self.steps,
            "unit": self.unit,
            "empty": float(self.empty),
            "kinds": {name: row.cpu() for name, row in self.kinds.items()},
            "scores": self.scores.cpu(),
        }

    def line(self, names: Sequence[str]) -> dict[str, Any]:
        """The counts as a line of `stats.jsonl`; `names` are those of the classes."""
        rows = {kind: row.tolist() for kind, row in self.kinds.items()}
        kept = [sum(column) for column in zip(rows[KEPT], rows[UNSURE], strict=True)]
        scores = [] if self.scores is None else self.scores.tolist()
        reasons = [kind for kind in rows if kind not in (KEPT, UNSURE, IGNORED)]
        return {
            "images": self.images,
            "unit": self.unit,
            "classes": [names[i] if i < len(names) else f"class {i}" for i in range(self.classes)],
            "proposed": [int(sum(column)) for column in zip(*rows.values(), strict=True)],
            "kept": [int(v) for v in kept],
            "score": [round(s / k, 4) if k else None for s, k in zip(scores, kept, strict=True)],
            "ambiguous": [int(v) for v in rows[UNSURE]],
            "ignored": [int(v) for v in rows.get(IGNORED, [0.0] * self.classes)],
            "dropped": {kind: [int(v) for v in rows[kind]] for kind in reasons},
            "empty": round(float(self.empty) / max(self.images, 1), 4),
        }


def _sums(places: Tensor, values: Tensor | None, size: int) -> Tensor:
    """Sums of values (or counts) at each of `size` places; a place beyond the end is left out."""
    values = torch.ones_like(places, dtype=torch.float64) if values is None else values.double()
    return values.new_zeros(size + 1).index_add_(0, places, values)[:size]
