"""The passes of teacher and student in a step, and what is recorded of them for hooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .foreign import ForeignTeacher
from .joint import joint_pass, pad_alike
from .phase import LAYER, LAYER_INPUT, TEACHER_ON
from .recording import eval_mode, recorded_features, recorded_parts
from .step import PixelLabels, Step, Views, enlarged

if TYPE_CHECKING:
    from .core import TeacherStudent

WEAK, STRONG = "unsup_teacher", "unsup_student"


@contextmanager
def teacher_labels(model: TeacherStudent, step: Step) -> Iterator[None]:
    """Around the teacher's labeling: enter the hooks' contexts, and record what they need."""
    views, needs = step.weak_views, model.needs
    with ExitStack() as stack:
        for hook in model.hooks:
            stack.enter_context(hook.teacher_pass(step))
        features: dict[str, Any] = {}
        if not isinstance(model.teacher, ForeignTeacher):  # whose features are of another frame
            features = stack.enter_context(recorded_features(model.teacher, views.inputs))
        outputs, pixels = _recorded(model, stack, model.teacher, "teacher_outputs")
        yield
    step.teacher_features = features.get("features")
    # Sliding windows make several passes, of which none is of the view.
    if "teacher_outputs" in needs and len(outputs) == 1:
        step.teacher_outputs[WEAK] = outputs[0]
    if "pixel_features" in needs and len(pixels) == 1:
        step.teacher_pixel_features = pixels[0]


@contextmanager
def student_pass(model: TeacherStudent, step: Step, branch: str) -> Iterator[None]:
    """Around a pass of the student: enter the hooks' contexts, and record what they need."""
    inputs = step.branches[branch].inputs
    with ExitStack() as stack:
        for hook in model.hooks:
            stack.enter_context(hook.student_pass(step, branch))
        found: dict[str, Any] = {}
        if "features" in model.needs:
            found = stack.enter_context(recorded_features(model.student, inputs))
        outputs, pixels = _recorded(model, stack, model.student, "student_outputs")
        layers = stack.enter_context(recorded_parts(model.student, _layers(model)))
        yield
    if layers:
        step.layers[branch] = layers
    for kept, name in ((outputs, "outputs"), (pixels, "pixel_features")):
        if kept:
            getattr(step, name)[branch] = kept[-1]
    if found:
        step.features[branch] = found["features"]


def pad_views(model: TeacherStudent, step: Step) -> None:
    """Give the views of a joint pass one size, and the labels of their pixels with them."""
    views = _joint_views(model, step)
    if not views:
        return
    pad_alike(list(views.values()))
    for name, targets in step.targets.items():
        if isinstance(targets, PixelLabels):
            size = views[name].inputs.shape[-2:]
            step.targets[name] = targets.padded(size)
            if name in step.shown:
                step.shown[name] = enlarged(step.shown[name], size, -1)


@contextmanager
def joined(model: TeacherStudent, step: Step) -> Iterator[None]:
    """With `joint_pass`, one pass of the student over all its views."""
    views = _joint_views(model, step)
    if not views:
        yield
        return
    with ExitStack() as recording:
        _, pixels = _recorded(model, recording, model.student, "")
        layers = recording.enter_context(recorded_parts(model.student, _layers(model)))
        with joint_pass(model.student, views, model.joint_heads(), step.derived) as rows:
            recording.close()
            step.rows = rows
            if pixels:
                step.pixel_features = {name: pixels[0][row] for name, row in rows.items()}
            step.layers = {
                # The encoder does not see branches that are derived from others.
                name: {k: v[row] for k, v in layers.items() if row.stop <= len(v)}
                for name, row in rows.items()
            }
            yield


def extra_passes(model: TeacherStudent, step: Step) -> None:
    """Passes without a loss that hooks need: teacher on other branches, student in eval mode."""
    with torch.no_grad():
        for need in sorted(n for n in model.needs if n.startswith(TEACHER_ON)):
            branch = need.removeprefix(TEACHER_ON)
            if branch in step.branches:
                views = step.branches[branch]
                with ExitStack() as recording:
                    _, pixels = _recorded(model, recording, model.teacher, "")
                    step.teacher_outputs[branch] = model.forward_outputs(views, model.teacher)
                if pixels:
                    step.teacher_pixels[branch] = pixels[-1]
        if "weak_outputs" in model.needs:
            with eval_mode(model.student):
                step.weak_outputs = model.forward_outputs(step.weak_views)


def weak_pass(model: TeacherStudent, step: Step) -> None:
    """The student's pass on the weak views, with its graph and without a loss."""
    with student_pass(model, step, WEAK):
        step.outputs[WEAK] = model.forward_outputs(step.weak_views)


def _joint_views(model: TeacherStudent, step: Step) -> dict[str, Views]:
    """What one pass goes over; nothing where each view has a pass of its own."""
    branches = [name for name in ("sup", WEAK) if name in step.branches]
    if WEAK in branches and "weak_pass" not in model.needs:
        branches.remove(WEAK)
    branches += step.targets
    together = model.joint_pass and len(branches) > 1
    return {name: step.branches[name] for name in branches} if together else {}


def _layers(model: TeacherStudent) -> list[str]:
    """Which needs of the hooks are layers of the student."""
    return [need for need in model.needs if need.startswith((LAYER, LAYER_INPUT))]


def _recorded(
    model: TeacherStudent, stack: ExitStack, network: nn.Module, outputs: str
) -> tuple[list[Any], list[Any]]:
    """Lists that fill with the outputs and the features of pixels, if a hook needs them."""
    found: list[Any] = []
    pixels: list[Any] = []
    if outputs in model.needs:
        found = stack.enter_context(model.recorded_outputs(network))
    if "pixel_features" in model.needs:
        pixels = stack.enter_context(model.recorded_pixels(network))
    return found, pixels
