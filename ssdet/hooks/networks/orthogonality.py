"""A penalty on weights that are far from orthogonal."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from ...losses.orthogonality import orthogonality
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class OrthogonalityHook(StepHook):
    """Add the spectral distance of layers from orthogonality (SRIP) to the loss.

    FedSTO (Kim et al., NeurIPS 2023) has it on all layers but those of the backbone, in its second
    phase. One of the two factors, and which layers exactly, we could not read.

    Args:
        layers: A regular expression; a layer is penalized if it is found at the start of its name.
            Layers without a matrix (norms, biases) never are.
        weight: Factor on the sum over the layers.
        steps: Of the power iteration in a training step; it goes on from where it was.
        begin: Iterations before the penalty begins.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), OrthogonalityHook("decode_head"))
        >>> bool(step.losses["sup_loss_orthogonality"] > 0)
        True
    """

    phase = Phase.LOSS

    def __init__(
        self, layers: str = "(?!backbone)", *, weight: float = 1e-4, steps: int = 2, begin: int = 0
    ) -> None:
        name = type(self).__name__
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "steps", steps, 1, float("inf"))
        check_range(name, "begin", begin, 0, float("inf"))
        self.layers, self.weight, self.steps, self.begin = layers, weight, steps, begin
        self.vectors: dict[str, Tensor] = {}

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse an expression that no layer has."""
        super().on_attach(model)
        if not self._matrices(model):
            raise ValueError(
                f"{type(self).__name__}: layers={self.layers!r} is the start of no layer with a "
                "matrix of weights. Give one of model.student.named_parameters()"
            )

    def _matrices(self, model: TeacherStudent) -> dict[str, Tensor]:
        return {
            name: parameter
            for name, parameter in model.student.named_parameters()
            if parameter.ndim > 1 and parameter.requires_grad and re.match(self.layers, name)
        }

    def after_loss(self, step: Step) -> None:
        """Add the penalty."""
        total = step.model.zero_loss()
        if step.iteration >= self.begin:
            for name, parameter in self._matrices(step.model).items():
                size = min(len(parameter), parameter[0].numel())
                start = self.vectors.get(name)
                if start is None:  # all processes alike
                    start = torch.full((size,), size**-0.5, device=parameter.device)
                    start = start * (1 + 0.1 * torch.cos(torch.arange(size).to(start)))
                value, self.vectors[name] = orthogonality(parameter, start, self.steps)
                total = total + value
        step.losses["sup_loss_orthogonality"] = total * self.weight

    def state_dict(self) -> dict[str, Any]:
        """The vectors of the power iterations."""
        return {"vectors": {name: v.cpu() for name, v in self.vectors.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the vectors."""
        self.vectors = dict(state["vectors"])
