"""The base of all hooks that take part in a teacher-student step."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper

from .. import total_batch
from ..renamed import current
from ..teacher_student.core import TeacherStudent
from ..teacher_student.hook_points import HookPoints
from ..teacher_student.phase import Phase as Phase

CHECKPOINT_KEY = "step_hooks"


class StepHook(HookPoints, Hook):
    """An MMEngine hook that also takes part in the training step; the points are in `HookPoints`.

    List it in `custom_hooks` and it attaches itself to the model when the run starts; in a test or
    a plain PyTorch loop, `model.attach(hook)` does the same. The core sorts hooks by their `phase`,
    so that their order in the list matters only within one phase. What `state_dict` returns
    (tensors, numbers, strings, and lists and dicts of them) travels with the checkpoint.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> class CountHook(StepHook):  # logs how many boxes the teacher finds in an image
        ...     phase = Phase.OBSERVE
        ...     def after_teacher(self, step):
        ...         step.count("boxes", len(step.pseudo[0]))
        >>> take_step(detector(), CountHook()).log["boxes"]
        tensor(5.)
    """

    model: TeacherStudent | None = None
    _restored: dict[str, Any] | None = None

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
        """Restore a state that `state_dict` returned."""

    # ------------------------------------------------------------------ runner events

    def before_run(self, runner: Any) -> None:
        """Attach to the runner's model."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not isinstance(model, TeacherStudent):
            raise TypeError(
                f"{type(self).__name__}: works with a TeacherStudentDetector or a "
                f"TeacherStudentSegmentor, but the model is a {type(model).__name__}. Wrap the "
                "model's config: model = dict(type='TeacherStudentDetector', detector=<config>)."
            )
        if getattr(runner, "seed", None) is not None:
            # With a seed of its own for each rank, MMEngine has added the rank.
            alike = not getattr(runner, "_randomness_cfg", {}).get("diff_rank_seed", False)
            model.seed = runner.seed if alike else runner.seed - get_rank()
        model.attach(self)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Set the iteration from the runner (a checkpoint may have been loaded as a start)."""
        if self.model is not None:
            self.model.iteration = runner.iter

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the state of this hook into the checkpoint."""
        state = self.state_dict()
        if state:
            checkpoint.setdefault(CHECKPOINT_KEY, {})[self._key()] = state

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Keep the state until it is known whether the run is resumed or starts from weights."""
        saved = checkpoint.get(CHECKPOINT_KEY, {})
        states = {_current(key): state for key, state in saved.items()}
        self._restored = states.get(self._key())

    def before_train(self, runner: Any) -> None:
        """A resumed run (not one that only starts from loaded weights) restores the state.

        `total_batch` is compared here, too: MMEngine's own runner does not know it.
        """
        total_batch.check_total_batch(getattr(runner, "cfg", {}), get_world_size(), ours=False)
        if runner.iter == 0 or self.model is None:
            return
        if self._restored is not None:
            self.load_state_dict(self._restored)
        elif self.state_dict():
            print_log(
                f"{type(self).__name__}: no state in the checkpoint; it starts from scratch",
                logger="current",
                level=30,
            )

    def _key(self) -> str:
        """The class name, numbered where a class is listed more than once."""
        same = [h for h in self.model.hooks if type(h) is type(self)] if self.model else [self]
        number = next(i for i, hook in enumerate(same) if hook is self)
        return current(type(self).__name__) + (f".{number}" if number else "")


def _current(key: str) -> str:
    """The key of a state, with the current class name."""
    name, dot, number = key.partition(".")
    return current(name) + dot + number


def optimizers_of(runner: Any) -> list[torch.optim.Optimizer]:
    """The optimizers that a runner trains with: usually one."""
    wrapper = runner.optim_wrapper
    wrappers = wrapper.values() if hasattr(wrapper, "values") else [wrapper]
    return [one.optimizer for one in wrappers]
