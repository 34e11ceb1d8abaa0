"""Validation and test of teacher and student, with one reading of each image."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.runner import TestLoop, ValLoop, autocast

from ..exits import UsageError
from ..registry import LOOPS
from ..run_files import QUALITY, WORST
from .checkpoint_file import write_text

MODELS = ("teacher", "student")


@LOOPS.register_module()
class TeacherStudentLoop(ValLoop):
    """Evaluate teacher and student; metrics are named `teacher/...` and `student/...`.

    Each image is read once and passed to both. A model without a teacher gets an ordinary
    validation with ordinary names.

    Args:
        models: which of the two to evaluate; the first one's predictions are what other hooks see.
        **kwargs: as `mmengine.runner.ValLoop`.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: Any,
        evaluator: Any,
        *,
        models: Sequence[str] = MODELS,
        **kwargs: Any,
    ) -> None:
        self.models = _checked(models)
        # The evaluator's config is used up when it is built, so copy it first.
        spare = None if isinstance(evaluator, Evaluator) else copy.deepcopy(evaluator)
        super().__init__(runner, dataloader, evaluator, **kwargs)
        self.evaluators = {self.models[0]: self.evaluator}
        for name in self.models[1:]:
            second = copy.deepcopy(evaluator) if spare is None else runner.build_evaluator(spare)
            second.dataset_meta = self.evaluator.dataset_meta
            self.evaluators[name] = second
        self.qualities: dict[str, Any] = {}
        self.worst: Any = None
        self.truth: Any = None
        self.said = ""

    def run(self) -> dict[str, Any]:
        """Launch validation."""
        if not _has_teacher(self.runner):
            return super().run()
        # Not before it is needed: metrics of all kinds are imported with it.
        from ..evaluation.by_score import QualityByScore
        from ..evaluation.truth import BoxTruth
        from ..evaluation.worst import WorstImages

        self.runner.call_hook("before_val")
        self.runner.call_hook("before_val_epoch")
        self.runner.model.eval()
        self.truth = self.truth or BoxTruth(self.dataloader.dataset)
        self.worst = WorstImages(self.truth)
        with role_kept(self.runner) as model:
            known = self.truth, getattr(model, "probabilities", None)
            self.qualities = {name: QualityByScore(*known) for name in self.models}
            for evaluator in self.evaluators.values():
                set_model(model, evaluator)
            for index, batch in enumerate(self.dataloader):
                self._run_both(model, index, batch)
        size = len(self.dataloader.dataset)
        metrics = {
            f"{name}/{key}": value
            for name, evaluator in self.evaluators.items()
            for key, value in evaluator.evaluate(size).items()
        }
        self._write_quality()
        self.runner.call_hook("after_val_epoch", metrics=metrics)
        self.runner.call_hook("after_val")
        return metrics

    def _write_quality(self) -> None:
        """How often each model is right at each score, for the report and `ssdet browse`."""
        found = {name: quality.summary() for name, quality in self.qualities.items()}
        folder = Path(self.runner.work_dir)
        if self.runner.iter == 0 or not is_main_process():
            return
        if not all(found.values()):
            for old in (QUALITY, WORST):  # of an earlier validation; it would pass for this one's
                (folder / old).unlink(missing_ok=True)
            self._say_why_not()
            return
        meta = getattr(self.evaluator, "dataset_meta", None) or {}
        unit = next(iter(self.qualities.values())).unit
        classes = [str(name) for name in meta.get("classes") or ()]
        content = {"iter": self.runner.iter, "unit": unit, "classes": classes, "models": found}
        write_text(json.dumps(content) + "\n", folder / QUALITY)
        self.worst.write(folder, meta)

    def _say_why_not(self) -> None:
        problems = (quality.problem for quality in self.qualities.values())
        why = next(filter(None, problems), "no image has labels that its predictions fit")
        if why != self.said:  # once in a run
            self.said = why
            self.runner.logger.info(f"The validation writes no {QUALITY}: {why}")

    @torch.no_grad()
    def _run_both(self, model: Any, index: int, batch: Any) -> None:
        self.runner.call_hook("before_val_iter", batch_idx=index, data_batch=batch)
        # Predictions are written into the batch's samples: those of the last model stay there.
        for name in reversed(self.models):
            model.predict_with = name
            with autocast(enabled=self.fp16):
                outputs = self.runner.model.val_step(batch)
            self._look(name, outputs, batch)
            self.evaluators[name].process(data_samples=outputs, data_batch=batch)
        self.runner.call_hook("after_val_iter", batch_idx=index, data_batch=batch, outputs=outputs)

    def _look(self, name: str, outputs: Any, batch: Any) -> None:
        """Count what the report shows beside the metrics."""
        if self.runner.iter == 0:
            return
        quality = self.qualities[name]
        quality.add(outputs)
        if name == self.models[0] and not quality.problem:
            self.worst.add(outputs, batch)


@LOOPS.register_module()
class TeacherStudentTestLoop(TestLoop):
    """Test with the teacher (or the student); a plain model is tested as it is.

    Args:
        model: `teacher` or `student`.
        **kwargs: as `mmengine.runner.TestLoop`.
    """

    def __init__(self, *args: Any, model: str = "teacher", **kwargs: Any) -> None:
        (self.model,) = _checked([model])
        super().__init__(*args, **kwargs)

    def run(self) -> dict[str, Any]:
        """Launch test."""
        if not _has_teacher(self.runner):
            return super().run()
        with role_kept(self.runner) as model:
            model.predict_with = self.model
            set_model(model, self.evaluator)
            return super().run()


@contextmanager
def role_kept(runner: Any) -> Iterator[Any]:
    """Yield the teacher-student model; on exit its `predict_with` is as before."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    before = model.predict_with
    try:
        yield model
    finally:
        model.predict_with = before


def set_model(model: Any, evaluator: Any) -> None:
    """Pass the model to those metrics that have a method `set_model(model)`."""
    for metric in evaluator.metrics:
        if hasattr(metric, "set_model"):
            metric.set_model(model)


def _has_teacher(runner: Any) -> bool:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return hasattr(model, "predict_with")


def _checked(models: Sequence[str]) -> tuple[str, ...]:
    wrong = [name for name in models if name not in MODELS]
    if wrong or not models or len(set(models)) != len(models):
        raise UsageError(f"models={list(models)!r}: expected some of {list(MODELS)}, each once")
    return tuple(models)
