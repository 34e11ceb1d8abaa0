"""Dual Teacher: a new teacher in each period, with another way to mix."""

from __future__ import annotations

from collections.abc import Sequence

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.pixel_mix import PixelMixHook
from .teacher_ema import Buffers, TeacherEMAHook


@HOOKS.register_module()
class TemporaryTeachersHook(TeacherEMAHook):
    """Start the teacher anew in each period, so that it does not become one with its student.

    Dual Teacher (Na et al., NeurIPS 2023): two teachers take turns, and the one whose turn begins
    becomes a copy of the student. So one set of weights is enough: with each period the teacher is
    a copy again, then a running mean, then an average with the full momentum. What takes turns,
    too, is the mixing, so that the teachers have taught different things.

    Takes the place of `TeacherEMAHook`. (`DualTeacherHook` is another method, with two students.)

    Args:
        period: Iterations of a turn; an epoch in the paper.
        momentum: Share of the teacher that an update keeps, after the running mean.
        mixes: Classes of mixing hooks of the list, in the order of the turns; each of them acts in
            its turn alone. None: nothing takes turns.
        view: A strong view with a fixed share of the loss: the implicit consistency, which is not
            mixed (`skip` of the mixing hooks).
        share: Of this view, while all others together have 1.
        buffers: As in `TeacherEMAHook`.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> from ssdet.hooks import ClassMixHook, CutMixHook
        >>> turns = TemporaryTeachersHook(1, mixes=["CutMixHook", "ClassMixHook"])
        >>> model = segmentor()
        >>> step = take_step(model, turns, CutMixHook(prob=1.0), ClassMixHook())
        >>> sorted(key for key in step.log if key.endswith("mix/skipped"))  # the first turn
        ['cutmix/skipped']
    """

    def __init__(
        self,
        period: int,
        *,
        momentum: float = 0.99,
        mixes: Sequence[str] | None = ("CutMixHook", "ClassMixHook"),
        view: str | None = None,
        share: float = 0.2,
        buffers: Buffers = "ema",
    ) -> None:
        super().__init__(momentum, schedule="mean", buffers=buffers)
        check_range(type(self).__name__, "period", period, 1, float("inf"))
        check_range(type(self).__name__, "share", share, 0, float("inf"))
        self.period, self.mixes = int(period), tuple(mixes or ())
        self.view, self.share = view, share

    def before_teacher(self, step: Step) -> None:
        """At the beginning of a turn: a copy of the student; and the mixing of the turn."""
        since = step.iteration - step.model.burn_in
        if since >= 0 and since % self.period == 0:
            step.model.copy_student()
            self.updates = 0
        if self.mixes:
            turn = max(since, 0) // self.period
            self._choose(step, self.mixes[turn % len(self.mixes)])
        step.log["temporary_teachers/turn"] = float(max(since, 0) // self.period)

    def before_student(self, step: Step) -> None:
        """Give the view of the implicit consistency its share, and the others the rest."""
        if self.view is None or self.view not in step.shares:
            return
        others = len(step.shares) - 1
        for name in step.shares:
            step.shares[name] = self.share if name == self.view else 1 / max(others, 1)

    def _choose(self, step: Step, name: str) -> None:
        """Let the hooks of one class mix, and the others that take turns rest."""
        hooks = [hook for hook in step.model.hooks if isinstance(hook, PixelMixHook)]
        missing = [m for m in self.mixes if all(type(hook).__name__ != m for hook in hooks)]
        if missing:
            raise ValueError(
                f"{type(self).__name__}: mixes={list(self.mixes)}: {missing[0]} is not in "
                "custom_hooks. Add it, or set mixes to those that are there."
            )
        for hook in hooks:
            if type(hook).__name__ in self.mixes:
                hook.active = type(hook).__name__ == name

    def _notice_loaded(self, model: TeacherStudent) -> None:
        """Loaded teachers are overwritten at the first turn: no mean goes on from them."""
