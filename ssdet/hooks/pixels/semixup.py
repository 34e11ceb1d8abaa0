"""Semixup: consistency of two views, of their mixtures, and between both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...registry import HOOKS
from ...teacher_student.core import STRONG
from ...teacher_student.geometry import in_one_frame
from ...teacher_student.schedules import Ramp
from ...teacher_student.step import Step
from ...validation import check_range
from .consistency import ConsistencyHook

SECOND = f"{STRONG}_2"
CLOSE = 1e-4  # what two equal matrices may differ by


@HOOKS.register_module()
class SemixupHook(ConsistencyHook):
    """Squared differences of the student's probabilities for two views and for mixtures of images.

    Semixup (Huy Hoang Nguyen et al., TMI 2021), for pixels. With the probabilities p and q of two
    strong views of an image (u of other images of the first view) and those m of the mixture
    lambda x + (1 - lambda) x_u of images:

    * in the manifold: |p - q|^2;
    * interpolation: |m - (lambda p + (1 - lambda) u)|^2;
    * out of the manifold: |m - p|^2 + |m - q|^2.

    It costs one more pass of the student, and has no pseudo labels: set `unsup_weight=0.0` of the
    model to use it alone. Both strong views must show the same part of an image: move pixels in
    `shared` of `WeakStrongViews`. Mixtures with labeled images, and of these, are left out.

    Args:
        inside, between, outside: Factors on the three.
        alpha: Of the distribution Beta(alpha, alpha) of lambda.
        weight, ramp_length, ramp_kind: See `ConsistencyHook`.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), SemixupHook(), views=2)
        >>> bool(step.losses["unsup_loss_semixup"] > 0)
        True
    """

    loss_name = "semixup"
    needs = frozenset({"student_outputs"})
    needs_labels = False

    def __init__(
        self,
        *,
        inside: float = 2.0,
        between: float = 4.0,
        outside: float = 2.0,
        alpha: float = 0.75,
        weight: float = 1.0,
        ramp_length: int = 0,
        ramp_kind: Ramp = "sigmoid",
    ) -> None:
        super().__init__(weight, ramp_length=ramp_length, ramp_kind=ramp_kind, skip=[SECOND])
        name = type(self).__name__
        for key, value in dict(inside=inside, between=between, outside=outside).items():
            check_range(name, key, value, 0, float("inf"))
        check_range(name, "alpha", alpha, 1e-3, float("inf"))
        self.inside, self.between, self.outside, self.alpha = inside, between, outside, alpha

    def compare(self, step: Step, name: str) -> Tensor:
        """The three differences, summed with their factors and shared by both views."""
        self._check(step)
        first, targets = step.strong[name], step.targets[name]
        size = first.inputs.shape[-2:]
        p, q = (self.enlarged(step.outputs[view], size) for view in (name, SECOND))
        generator = step.generator(type(self).__name__)
        share = self._share(generator)
        order = torch.arange(len(p)).roll(1)
        valid = targets.valid & targets.valid[order]
        inputs = torch.lerp(first.inputs[order], first.inputs, share)
        student: Any = step.model.student
        mixed = self.enlarged(student(inputs, mode="tensor"), size)
        step.count("semixup/share", share)
        parts = (
            self.inside * _squared(p, q, targets.valid),
            self.between * _squared(mixed, torch.lerp(p[order], p, share), valid),
            self.outside * (_squared(mixed, p, valid) + _squared(mixed, q, valid)),
        )
        # The loss of a view is multiplied by its share; this one stands for both.
        return torch.stack(parts).sum() / step.shares[name]

    def _share(self, generator: torch.Generator) -> float:
        """lambda: the ratio of two gamma variates is a beta variate."""
        alpha = torch.full((2,), self.alpha, dtype=torch.float64)
        one, other = torch._standard_gamma(alpha, generator).tolist()
        return one / max(one + other, 1e-12)

    def _check(self, step: Step) -> None:
        views = [step.strong.get(name) for name in (STRONG, SECOND)]
        if views[1] is None or SECOND not in step.outputs:
            raise ValueError(
                f"{type(self).__name__}: compares two strong views, but the unlabeled images have "
                f"{sorted(step.strong)}. Add 'unsup_student_2' to the views of the unlabeled data"
            )
        pairs = zip(*(view.samples for view in views), strict=True)  # type: ignore[union-attr]
        if not all(in_one_frame(one, other, CLOSE) for one, other in pairs):
            raise ValueError(
                f"{type(self).__name__}: the strong views show other parts of the image. Put "
                "resizing, cropping and flipping into `shared` of WeakStrongViews"
            )


def _squared(one: Tensor, other: Tensor, valid: Tensor) -> Tensor:
    """Mean over the classes and the valid pixels."""
    difference = (one - other).square().mean(1).where(valid, 0.0)
    return difference.sum() / valid.sum().clamp(min=1)
