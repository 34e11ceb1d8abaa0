"""CutMix of strong views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..mixing import box_mask, paste, sample_box
from ..registry import HOOKS
from ..teacher_student.core import TeacherStudent
from ..teacher_student.schedules import check_range
from ..teacher_student.segmentor import TeacherStudentSegmentor
from ..teacher_student.step import PixelLabels, Step, Views
from .step_hook import StepHook


@HOOKS.register_module()
class CutMixHook(StepHook):
    """Paste a box of another image into each strong view, with its pseudo labels.

    French et al. 2020, with the boxes of UniMatch. Image, label, score, weight and validity are
    cut by the same mask. The partner is the next image of the batch; in a batch of one it is the
    image of the batch before (kept in the checkpoint), and where there is none of the same size
    the image stays as it is and counts in `cutmix/skipped`. The boxes are drawn from PyTorch's
    generator in the main process, for each strong view anew.

    Args:
        prob: Probability, for each image, that something is pasted into it.
        area: Lowest and highest share of the view that the box covers, in (0, 1].
        aspect: Lowest and highest height of the box divided by its width, both measured in the
            height and width of the view.
    """

    def __init__(
        self,
        prob: float = 0.5,
        *,
        area: Sequence[float] = (0.02, 0.4),
        aspect: Sequence[float] = (0.3, 1 / 0.3),
    ) -> None:
        name = type(self).__name__
        check_range(name, "prob", prob)
        self.prob = prob
        self.area = _checked_range(name, "area", area, 1.0)
        self.aspect = _checked_range(name, "aspect", aspect, float("inf"))
        self._previous: dict[str, dict[str, Tensor]] = {}

    def check(self, model: TeacherStudent) -> None:
        """Boxes cannot be cut like pixels: half an object would keep its whole box."""
        if not isinstance(model, TeacherStudentSegmentor):
            raise TypeError(
                f"{type(self).__name__}: mixes the labels of pixels and works with a "
                f"TeacherStudentSegmentor, not with a {type(model).__name__}. Take it out of "
                "custom_hooks."
            )
        super().check(model)

    def before_student(self, step: Step) -> None:
        """Mix every strong view within itself."""
        for name, views in step.strong.items():
            fields = {"inputs": views.inputs, **step.targets[name].fields()}
            partners = self._partners(name, fields)
            step.count("cutmix/skipped", float(partners is None))
            if partners is not None:
                step.targets[name] = self._mix(views, fields, partners)

    def _mix(
        self, views: Views, fields: dict[str, Tensor], partners: dict[str, Tensor]
    ) -> PixelLabels:
        height, width = views.inputs.shape[-2:]
        chosen = (torch.rand(len(views.inputs)) < self.prob).tolist()
        boxes = [
            sample_box((height, width), self.area, self.aspect) if one else None for one in chosen
        ]
        mask = box_mask(boxes, (height, width)).to(views.inputs.device)
        mixed = {key: paste(value, partners[key], mask) for key, value in fields.items()}
        views.inputs = mixed.pop("inputs")
        return PixelLabels(**mixed)

    def _partners(self, name: str, fields: dict[str, Tensor]) -> dict[str, Tensor] | None:
        """For each image another one; None where there is none."""
        if len(fields["inputs"]) > 1:
            return {key: value.roll(1, dims=0) for key, value in fields.items()}
        previous = self._previous.get(name)
        self._previous[name] = {key: value.detach() for key, value in fields.items()}
        if previous is None or previous["inputs"].shape != fields["inputs"].shape:
            return None
        return {key: value.to(fields[key].device) for key, value in previous.items()}

    def state_dict(self) -> dict[str, Any]:
        """The partners of the next batch of one."""
        return {"previous": self._previous} if self._previous else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the partners that were kept."""
        self._previous = dict(state["previous"])


def _checked_range(
    owner: str, name: str, values: Sequence[float], limit: float
) -> tuple[float, float]:
    ordered = len(values) == 2 and 0 < values[0] <= values[1] <= limit
    if not ordered:
        raise ValueError(
            f"{owner}: {name}={values!r} is not (low, high) with 0 < low <= high <= {limit:g}"
        )
    return values[0], values[1]
