"""A guard that ends the burn-in in time, and takes back what pseudo labels have spoiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.held_out import HeldOutFold
from ..step_hook import StepHook

USEFUL = 0.1  # quality below which a teacher is still at the beginning


@HOOKS.register_module()
class HeldOutGuardHook(StepHook):
    """Do no harm: watch the teacher on labeled images that it is not trained on.

    Every `interval` iterations the teacher labels the images that `held_out` of the
    `LabeledUnlabeledDataset` keeps out of the training: AP at an IoU of 0.5, or the mean IoU of
    pixels, always on the same views.

    * The burn-in ends when `patience` looks in a row were no better, at the latest after `burn_in`
      iterations of the model. Looks before the quality reaches 0.1 do not count.
    * Then, when `patience` looks in a row are worse than the best one by more than `tolerance`, the
      unsupervised losses get the factor `lowered`. When this happens once more, the teacher and its
      student go back to the weights of the best look. The student goes back, too, because an
      average of it would be spoiled again.

    The log says each of these once.

    Args:
        interval: Iterations between two looks.
        patience: Looks in a row that decide.
        tolerance: How much worse than the best look is harm.
        gain: How much better is an improvement, in the burn-in.
        lowered: Factor on the unsupervised losses from the first harm on.
        max_images: Held-out images that are looked at, in all processes together.
        pipeline: Transforms of the held-out images, which should be those of the weak view with
            labels. None: those of the labeled images.

    Examples:
        >>> from ssdet.testing import detector
        >>> model, hook = detector(burn_in=1000), HeldOutGuardHook(patience=3)
        >>> hook.look(model, 0.5), hook.look(model, 0.5)  # what two looks have measured
        (None, None)
        >>> hook.best, hook.looks  # the second one was no better
        (0.5, 1)
        >>> HeldOutGuardHook(lowered=2)
        Traceback (most recent call last):
        ValueError: HeldOutGuardHook: lowered=2 is not in [0, 1]
    """

    phase = Phase.LOSS

    def __init__(
        self,
        *,
        interval: int = 200,
        patience: int = 3,
        tolerance: float = 0.03,
        gain: float = 0.005,
        lowered: float = 0.25,
        max_images: int = 200,
        pipeline: Sequence[Any] | None = None,
    ) -> None:
        name = type(self).__name__
        for key, count in dict(interval=interval, patience=patience, max_images=max_images).items():
            check_range(name, key, count, 1, float("inf"))
        for key, share in dict(tolerance=tolerance, gain=gain, lowered=lowered).items():
            check_range(name, key, share)
        self.interval, self.patience, self.tolerance = interval, patience, tolerance
        self.gain, self.lowered = gain, lowered
        self.max_images, self.pipeline = max_images, pipeline
        self.fold: HeldOutFold | None = None
        self.best, self.best_at = -1.0, 0
        self.looks = 0  # in a row, that were no better (burn-in), or worse (after it)
        self.harms = 0
        self.burn_in: int | None = None  # where it has ended
        self.weights: dict[str, dict[str, Tensor]] = {}  # of the teachers at the best look
        self._seen: float | None = None

    # ------------------------------------------------------------------ hook points

    def before_train(self, runner: Any) -> None:
        """Find the held-out images."""
        self.fold = HeldOutFold.of_runner(
            type(self).__name__, runner, self.pipeline, self.max_images
        )
        super().before_train(runner)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Look when due, before the step is taken."""
        super().before_train_iter(runner, batch_idx, data_batch)
        if self.fold is not None and runner.iter > 0 and runner.iter % self.interval == 0:
            self.look(self.attached_model, self.fold.judged(self.attached_model, 0).quality)

    def before_teacher(self, step: Step) -> None:
        """Lower the weight of the unsupervised losses after a harm."""
        if self.harms:
            step.unsup_weight *= self.lowered
        if self._seen is not None:
            step.log["guard/quality"], self._seen = self._seen, None

    def state_dict(self) -> dict[str, Any]:
        """The best look with its weights, and what has been done."""
        state = {
            name: getattr(self, name) for name in ("best", "best_at", "looks", "harms", "weights")
        }
        return state if self.burn_in is None else {**state, "burn_in": self.burn_in}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them, the end of the burn-in included."""
        for name, value in state.items():
            setattr(self, name, value)
        if self.burn_in is not None:
            self.attached_model.burn_in = self.burn_in

    # ------------------------------------------------------------------ decisions

    def look(self, model: TeacherStudent, quality: float) -> None:
        """What the quality of the teacher on the held-out images means."""
        self._seen = quality
        if model.iteration < model.burn_in:
            self._burn_in(model, quality)
            return
        if quality > self.best:
            self._remember(model, quality)
        harmed = quality < self.best - self.tolerance
        self.looks = self.looks + 1 if harmed else 0
        if self.looks >= self.patience:
            self.looks = 0
            self.harms += 1
            self._act(model, quality)

    def _burn_in(self, model: TeacherStudent, quality: float) -> None:
        better = quality > self.best + self.gain or quality < USEFUL
        self.looks = 0 if better else self.looks + 1
        if quality > self.best:
            self.best, self.best_at = quality, model.iteration
        if self.looks >= self.patience:
            self._tell(
                f"the burn-in ends after {model.iteration} of at most {model.burn_in} iterations: "
                f"{self.patience} looks in a row were no better than {self.best:.3f} at iteration "
                f"{self.best_at}"
            )
            self.burn_in = model.burn_in = model.iteration
            self.looks, self.best = 0, -1.0  # the teacher may start anew, as the student's copy

    def _act(self, model: TeacherStudent, quality: float) -> None:
        """Lower the weight at the first harm, go back at the second one."""
        worse = (
            f"the teacher has fallen from {self.best:.3f} at iteration {self.best_at} to "
            f"{quality:.3f} at iteration {model.iteration} on the held-out images"
        )
        if self.harms == 1:
            self._tell(f"{worse}; the unsupervised losses now count {self.lowered:g} times")
        elif self.harms == 2:
            self._tell(f"{worse}; teacher and student go back to their weights of then")
            for name, (student, teacher) in model.pairs.items():
                teacher.load_state_dict(self.weights[name])
                student.load_state_dict(self.weights[name])

    def _remember(self, model: TeacherStudent, quality: float) -> None:
        self.best, self.best_at = quality, model.iteration
        self.weights = {
            name: {key: value.detach().cpu().clone() for key, value in teacher.state_dict().items()}
            for name, (_, teacher) in model.pairs.items()
        }

    def _tell(self, what: str) -> None:
        print_log(f"{type(self).__name__}: {what}", logger="current", level=30)
