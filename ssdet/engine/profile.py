"""Where the time of a training step goes: `ssdet train --profile`."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from ..exits import replacing
from ..registry import HOOKS
from ..teacher_student.core import TeacherStudent
from ..validation import check_range

FOLDER = "profile"
IMAGES, OTHER, PAUSE = "waiting for images", "everything else", "evaluation and checkpoints"
STEP_POINTS = ("before_teacher", "after_teacher", "before_student", "student_loss", "after_loss")
STUDENT = "student's passes"
STEP_CONTEXTS = ("teacher_pass", "student_pass")
RUNNER_POINTS = ("before_train_iter", "after_train_iter")


class Stopwatch:
    """Seconds by name. A section within another one interrupts it: nothing counts twice.

    Args:
        clock: Tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._names: list[str] = []
        self._since = clock()

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """What happens in the context is added to `name`."""
        self._pass()
        self._names.append(name)
        try:
            yield
        finally:
            self._pass()
            self._names.pop()

    def _pass(self) -> None:
        now = self.clock()
        if self._names:
            self.seconds[self._names[-1]] += now - self._since
        self._since = now

    def timed(self, name: str, function: Callable) -> Callable:
        """The function, with its time added to `name`."""

        def run(*args: Any, **kwargs: Any) -> Any:
            with self.section(name):
                return function(*args, **kwargs)

        return run

    def timed_context(self, name: str, function: Callable) -> Callable:
        """A function that returns a context: entering and leaving it count, its body does not."""

        def run(*args: Any, **kwargs: Any) -> Any:
            return self._around(name, function(*args, **kwargs))

        return run

    @contextmanager
    def _around(self, name: str, context: AbstractContextManager) -> Iterator[Any]:
        with self.section(name):
            value = context.__enter__()
        try:
            yield value
        except BaseException as error:
            with self.section(name):
                caught = context.__exit__(type(error), error, error.__traceback__)
            if not caught:
                raise
        else:
            with self.section(name):
                context.__exit__(None, None, None)


@HOOKS.register_module()
class ProfileHook(Hook):
    """Measures some iterations, and logs the share of each hook and pass in their time.

    Afterwards the run goes on untouched. The table is also in `profile/steps.json` of the run's
    folder, and a trace of one more iteration in `profile/trace.json`, which
    https://ui.perfetto.dev shows. Measuring waits for the GPU at each section,
    so that a step takes a little longer than it does alone.

    Args:
        iterations: How many are measured.
        warmup: Iterations before, which are slower than others.
    """

    priority = "VERY_LOW"

    def __init__(self, iterations: int = 50, warmup: int = 10) -> None:
        check_range(type(self).__name__, "iterations", iterations, 1, float("inf"))
        check_range(type(self).__name__, "warmup", warmup, 0, float("inf"))
        self.iterations, self.warmup = iterations, warmup
        self._undo: list[Callable[[], None]] = []
        self._trace: Any = None

    def before_train(self, runner: Any) -> None:
        """Note where the run starts."""
        self._done = -self.warmup
        if self._done == 0:
            self._start(runner)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Start, end, and trace one more iteration."""
        self._done += 1
        if self._done == 0:
            self._start(runner)
        elif self._done == self.iterations and self._undo:
            self._end(runner)
            self._trace = torch.profiler.profile()
            self._trace.__enter__()
        elif self._trace is not None:
            self._end_trace(runner)

    def after_train(self, runner: Any) -> None:
        """The run ends sooner: say what was measured so far."""
        if self._trace is not None:
            self._end_trace(runner)
        if self._undo:
            self._end(runner)
        elif self._done < 0 and is_main_process():
            runner.logger.warning(
                f"ProfileHook: nothing was measured: the run has {self._done + self.warmup} "
                f"iterations, and warmup={self.warmup}"
            )

    def _start(self, runner: Any) -> None:
        if not is_main_process():
            return
        synchronize = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
        self.watch = watch = Stopwatch(lambda: (synchronize(), time.perf_counter())[1])
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self._wrap(runner.train_loop, "run_iter", OTHER)
        if runner.val_loop is not None:
            self._wrap(runner.val_loop, "run", PAUSE)
        self._wrap(runner.optim_wrapper, "update_params", "optimizer")
        self._wrap(runner.optim_wrapper, "backward", "backward")
        self._wrap(model.data_preprocessor, "forward", "images to the device")
        if isinstance(model, TeacherStudent):
            self._wrap(model.student, "forward", STUDENT)
            # Losses of tasks of their own, and head outputs, do not come from `forward`.
            self._wrap(model, "student_losses", STUDENT)
            self._wrap(model, "forward_outputs", STUDENT, self._timed_if_own)
            self._wrap(model, "label", "teacher's labels")
            for hook in model.hooks:
                for point in STEP_POINTS:
                    self._wrap(hook, point, type(hook).__name__)
                for point in STEP_CONTEXTS:
                    self._wrap(hook, point, type(hook).__name__, watch.timed_context)
        for hook in runner.hooks:
            for point in RUNNER_POINTS if hook is not self else ():
                self._wrap(hook, point, type(hook).__name__)
        self._root = watch.section(IMAGES)
        self._root.__enter__()

    def _timed_if_own(self, name: str, function: Callable) -> Callable:
        """Time the student's own passes, and not those of a network that is given."""
        timed = self.watch.timed(name, function)

        def run(views: Any, network: Any = None) -> Any:
            return timed(views) if network is None else function(views, network)

        return run

    def _wrap(self, owner: Any, name: str, section: str, how: Callable | None = None) -> None:
        """Time a method of one object; `_end` puts it back."""
        setattr(owner, name, (how or self.watch.timed)(section, getattr(owner, name)))
        self._undo.append(lambda: delattr(owner, name))

    def _end(self, runner: Any) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo = []
        self._root.__exit__(None, None, None)
        seconds = {k: v for k, v in self.watch.seconds.items() if k != PAUSE}
        steps = min(self._done, self.iterations)
        folder = Path(runner.work_dir) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / "steps.json") as path:
            milliseconds = {k: v / steps * 1000 for k, v in seconds.items()}
            path.write_text(json.dumps(dict(iterations=steps, milliseconds=milliseconds), indent=1))
        runner.logger.info(f"{table(seconds, steps)}\nAlso in {folder}")

    def _end_trace(self, runner: Any) -> None:
        self._trace.__exit__(None, None, None)
        with replacing(Path(runner.work_dir) / FOLDER / "trace.json") as path:
            self._trace.export_chrome_trace(str(path))
        self._trace = None


def table(seconds: dict[str, float], steps: int) -> str:
    """Milliseconds and shares of a step, the largest first."""
    total = sum(seconds.values()) or 1.0
    lines = [
        f"{value / steps * 1000:9.1f} ms {value / total:6.1%}  {name}"
        for name, value in sorted(seconds.items(), key=lambda item: -item[1])
    ]
    head = f"A step of {total / steps * 1000:.1f} ms, mean of {steps}:"
    return "\n".join([head, *lines])
