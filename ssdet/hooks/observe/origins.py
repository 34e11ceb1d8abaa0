"""How many pseudo labels the images of each folder get, and how sure the teacher is of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, is_main_process
from torch import Tensor

from ...datasets.origins import origin_of
from ...engine.checkpoint_file import write_text
from ...registry import HOOKS
from ...run_files import ORIGINS
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class OriginStatisticsHook(StepHook):
    """Count kept pseudo labels by the folder that the images come from.

    Unlabeled images from several places (cameras, sites, a crawl) are not equally good. The run
    folder's `pseudo/origins.json` tells for each folder directly below the root of an unlabeled
    source: images seen, images without a label, labels kept for each image (of a segmentor: the
    share of its pixels) and their mean score. It changes nothing in the training.

    Args:
        interval: Iterations after which the file is written again.
        roots: Folders that origins are told apart in. None: those of the unlabeled sources.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> hook = OriginStatisticsHook(roots=["/data"])
        >>> _ = take_step(detector(), hook)
        >>> sum(row["images"] for row in hook.table().values())
        2
    """

    phase = Phase.OBSERVE
    priority = "VERY_LOW"
    read_only = True

    def __init__(self, interval: int = 500, roots: list[str] | None = None) -> None:
        check_range(type(self).__name__, "interval", interval, 1, float("inf"))
        self.interval = interval
        self.roots = list(roots or [])
        self.last = -1
        self.folder: Path | None = None
        # Images, images without a label, labels (or pixels' share), scores of the labeled images.
        self.counts: dict[str, list[float]] = {}

    def before_train(self, runner: Any) -> None:
        """Learn where the unlabeled images lie, and where to write."""
        super().before_train(runner)
        self.roots = self.roots or list(_roots(runner.train_dataloader.dataset))
        self.last = runner.max_iters - 1
        self.folder = Path(runner.work_dir)

    def before_student(self, step: Step) -> None:
        """Count the labels after all other hooks have changed them."""
        if step.pseudo is None or step.weak is None:
            return
        kept, scores = _kept(step)
        rows = torch.stack([kept, scores]).T.tolist()
        for sample, (amount, score) in zip(step.weak.samples, rows, strict=True):
            row = self.counts.setdefault(self._origin(sample), [0.0] * 4)
            for place, value in enumerate((1, amount == 0, amount, score)):
                row[place] += value
        done = step.iteration + 1
        if done % self.interval == 0 or step.iteration == self.last:
            self._write()

    def table(self) -> dict[str, dict[str, Any]]:
        """What was counted, over all processes."""
        total: dict[str, list[float]] = {}
        for counts in all_gather_object(self.counts):
            for name, row in counts.items():
                total[name] = [a + b for a, b in zip(total.get(name, [0.0] * 4), row, strict=True)]
        return {
            name: {
                "images": int(images),
                "without_labels": int(empty),
                "kept_per_image": round(kept / images, 4),
                "mean_score": round(score / (images - empty), 4) if images > empty else None,
            }
            for name, (images, empty, kept, score) in sorted(total.items())
        }

    def state_dict(self) -> dict[str, Any]:
        """The counts."""
        return {"counts": {name: list(row) for name, row in self.counts.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.counts = {name: list(row) for name, row in state["counts"].items()}

    def _origin(self, sample: Any) -> str:
        path = str(getattr(sample, "img_path", None) or "")
        for root in self.roots:
            if path.startswith(str(Path(root)) + "/"):
                return f"{Path(root).name}/{origin_of(path, root)}"
        return "elsewhere"

    def _write(self) -> None:
        table = self.table()
        if self.folder is None or not is_main_process():
            return
        path = self.folder / ORIGINS
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(json.dumps(table, indent=1) + "\n", path)


def _kept(step: Step) -> tuple[Tensor, Tensor]:
    """For each image how much is kept, and its mean score (0 where nothing is)."""
    if isinstance(step.pseudo, PixelLabels):
        pixels = step.pseudo
        valid = pixels.valid.flatten(1)
        kept = (pixels.weights > 0).flatten(1) & valid
        score = (pixels.scores.flatten(1) * kept).sum(1) / kept.sum(1).clamp(min=1)
        return kept.sum(1) / valid.sum(1).clamp(min=1), score
    boxes = [found[found.level >= AMBIGUOUS] for found in step.pseudo_boxes]
    kept = torch.tensor([float(len(found)) for found in boxes])
    return kept, torch.stack([found.scores.sum() / max(len(found), 1) for found in boxes]).cpu()


def _roots(dataset: Any) -> Iterator[str]:
    """Roots of the unlabeled sources inside concatenations and other wrappers."""
    parts = [*getattr(dataset, "datasets", ()), getattr(dataset, "dataset", None)]
    for part in parts:
        if part is not None:
            yield from _roots(part)
    if getattr(dataset, "unlabeled", False) and getattr(dataset, "root", None):
        yield str(dataset.root)
