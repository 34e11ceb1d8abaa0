"""Equivariance: a deformed image has the deformed labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...labels import IGNORE
from ...mixing.deformation import affine_grid, deform, elastic_offsets, flip_grid
from ...registry import HOOKS
from ...teacher_student.schedules import Ramp
from ...teacher_student.step import Step
from ...validation import check_range
from .consistency import ConsistencyHook


@HOOKS.register_module()
class EquivarianceHook(ConsistencyHook):
    """f(E(x)) = E(f(x)) for random deformations E of the student's views (DS6, 2020).

    The student sees each view a second time, deformed; this output is compared with its deformed
    first output, as probabilities, where both lie inside of the image. No label is needed: the
    deformation is known. It costs another pass of the student for each view.

    Args:
        weight, ramp_length, ramp_kind: Factor on the loss; see `ConsistencyHook`.
        rotation: Largest angle in degrees, to both sides.
        scale: Smallest and largest enlargement.
        shift: Largest shift, as a share of the side.
        flip: Probability of a mirrored image (left to right).
        elastic, points: Largest movement of the points x points control points, as a share of the
            side; 0 for none.
        labeled: Deform the labeled images too; with the same factor, from the first iteration.
        detach: The deformed first output is a target and gets no gradient.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), EquivarianceHook(rotation=10.0))
        >>> bool(step.losses["unsup_loss_equivariance"] > 0)
        True
    """

    loss_name = "equivariance"
    needs_labels = False
    needs_soft = False

    def __init__(
        self,
        weight: float = 1.0,
        *,
        ramp_length: int = 0,
        ramp_kind: Ramp = "sigmoid",
        rotation: float = 15.0,
        scale: Sequence[float] = (0.9, 1.1),
        shift: float = 0.05,
        flip: float = 0.0,
        elastic: float = 0.03,
        points: int = 5,
        labeled: bool = False,
        detach: bool = False,
    ) -> None:
        super().__init__(weight, ramp_length=ramp_length, ramp_kind=ramp_kind)
        name = type(self).__name__
        check_range(name, "rotation", rotation, 0, 180)
        for key, value in dict(shift=shift, flip=flip, elastic=elastic).items():
            check_range(name, key, value)
        check_range(name, "points", points, 2, float("inf"))
        if not (len(scale) == 2 and 0 < scale[0] <= scale[1]):
            raise ValueError(f"{name}: scale={scale!r} is not (low, high) with 0 < low <= high")
        self.rotation, self.scale, self.shift, self.flip = rotation, tuple(scale), shift, flip
        self.elastic, self.points, self.labeled, self.detach = elastic, points, labeled, detach

    def after_loss(self, step: Step) -> None:
        """Add a loss for each strong view and, with `labeled`, for the labeled ones."""
        super().after_loss(step)
        if self.labeled and "sup" in step.outputs:
            step.losses[f"sup_loss_{self.loss_name}"] = self.weight * self.compare(step, "sup")

    def compare(self, step: Step, name: str) -> Tensor:
        """Mean squared difference between f(E(x)) and E(f(x))."""
        inputs, valid = _seen(step, name)
        grid = self.grid(len(inputs), inputs.shape[-2:], inputs.device)
        first = self.enlarged(step.outputs[name], inputs.shape[-2:])
        deformed, inside = deform(inputs, grid)
        student: Any = step.model.student
        output = self.enlarged(student(deformed.to(inputs.dtype), mode="tensor"), inputs.shape[-2:])
        expected, _ = deform(first.detach() if self.detach else first, grid)
        # A pixel whose four sources are not all valid is mixed with what is not there.
        whole = deform(valid[:, None].float(), grid)[0][:, 0] > 1 - 1e-4
        counted = whole & inside
        difference = (output - expected).square().mean(1).where(counted, 0.0)
        step.count("equivariance/seen", counted.float().mean())
        return difference.sum() / counted.sum().clamp(min=1)

    def grid(self, batch: int, shape: Sequence[int], device: torch.device) -> Tensor:
        """Random deformations (B, H, W, 2)."""
        draw = torch.rand(batch, 5, device=device)
        signs = draw * 2 - 1
        low, high = self.scale
        grid = affine_grid(
            signs[:, 0] * self.rotation,
            low + (high - low) * draw[:, 1],
            signs[:, 2:4] * self.shift,
            shape,
        )
        if self.elastic:
            grid = grid + elastic_offsets(batch, shape, self.elastic, self.points, device=device)
        return flip_grid(grid, draw[:, 4] < self.flip)


def _seen(step: Step, name: str) -> tuple[Tensor, Tensor]:
    """The images of a view, and where they are valid."""
    if name != "sup":
        return step.strong[name].inputs, step.targets[name].valid
    views: Any = step.sup
    return views.inputs, torch.cat(list(_labeled(views.samples))) != IGNORE


def _labeled(samples: list[Any]) -> Iterator[Tensor]:
    return (sample.gt_sem_seg.data for sample in samples)
