"""In which order hooks act in a step, and what the core can compute for them."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, get_args


class Phase(IntEnum):
    """What a hook does to a step; hooks act in this order, whatever the order of the list.

    Two hooks of one phase keep the order of the list.
    """

    LABEL = 0
    """Sets the teacher's labels: fused views, other networks, external labels."""
    FILTER = 1
    """Decides which of them count: thresholds."""
    WEIGHT = 2
    """Weights the labels that are left."""
    MEMORY = 3
    """Keeps labels for later steps, or brings back those of earlier ones."""
    MIX = 4
    """Changes images and their targets together."""
    LOSS = 5
    """Adds, weights or replaces losses; perturbs the student's passes."""
    OBSERVE = 6
    """Logs, draws; averages weights after the step."""


Need = Literal[
    "soft",
    "soft_targets",
    "objectness",
    "teacher_outputs",
    "student_outputs",
    "weak_outputs",
    "weak_pass",
    "features",
    "pixel_features",
    "shown",
]
NEEDS: dict[str, str] = {
    "soft": "segmentors: probabilities of all classes in the labels, `step.pseudo.soft`",
    "soft_targets": "the same, transferred into the strong views: `step.targets[view].soft`",
    "objectness": "detectors: `PseudoBoxes.objectness`, where the detector has such a number",
    "teacher_outputs": "the teacher's head outputs for the weak views: `step.teacher_outputs`",
    "student_outputs": "the student's head outputs for a branch, with their graph: `step.outputs`",
    "weak_outputs": "the student on the weak views, in eval mode, no graph: `step.weak_outputs`",
    "weak_pass": "the student on the weak views, with its graph: `step.outputs['unsup_teacher']`",
    "features": "the student's `extract_feat` of each branch, with its graph: `step.features`",
    "pixel_features": "segmentors: what `conv_seg` sees, `step.pixel_features` of the student and "
    "`step.teacher_pixel_features`",
    "shown": "segmentors: which image a pixel of a mixed strong view shows: `step.shown`",
}
TEACHER_ON = "teacher_on:"  # + a branch: the teacher's outputs on it, after mixing
# + the name of a layer: what it gives, or gets first, for each branch of the student
LAYER, LAYER_INPUT = "layer:", "layer_input:"


def check_needs(owner: str, needs: object) -> frozenset[str]:
    """The needs of a hook, as a set; a ValueError if the core does not know one."""
    if isinstance(needs, str) or not isinstance(needs, (set, frozenset, tuple, list)):
        raise ValueError(f"{owner}: needs={needs!r} is not a set of names, such as {{'soft'}}")
    prefixes = (TEACHER_ON, LAYER, LAYER_INPUT)
    unknown = sorted(n for n in needs if n not in get_args(Need) and not n.startswith(prefixes))
    if unknown:
        raise ValueError(
            f"{owner}: needs={sorted(needs)}: {unknown[0]!r} is not one of {list(NEEDS)}, "
            f"'{TEACHER_ON}<branch>', '{LAYER}<name>' or '{LAYER_INPUT}<name>'"
        )
    return frozenset(needs)
