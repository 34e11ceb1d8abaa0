"""Where hooks act in a step, and what they declare about themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from mmengine.logging import print_log
from torch import Tensor

from .phase import Need, Phase, check_needs
from .step import Step

if TYPE_CHECKING:
    from .core import TeacherStudent


class HookPoints:
    """Everything that the core calls on a hook; each point does nothing until it is overridden.

    A hook describes itself with class attributes, and the core acts on them:

    Attributes:
        phase: What it does to a step, which decides when it acts; see `Phase`.
        needs: What the core has to compute for it, beyond the labels; see `phase.NEEDS`.
        selects_labels: It decides which of the teacher's labels are trained on.
        learns_all_pixels: For segmentors: every pixel is trained on, as published; a threshold
            is not required.
        averages_weights: It moves the weights of the teacher.
        needs_twin: It uses parts or features of the teacher as if they were the student's, so the
            teacher must be the student's twin, and not another model (`teacher=dict(...)`).
        read_only: It changes nothing in a step, and may miss a step that is undone.
        reversible: A step can be undone: the hook changes only itself and the model, no files.
        learns_without_labels: It needs the student's pass on views without any label too.
        changes_passes: Its `student_pass` changes single passes of the student, which a joint pass
            does not have; one that only watches says False.
        replaces_loss: Its `student_loss` replaces the student's own unsupervised losses.
        keeps_places: It changes strong views, but what is seen stays where it is.
        follows_length: What it does depends on the length of the run, so that a run of another
            length cannot continue this one.
    """

    phase: ClassVar[Phase | None] = None
    needs: Collection[Need | str] = frozenset()
    selects_labels: ClassVar[bool] = False
    learns_all_pixels: ClassVar[bool] = False
    averages_weights: ClassVar[bool] = False
    needs_twin: ClassVar[bool] = False
    read_only: ClassVar[bool] = False
    reversible: ClassVar[bool] = True
    learns_without_labels: bool = False
    changes_passes: bool = True
    replaces_loss: ClassVar[bool] = False
    keeps_places: ClassVar[bool] = False
    follows_length: bool = False

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that this hook cannot work with; called once."""

    def before_teacher(self, step: Step) -> None:
        """The batches are ready, and nothing else yet; called during the burn-in too."""

    def teacher_pass(self, step: Step) -> AbstractContextManager[Any]:
        """Entered around the teacher's labeling of the weak views."""
        return nullcontext()

    def after_teacher(self, step: Step) -> None:
        """The teacher has labeled the weak views: filter or weight `step.pseudo`."""

    def before_student(self, step: Step) -> None:
        """The labels are in the strong views: change `step.strong` and `step.targets`."""

    def student_pass(self, step: Step, branch: str) -> AbstractContextManager[Any]:
        """Entered around each pass of the student ("sup", "unsup_student", ...): perturb it."""
        return nullcontext()

    def student_loss(self, step: Step, branch: str, outputs: Any) -> dict[str, Tensor]:
        """With `replaces_loss`: the losses of a strong view, from the student's head outputs."""
        raise TypeError(f"{type(self).__name__}: replaces_loss=True needs a method student_loss")

    def after_loss(self, step: Step) -> None:
        """All losses are in `step.losses`: weight them, add to them, log."""


def overrides(hook: Any, point: str) -> bool:
    """Whether a hook overrides a hook point."""
    return getattr(type(hook), point, None) is not getattr(HookPoints, point)


def phase_of(hook: Any) -> Phase:
    """The phase that a hook declares, or a sensible one by what it overrides."""
    declared: Phase | None = getattr(hook, "phase", None)
    if declared is not None:
        return declared
    if hook.selects_labels:
        return Phase.FILTER
    guesses = {
        "before_student": Phase.MIX,
        "after_teacher": Phase.WEIGHT,
        "student_pass": Phase.LOSS,
        "after_loss": Phase.LOSS,
    }
    return next((p for point, p in guesses.items() if overrides(hook, point)), Phase.OBSERVE)


def needs_of(hooks: Collection[Any]) -> frozenset[str]:
    """Everything that these hooks need, together."""
    return frozenset[str]().union(*(check_needs(type(h).__name__, h.needs) for h in hooks))


def log_order(hooks: Sequence[Any]) -> None:
    """Log the order in which hooks act, and which of them declare no phase."""
    if hooks:
        order = [f"{phase_of(hook).name} {type(hook).__name__}" for hook in hooks]
        print_log(f"Hooks act in this order: {', '.join(order)}", logger="current")
    for hook in hooks:
        if hook.phase is None:
            print_log(
                f"{type(hook).__name__} declares no phase; assuming "
                f"Phase.{phase_of(hook).name}. Set phase = Phase.... in the class.",
                logger="current",
                level=30,
            )
