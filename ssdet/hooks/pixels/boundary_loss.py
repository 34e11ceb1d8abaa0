"""A second mean of the loss, over the pixels at the boundaries of the pseudo labels."""

from __future__ import annotations

from typing import Any

from ...losses import effective_weights
from ...losses.boundaries import boundary_weights, label_boundaries
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_range
from .._parts.model_kind import honors_weights, segmentor_only
from ..step_hook import StepHook


@HOOKS.register_module()
class BoundaryLossHook(StepHook):
    """Add weight * (mean of the loss over boundary pixels that are trained on), as CW-BASS does.

    Tarubinga et al., IJCNN 2025: boundaries are where a Sobel filter finds a gradient in the
    labels of the teacher, those included that the threshold dropped; the border of the image and
    padding make none. In the boundary mean every pixel counts alike, whatever its confidence.

    It changes the weights of the pixels to w + weight * 1[boundary] N / N_boundary, where N is
    what the mean divides by. So it works for any loss that supports weights, in every head, and
    costs no extra pass. It acts on mixed views: at the rim of a pasted box the labels do change.

    Args:
        weight: Factor on the boundary mean; CW-BASS 0.5.
        width: By how many pixels the boundary (2 pixels wide) is widened on either side.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), BoundaryLossHook(weight=0.5))
        >>> step.targets["unsup_student"].weights.max() > 1  # pixels at boundaries weigh more
        tensor(True)
        >>> segmentor(reduction="image").attach(BoundaryLossHook())
        Traceback (most recent call last):
        ValueError: BoundaryLossHook: with reduction='image' all pixels share one weight. ...
    """

    phase = Phase.LOSS

    def __init__(self, weight: float = 0.5, *, width: int = 0) -> None:
        name = type(self).__name__
        check_range(name, "weight", weight, 0, float("inf"))
        if not (isinstance(width, int) and width >= 0):
            raise ValueError(f"{name}: width={width!r} is not a whole number of pixels")
        self.weight, self.width = weight, width

    def on_attach(self, model: TeacherStudent) -> None:
        """Pixels, and a mean in which each has a weight of its own."""
        model = segmentor_only(self, model, "looks for boundaries between pixels")
        honors_weights(self, model)
        if model.reduction == "image":
            raise ValueError(
                f"{type(self).__name__}: with reduction='image' all pixels share one weight. "
                "Set the model's reduction to 'kept' (CW-BASS) or 'valid'."
            )
        super().on_attach(model)

    def before_student(self, step: Step) -> None:
        """Raise the weights at boundaries, in each strong view."""
        for targets in step.targets.values():
            self._raise(step, targets)

    def _raise(self, step: Step, targets: PixelLabels) -> None:
        model: Any = step.model
        boundary = label_boundaries(targets.labels, self.width)
        trained = effective_weights(targets.weights, targets.valid, model.reduction) > 0
        per = (trained if model.reduction == "kept" else targets.valid).sum().clamp(min=1)
        step.count("boundary/share", (boundary & trained).sum() / per / len(step.targets))
        added = boundary_weights(targets.weights, boundary, targets.valid, per=per)
        targets.weights = targets.weights + self.weight * added
