"""From the classes of one model to those of another, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor

OWNER = "teacher"


def class_map(
    theirs: Sequence[str] | int,
    ours: Sequence[str] | int,
    renamed: Mapping[str, str] | None = None,
) -> Tensor:
    """The student's class (K,) of each class of the teacher, -1 where the student has none.

    Args:
        theirs: The teacher's classes in its order; their number, if their names are not known.
        ours: The student's, alike.
        renamed: Teacher's name -> student's name, where the two differ. Several may become one.
    """
    if isinstance(theirs, int) or isinstance(ours, int):
        return _in_order(theirs, ours, renamed)
    renamed = dict(renamed or {})
    _check_known("class_map (teacher's names)", renamed, theirs, "classes")
    _check_known("class_map (student's names)", renamed.values(), ours, "student_classes")
    places = {name: number for number, name in enumerate(ours)}
    found = [places.get(renamed.get(name, name), -1) for name in theirs]
    if max(found, default=-1) < 0:
        raise ValueError(
            f"{OWNER}: none of its classes ({_shown(theirs)}) is one of the student's "
            f"({_shown(ours)}). Name pairs: class_map=dict(<teacher's name>=<student's name>)"
        )
    lost = [name for name, place in zip(theirs, found, strict=True) if place < 0]
    missing = [name for place, name in enumerate(ours) if place not in found]
    for names, text in (
        (lost, "of the teacher are none of the student's, and their labels are dropped"),
        (missing, "of the student are unknown to the teacher, which never labels them"),
    ):
        if names:
            print_log(f"{OWNER}: {len(names)} classes {text}: {_shown(names)}", "current")
    return torch.tensor(found)


def _in_order(
    theirs: Sequence[str] | int, ours: Sequence[str] | int, renamed: Mapping[str, str] | None
) -> Tensor:
    """The classes in their order, where names are not known on both sides."""
    counts = [one if isinstance(one, int) else len(one) for one in (theirs, ours)]
    if renamed or counts[0] != counts[1]:
        names = "classes" if isinstance(theirs, int) else "student_classes"
        raise ValueError(
            f"{OWNER}: it has {counts[0]} classes and the student {counts[1]}; to match them by "
            f"name, set {names}=[...] in teacher=dict(...): all names, in the order of the labels"
        )
    if not isinstance(theirs, int):
        print_log(
            f"{OWNER}: its classes are taken as the student's, in this order: {_shown(theirs)}. "
            "With student_classes=[...] they are matched by name",
            "current",
        )
    return torch.arange(counts[0])


def _check_known(where: str, names: Iterable[str], known: Sequence[str], setting: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"{OWNER}: {where}: {unknown[0]!r} is not one of {setting}: {_shown(known)}"
        )


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
