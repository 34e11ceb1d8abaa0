"""Which model labels for the student: its twin, the twin of a partner, or another model.

`teacher=dict(...)` of a `TeacherStudentDetector` or a `TeacherStudentSegmentor` is one of

* `dict(model=<config>, checkpoint="weights.pth", ...)`: another model, frozen. It may be of another
  family, have another backbone, other classes and another size of images; see `ForeignTeacher` for
  the further settings. The student has no average then.
* the same with `beside_twin=True`: both. The twin is the teacher; `TeacherFusionHook` combines its
  labels with those of the frozen model.
* `dict(partner="second")`: the teacher is the average of an auxiliary network, which learns beside
  the student from the same batches (`PartnerHook`).

Without `teacher` it is the twin: a model of the student's config, and an average of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

from ..exits import UsageError
from .foreign import ForeignTeacher

if TYPE_CHECKING:
    from .core import TeacherStudent

_HEAD_OUTPUTS = ("teacher_o", "pixel_features")  # needs whose values have the form of a head's
_FORMS = "teacher=dict(model=<config>, checkpoint=<file>) or teacher=dict(partner=<name>)"


@dataclass(frozen=True)
class TeacherPlan:
    """What `teacher=dict(...)` asks for.

    Attributes:
        twin: There is a twin of the student.
        followed: The network that the teacher is an average of.
        foreign: Settings of the frozen model.
    """

    twin: bool = True
    followed: str | None = "student"
    foreign: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: dict[str, Any] | None) -> TeacherPlan:
        """Read the settings; None is the twin alone."""
        if settings is None:
            return cls()
        settings = dict(settings)
        if ("model" in settings) == ("partner" in settings):
            raise UsageError(f"teacher=dict({', '.join(settings)}): give {_FORMS}")
        if "partner" in settings:
            partner = settings.pop("partner")
            if settings:
                raise UsageError(
                    f"teacher: partner={partner!r} leaves nothing else to say, but "
                    f"{', '.join(settings)} is set; a partner sees what the student sees"
                )
            return cls(twin=False, followed=partner)
        beside = settings.pop("beside_twin", False)
        return cls(twin=beside, followed="student" if beside else None, foreign=settings)

    def build(self, model: TeacherStudent, build: Callable[[dict[str, Any]], nn.Module]) -> Any:
        """The frozen model, or the average of the partner."""
        if not self.foreign:
            if self.followed is None or self.followed not in model.auxiliary:
                raise UsageError(
                    f"teacher: partner={self.followed!r} is not one of auxiliary: "
                    f"{sorted(model.auxiliary)}"
                )
            return copy.deepcopy(model.auxiliary[self.followed]).requires_grad_(False)
        settings = dict(self.foreign)
        network = build(settings.pop("model"))
        if hasattr(network, "decode_head") != hasattr(model.student, "decode_head"):
            raise UsageError(
                f"teacher: a {type(network).__name__} cannot label for a "
                f"{type(model.student).__name__}: give a detector a detector, and a segmentor a "
                "segmentor"
            )
        pixels = model.data_preprocessor.inner
        try:
            return ForeignTeacher(network, model.student, pixels, model.num_classes, **settings)
        except TypeError as error:
            unknown = str(error).rpartition("'")[0].rpartition("'")[2]
            if "unexpected keyword" not in str(error) or unknown not in settings:
                raise
            raise UsageError(
                f"teacher: {unknown!r} is not a setting; there are model, checkpoint, classes, "
                "student_classes, class_map, scale, keep_weights and beside_twin"
            ) from None


def check_teacher(model: TeacherStudent, hook: Any) -> None:
    """Refuse a hook that this model's teacher cannot serve."""
    name = type(hook).__name__
    if hook.needs_twin and not model.has_twin:
        raise UsageError(
            f"{name}: uses the teacher as the student's twin, but the teacher is "
            f"{_kind(model)}. Take it out of custom_hooks, or take teacher=... out of the model."
        )
    if hook.averages_weights and not model.pairs:
        raise UsageError(
            f"{name}: averages the student's weights, but the teacher is {_kind(model)} and does "
            f"not follow it. Take it out of custom_hooks."
        )
    asked = [need for need in sorted(hook.needs) if need.startswith(_HEAD_OUTPUTS)]
    if asked and isinstance(model.teacher, ForeignTeacher):
        why = model.teacher.differs(model.student)
        if why:
            raise UsageError(
                f"{name}: needs {asked[0]!r} of the teacher in the form of the student's, but "
                f"{why}. Take it out of custom_hooks, or choose another teacher."
            )


def _kind(model: TeacherStudent) -> str:
    if isinstance(model.teacher, ForeignTeacher):
        return f"another model ({type(model.teacher.network).__name__}), frozen"
    return f"the average of its partner {model.followed!r}"
