"""Checkpoints of plain models, of a teacher or of a student alone, read into both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from .foreign import ForeignTeacher

if TYPE_CHECKING:
    from .core import TeacherStudent

ROLES = ("student.", "teacher.")


def drop_other_teachers(model: TeacherStudent, state: dict[str, Any], prefix: str) -> None:
    """Remove, in place, the teacher of a run that had one of another kind than this model has."""
    if model.has_twin:
        known = any(key.startswith(f"{prefix}teacher.network.") for key in state)
        known = known or f"{prefix}teacher.sha256" in state
    else:
        foreign = isinstance(model.teacher, ForeignTeacher)
        known = foreign and f"{prefix}teacher.sha256" not in state
    for key in [k for k in state if known and k.startswith(f"{prefix}teacher.")]:
        del state[key]


def spread_to_both(
    state: dict[str, Any], prefix: str, model: dict[str, Tensor], *, twin: bool = True
) -> str:
    """Complete a state dict in place so that it has a student and a teacher; return what is left.

    A plain checkpoint gives its weights to both; one with a student or a teacher alone gives them
    to the other too. Returns a sentence on tensors that keep their initial values, or "". Where
    the teacher is no `twin`, only the student's are completed.
    """
    if not twin:
        return _student_only(state, prefix, model)
    roles = [role for role in ROLES if any(key.startswith(prefix + role) for key in state)]
    if not roles:
        for key in [key for key in state if key.startswith(prefix)]:
            if key[len(prefix) :] == "_iteration":
                continue
            value = state.pop(key)
            for role in ROLES:
                state[prefix + role + key[len(prefix) :]] = value
    elif len(roles) == 1:
        missing = next(role for role in ROLES if role not in roles)
        for key in [key for key in state if key.startswith(prefix + roles[0])]:
            state[prefix + missing + key[len(prefix + roles[0]) :]] = state[key]
    text = _left_out(state, prefix + "student.", model)
    if len(roles) < 2:
        # It is a start, not a run to go on with: layers for other classes are not wanted.
        _drop_others(state, prefix, model)
    return text


def _student_only(state: dict[str, Any], prefix: str, model: dict[str, Tensor]) -> str:
    """A plain checkpoint becomes the student; a teacher of another kind has its own weights."""
    if any(key.startswith(prefix + role) for key in state for role in ROLES):
        return ""
    for key in [key for key in state if key.startswith(prefix)]:
        if key[len(prefix) :] != "_iteration":
            state[prefix + ROLES[0] + key[len(prefix) :]] = state.pop(key)
    for key, wanted in model.items():
        found = state.get(f"{prefix}student.{key}")
        if found is not None and found.shape != wanted.shape:
            del state[f"{prefix}student.{key}"]
    return _left_out(state, prefix + "student.", model)


def _drop_others(state: dict[str, Any], prefix: str, model: dict[str, Tensor]) -> None:
    """Remove what has another shape; MMEngine would list every tensor of it."""
    for key in [prefix + role + key for role in ROLES for key in model]:
        wanted = model[key[len(prefix) :].split(".", 1)[1]]
        if key in state and state[key].shape != wanted.shape:
            del state[key]


def _left_out(state: dict[str, Any], prefix: str, model: dict[str, Tensor]) -> str:
    def found(key: str) -> Tensor | None:
        # `DomainNorm` fills its twin from the plain layer, where a checkpoint has no twin.
        return state.get(prefix + key, state.get(prefix + key.replace(".labeled.", ".")))

    lost = [
        key
        for key, tensor in model.items()
        if (known := found(key)) is None or known.shape != tensor.shape
    ]
    if not lost:
        return ""
    shown = ", ".join(lost[:5]) + (", ..." if len(lost) > 5 else "")
    return (
        f"{len(lost)} of {len(model)} tensors of the model are missing in the checkpoint or have "
        f"another shape there, and keep their initial values in student and teacher: {shown}"
    )
