"""The base of all hooks that take part in a teacher-student step."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper

from ..teacher_student.core import TeacherStudent
from ..teacher_student.step import Step

CHECKPOINT_KEY = "step_hooks"


class StepHook(Hook):
    """An MMEngine hook with six more hook points, inside of the training step.

    List it in `custom_hooks` and it attaches itself to the model when the run begins; in a test or
    a plain PyTorch loop, `model.attach(hook)` does the same. What `state_dict` returns (tensors,
    numbers, strings, and lists and dicts of them) travels with the checkpoint.
    """

    model: TeacherStudent | None = None
    read_only = False  # changes nothing in a step, and need not see one that is taken back
    reversible = True  # what it does in a step stays in itself and the model: no files
    _restored: dict[str, Any] | None = None

    def before_teacher(self, step: Step) -> None:
        """The batches are there, and nothing else yet; called in the burn-in too."""

    def teacher_pass(self, step: Step) -> AbstractContextManager[Any]:
        """Entered around the teacher's labeling of the weak views: listen to its parts."""
        return nullcontext()

    def after_teacher(self, step: Step) -> None:
        """The teacher has labeled the weak views: filter or weight `step.pseudo`."""

    def before_student(self, step: Step) -> None:
        """The labels are in the strong views: change `step.strong` and `step.targets`."""

    def student_pass(self, step: Step, branch: str) -> AbstractContextManager[Any]:
        """Entered around each pass of the student ("sup", "unsup_student", ...): perturb it."""
        return nullcontext()

    def after_loss(self, step: Step) -> None:
        """All losses are in `step.losses`: weight them, add to them, log."""

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that this hook cannot work with; called once, when it is attached."""
        self.model = model

    @property
    def attached_model(self) -> TeacherStudent:
        """The model; an error before the hook is attached."""
        if self.model is None:
            raise RuntimeError(f"{type(self).__name__}: attach it to a model first")
        return self.model

    def state_dict(self) -> dict[str, Any]:
        """What this hook has learned or counted so far."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""

    # ------------------------------------------------------------------ runner events

    def before_run(self, runner: Any) -> None:
        """Board the runner's model."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not isinstance(model, TeacherStudent):
            raise TypeError(
                f"{type(self).__name__}: works with a TeacherStudentDetector or a "
                f"TeacherStudentSegmentor, but the model is a {type(model).__name__}. Wrap the "
                "model's config: model = dict(type='TeacherStudentDetector', detector=<config>)."
            )
        model.attach(self)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """The runner says which iteration it is (a checkpoint may have been loaded as a start)."""
        if self.model is not None:
            self.model.iteration = runner.iter

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the state of this hook into the checkpoint."""
        state = self.state_dict()
        if state:
            checkpoint.setdefault(CHECKPOINT_KEY, {})[self._key()] = state

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Keep the state until it is known whether the run is resumed or starts anew from here."""
        self._restored = checkpoint.get(CHECKPOINT_KEY, {}).get(self._key())

    def before_train(self, runner: Any) -> None:
        """A resumed run (not one that only starts from loaded weights) takes up the state."""
        if runner.iter == 0 or self.model is None:
            return
        if self._restored is not None:
            self.load_state_dict(self._restored)
        elif self.state_dict():
            print_log(
                f"{type(self).__name__}: no state of this hook in the checkpoint; it starts afresh",
                logger="current",
                level=30,
            )

    def _key(self) -> str:
        """The class name, numbered where a class is listed more than once."""
        same = [h for h in self.model.hooks if type(h) is type(self)] if self.model else [self]
        number = next(i for i, hook in enumerate(same) if hook is self)
        return type(self).__name__ + (f".{number}" if number else "")


def optimizers_of(runner: Any) -> list[torch.optim.Optimizer]:
    """The optimizers that a runner trains with: mostly one."""
    wrapper = runner.optim_wrapper
    wrappers = wrapper.values() if hasattr(wrapper, "values") else [wrapper]
    return [one.optimizer for one in wrappers]
