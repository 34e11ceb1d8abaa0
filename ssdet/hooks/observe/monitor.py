"""Counts and numbers about the pseudo labels of a run, and warnings while it can be stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import Tensor

from ...engine.checkpoint_file import append_line
from ...evaluation.pseudo_labels import PseudoLabelQuality, matched
from ...registry import HOOKS
from ...run_files import ADVICE, STATS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS
from ...teacher_student.recording import eval_mode
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_range
from .._parts.hidden_truth import HiddenTruth
from .._parts.image_statistics import ImageStatistics
from .._parts.label_counts import LabelCounts
from .._parts.label_tally import LabelTally
from .._parts.run_watch import Advice, RunWatch, distance_of_classes
from ..step_hook import StepHook

COUNTED_IMAGES = 2000  # labeled images whose annotations are counted at the start
SAMPLED = 8  # of so many steps, one is looked at for what changes slowly: images and their labels


@HOOKS.register_module()
class PseudoLabelMonitorHook(StepHook):
    """Say what becomes of the teacher's labels, and warn when something is wrong with them.

    On by default in `ssdet train`. Every `interval` iterations it writes a line to
    `pseudo/stats.jsonl`, and sends its numbers to the visualizer's backends: for each class how
    many labels were proposed, kept, ambiguous, ignored and dropped (and why), their mean score and
    the threshold; in all the share of images (or pixels) without a label, the distance of the
    classes from those of the labels, the agreement of teacher and student, and the distance of
    their weights. What looks wrong is logged as a warning with advice, once in a run, and written
    to `pseudo/advice.jsonl`. It changes nothing in the training.

    A checkpoint holds what the first process has counted since the last line. Of several
    processes, the others begin anew after a resume between two lines: the next line is about fewer
    images (`images` says how many), and its shares are right.

    Args:
        interval: Iterations that a line stands for.
        compare_interval: Least number of iterations between two passes of the student over the weak
            views, which show how far it agrees with the teacher; 0: none.
        patience: Lines in a row after which a state counts as wrong.
        evaluations: Validations in a row after which one does.
        truth: Labels of the unlabeled images, for analysis only; the training never sees them:
            `dict(source="all.json", format="coco")`, as `ssdet.formats.read` takes them. Then the
            lines hold precision, recall and IoU of what was kept and of what was dropped, and the
            score at which precision and recall would be equal.
        classes: Names of the classes; taken from the training data where it is not given.

    Examples:
        >>> import tempfile
        >>> from ssdet.testing import detector, take_step
        >>> hook = PseudoLabelMonitorHook(interval=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     hook.open(folder)  # in a run: the run folder
        ...     _ = take_step(detector(), hook)
        >>> sum(hook.line["proposed"]), sum(hook.line["kept"]), hook.line["agreement"]
        (10, 10, 1.0)
    """

    phase = Phase.OBSERVE
    priority = "VERY_LOW"
    read_only = True

    def __init__(
        self,
        interval: int = 50,
        *,
        compare_interval: int = 500,
        patience: int = 5,
        evaluations: int = 3,
        truth: dict[str, Any] | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        name = type(self).__name__
        check_range(name, "interval", interval, 1, float("inf"))
        check_range(name, "compare_interval", compare_interval, 0, float("inf"))
        check_range(name, "patience", patience, 1, float("inf"))
        check_range(name, "evaluations", evaluations, 1, float("inf"))
        self.interval, self.compare_interval = interval, compare_interval
        self.truth, self.classes = truth, list(classes or [])
        self.watch = RunWatch(patience, evaluations)
        self.line: dict[str, Any] = {}  # the last one
        self.last = -1
        self.folder: Path | None = None
        self._visualizer: Any = None
        self._labels = LabelCounts()
        self._images = ImageStatistics()
        self._hidden: HiddenTruth | None = None
        self._tally: LabelTally | None = None
        self._quality: PseudoLabelQuality | None = None
        self._restored_counts: dict[str, Any] = {}
        self._agreement: float | None = None
        self._next_comparison = 0

    # ------------------------------------------------------------------ runner events

    def before_run(self, runner: Any) -> None:
        """Attach to a teacher-student model; any other model has nothing to watch."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if isinstance(model, TeacherStudent):
            super().before_run(runner)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a second monitor: both would write the same file."""
        if any(isinstance(hook, type(self)) and hook is not self for hook in model.hooks):
            raise ValueError(
                f"{type(self).__name__}: there are two of them. `ssdet train` adds one; to set its "
                f"arguments, write default_hooks = dict(monitor=dict(type={type(self).__name__!r}, "
                "...)) instead of listing it in custom_hooks"
            )
        super().on_attach(model)

    def before_train(self, runner: Any) -> None:
        """Learn the classes, the labels of the training data, and where to write."""
        if self.model is None:
            return
        super().before_train(runner)
        dataset = runner.train_dataloader.dataset
        meta = getattr(dataset, "metainfo", None) or {}
        self.classes = self.classes or [str(name) for name in meta.get("classes") or []]
        self._labels.count(dataset, self.model.num_classes, limit=COUNTED_IMAGES)
        self.last = runner.max_iters - 1
        self._visualizer = getattr(runner, "visualizer", None)
        self.open(runner.work_dir)

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Look at the validation."""
        if self.model is not None and metrics:
            self._say(self.watch.validated(metrics), runner.iter)

    def open(self, work_dir: str | Path) -> None:
        """Write into this run folder (for a plain PyTorch loop; a runner's own is taken)."""
        self.folder = Path(work_dir)
        if is_main_process():
            (self.folder / STATS).parent.mkdir(parents=True, exist_ok=True)

    # ------------------------------------------------------------------ the step

    def before_student(self, step: Step) -> None:
        """Count the labels after all other hooks have changed them."""
        if step.pseudo is None or step.weak is None:
            return
        tally, quality = self._counts(step)
        tally.add(step)
        if step.iteration % SAMPLED == 0:
            self._images.add(step)
            if step.sup is not None:
                self._labels.add(step.sup, step.model.num_classes, reduce=False)
        if self.truth is not None:
            self._hidden = self._hidden or HiddenTruth(self.truth, self.classes)
            self._hidden.compare(step, quality)
        if (step.iteration + 1) % self.interval == 0 or step.iteration == self.last:
            if self.compare_interval and step.iteration >= self._next_comparison:
                self._agreement = agreement(step)
                self._next_comparison = step.iteration + self.compare_interval
            self._write(step)

    def _counts(self, step: Step) -> tuple[LabelTally, PseudoLabelQuality]:
        if self._tally is None or self._quality is None:
            classes = step.model.num_classes
            self._tally, self._quality = LabelTally(classes), PseudoLabelQuality(classes)
            if self._restored_counts:
                self._tally.merge(self._restored_counts["tally"])
                self._quality.merge(self._restored_counts["quality"])
                self._restored_counts = {}
        return self._tally, self._quality

    def _write(self, step: Step) -> None:
        tally, quality = self._counts(step)
        counted = {"tally": tally.state_dict(), "quality": quality.state_dict()}
        self._tally = self._quality = None
        total, all_quality = LabelTally(tally.classes), PseudoLabelQuality(tally.classes)
        for one in all_gather_object(counted):
            total.merge(one["tally"])
            all_quality.merge(one["quality"])
        labels = self._labels.labels.tolist()
        line = {"iter": step.iteration + 1, "iterations": total.steps, **total.line(self.classes)}
        line["threshold"] = _thresholds(step.model)
        line["momentum"] = _rounded(_momentum(step.model))
        line["drift"] = _rounded(distance_of_classes(line["kept"], labels))
        line["image_shift"] = _rounded(self._images.distance())
        line["agreement"] = _rounded(self._agreement)
        apart = weight_distance(step.model) if step.model.has_twin else None
        line["weight_distance"] = _rounded(apart)
        if self.truth is not None:
            line["truth"] = all_quality.summary(line["unit"])
        self.line = line
        self.watch.labels = labels
        self.watch.amount = self._labels.amount
        if self.folder is not None and is_main_process():
            _append(self.folder / STATS, line)
            if self._visualizer is not None:
                self._visualizer.add_scalars(scalars(line), step=step.iteration + 1)
        self._say(self.watch.look(line), step.iteration + 1)

    def _say(self, found: list[Advice], iteration: int) -> None:
        for one in found:
            print_log(f"Pseudo labels: {one}", logger="current", level=30)
            if self.folder is not None and is_main_process():
                line = {"iter": iteration, "key": one.key, "seen": one.seen, "advice": one.advice}
                _append(self.folder / ADVICE, line)

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Counts since the last line, and what was noticed so far."""
        counts: dict[str, Any] = {}
        if self._tally is not None and self._quality is not None:
            counts = {"tally": self._tally.state_dict(), "quality": self._quality.state_dict()}
        return {
            "counts": counts,
            "watch": self.watch.state_dict(),
            "images": self._images.state_dict(),
            "labels": self._labels.state_dict(),
            "agreement": (self._agreement, self._next_comparison),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        # The checkpoint holds the counts of the first process; added by all, they would be several.
        self._restored_counts = state["counts"] if is_main_process() else {}
        self.watch.load_state_dict(state["watch"])
        self._images.load_state_dict(state["images"])
        self._labels.load_state_dict(state["labels"])
        self._agreement, self._next_comparison = state["agreement"]


# ---------------------------------------------------------------------- numbers


@torch.no_grad()
def agreement(step: Step) -> float | None:
    """How far the student, in eval mode, gives the weak views the labels that were kept, in [0, 1].

    Boxes: 2 x pairs / (boxes of both), where a pair has one class and an IoU of at least 0.5, and
    the student's boxes count from the lowest kept score on. Pixels: the share with the same label.
    """
    views, device = step.weak_views, step.weak_views.inputs.device.type
    with eval_mode(step.model.student), torch.autocast(device, enabled=False):
        found = step.model.label(views, network=step.model.student, needs=())
    if isinstance(step.pseudo, PixelLabels):
        trained = step.pseudo.valid & (step.pseudo.weights > 0)
        same = (found.labels == step.pseudo.labels) & trained
        return float(same.sum() / trained.sum()) if trained.any() else None
    pairs, total = 0, 0
    for own, other in zip(step.pseudo_boxes, found, strict=True):
        kept = own[own.level >= AMBIGUOUS]
        if not len(kept):
            continue
        other = other[other.scores >= kept.scores.min()]
        other = other[other.scores.argsort(descending=True)]
        right, _ = matched(other.bboxes, other.labels, kept.bboxes, kept.labels)
        pairs, total = pairs + 2 * int(right.sum()), total + len(kept) + len(other)
    return pairs / total if total else None


@torch.no_grad()
def weight_distance(model: TeacherStudent) -> float:
    """Distance of the teacher's weights from the student's, as a share of their length."""
    student = [p.float() for p in model.student.parameters()]
    teacher = [p.float() for p in model.teacher.parameters()]
    apart = torch._foreach_sub(teacher, student)
    return float(_length(apart) / _length(student).clamp(min=1e-12))


def _thresholds(model: TeacherStudent) -> list[float] | None:
    """The threshold of each class in the last step, where a hook has one."""
    limits = [limits for hook in model.hooks if (limits := getattr(hook, "last_limits", None))]
    return [round(value, 4) for value in limits[0].upper.tolist()] if limits else None


def _momentum(model: TeacherStudent) -> float | None:
    """The share of the teacher that its last average kept, where a hook averages."""
    found = (getattr(hook, "last_momentum", None) for hook in model.hooks)
    return next((value for value in found if value is not None), None)


def scalars(line: dict[str, Any]) -> dict[str, float]:
    """What of a line goes to the visualizer: numbers for each class and in all."""
    images = max(line["images"], 1)
    found: dict[str, Any] = {
        f"monitor/{key}": line[key]
        for key in ("empty", "momentum", "drift", "image_shift", "agreement", "weight_distance")
    }
    groups = {"ambiguous": line["ambiguous"], "ignored": line["ignored"], **line["dropped"]}
    for kind, counts in groups.items():
        name = f"dropped/{kind}" if kind in line["dropped"] else kind
        found[f"monitor/{name}"] = sum(counts) / images
    for number, name in enumerate(line["classes"]):
        found[f"monitor/kept/{name}"] = line["kept"][number] / images
        found[f"monitor/proposed/{name}"] = line["proposed"][number] / images
        found[f"monitor/score/{name}"] = line["score"][number]
        if line["threshold"] is not None:
            found[f"monitor/threshold/{name}"] = line["threshold"][number]
    for key, value in line.get("truth", {}).get("all", {}).items():
        found[f"monitor/truth/{key}"] = value
    return {key: float(value) for key, value in found.items() if value is not None}


def _length(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack(torch._foreach_norm(list(tensors))).norm()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)


def _append(path: Path, line: dict[str, Any]) -> None:
    append_line(path, json.dumps(line))
