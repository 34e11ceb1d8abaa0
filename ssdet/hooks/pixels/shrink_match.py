"""ShrinkMatch per pixel: learn from uncertain pixels in a smaller space of classes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from torch import Tensor

from ...losses.shrink import Shrunk, shrink_classes, shrink_loss
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.recording import changed_features
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_range
from .._parts.model_kind import segmentor_only
from ..step_hook import StepHook


@HOOKS.register_module()
class ShrinkMatchHook(StepHook):
    """Train on uncertain pixels, with the classes taken out that compete with the first one.

    ShrinkMatch (Yang et al., ICCV 2023) is a method of classification; taking it pixel by pixel is
    our extension. For a pixel below the threshold, the classes after the first one are removed
    until the first one passes; a second head (so that the main one is not disturbed) learns it
    among the classes that are left. The loss of a pixel is multiplied by the teacher's
    probability p_1 (first principle) and all of it by the running share of certain pixels, over
    all processes (second principle). Certain pixels are left to the ordinary loss: add a
    `FixedThresholdHook` with the same threshold.

    Probabilities are mixed before they are sorted, so CutMix may come before or after. The loss is
    named `unsup_loss_shrink`. With two classes none can be removed, and the hook does nothing.

    Args:
        threshold: Above which the first class is certain, in (0, 1].
        head: Name of the second head in the model's `auxiliary`: a decode head (`FCNHead`, ...)
            with the same classes, that takes the same features. Teacher and student do
            not contain it.
        weight: Factor on the loss, beside the unsupervised weight.
        by_score, by_certain_ratio: The first and the second re-weighting.
        momentum: Of the share of certain pixels, in [0, 1].
        stride: One pixel in this many is used in both directions (1: all), with the logits
            at that resolution. 150 classes at full size take gigabytes; 4 takes a sixteenth.

    Examples:
        >>> from ssdet.testing import fcn, segmentor, take_step
        >>> model = segmentor(auxiliary=dict(shrink=fcn()["decode_head"]))
        >>> step = take_step(model, ShrinkMatchHook(threshold=0.95))
        >>> "unsup_loss_shrink" in step.losses
        True
    """

    phase = Phase.LOSS
    needs = frozenset({"soft_targets"})

    def __init__(
        self,
        threshold: float = 0.95,
        *,
        head: str = "shrink",
        weight: float = 1.0,
        by_score: bool = True,
        by_certain_ratio: bool = True,
        momentum: float = 0.999,
        stride: int = 1,
    ) -> None:
        name = type(self).__name__
        check_range(name, "threshold", threshold)
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "momentum", momentum)
        if threshold == 0 or not (isinstance(stride, int) and stride > 0):
            raise ValueError(
                f"{name}: threshold={threshold!r}, stride={stride!r}: a threshold in (0, 1] and a "
                "stride of 1, 2, ... pixels"
            )
        self.threshold, self.head, self.weight = threshold, head, weight
        self.by_score, self.by_certain_ratio = by_score, by_certain_ratio
        self.momentum, self.stride = momentum, stride
        self.ratio: float | None = None
        self._features: dict[str, Any] = {}

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, or has no second head of its classes."""
        name = type(self).__name__
        model = segmentor_only(self, model, "learns pixel by pixel")
        if self.head not in model.auxiliary:
            raise ValueError(
                f"{name}: the model has no auxiliary {self.head!r}, only "
                f"{sorted(model.auxiliary)}. Add auxiliary=dict({self.head}=<config of a decode "
                "head>) to the model."
            )
        given = int(getattr(model.auxiliary[self.head], "out_channels", 0))
        if given != model.num_classes:
            raise ValueError(
                f"{name}: auxiliary {self.head!r} gives {given} channels, but there are "
                f"{model.num_classes} classes. Set its num_classes."
            )
        if model.num_classes == 2:
            print_log(f"{name}: with two classes none can be removed: no loss", "current", 30)
        super().on_attach(model)

    def student_pass(self, step: Step, branch: str) -> AbstractContextManager[Any]:
        """Keep the features of the strong views."""
        if branch not in step.targets:
            return nullcontext()

        def remember(features: Any) -> Any:
            self._features[branch] = features
            return features

        return changed_features(step.model.student, remember)

    def after_loss(self, step: Step) -> None:
        """Add the loss of the uncertain pixels of all strong views."""
        head: Any = step.model.auxiliary[self.head]
        # Connected to every parameter, in steps without unlabeled images too.
        loss = step.model.zero_loss(head)
        parts = {name: self._look(targets) for name, targets in step.targets.items()}
        ratio = self._update(step, list(parts.values())) if parts else 0.0
        for name, (shrunk, valid) in parts.items():
            found = shrink_loss(
                self._logits(step, name, valid), shrunk, valid, by_score=self.by_score
            )
            loss = loss + step.shares[name] * found
        self._features = {}
        factor = step.unsup_weight * self.weight * (ratio if self.by_certain_ratio else 1.0)
        step.losses["unsup_loss_shrink"] = loss * factor

    def _look(self, targets: PixelLabels) -> tuple[Shrunk, Tensor]:
        """The shrunk classes of the pixels that are used, and which are valid."""
        if targets.soft is None:
            raise ValueError(f"{type(self).__name__}: the targets have no probabilities (`soft`)")
        start, step = self.stride // 2, self.stride
        shrunk = shrink_classes(targets.soft[..., start::step, start::step], self.threshold)
        return shrunk, targets.valid[..., start::step, start::step]

    def _update(self, step: Step, parts: list[tuple[Shrunk, Tensor]]) -> float:
        """The running share of certain pixels, over all views and processes."""
        certain = sum((shrunk.certain & valid).sum() for shrunk, valid in parts)
        usable = sum((shrunk.usable & valid).sum() for shrunk, valid in parts)
        count = sum(valid.sum() for _, valid in parts)
        sums = torch.stack([torch.as_tensor(v).double() for v in (certain, usable, count)])
        all_reduce(sums)
        share, used = (float(value / sums[2].clamp(min=1)) for value in sums[:2])
        kept = self.momentum if self.ratio is not None else 0.0
        self.ratio = kept * (self.ratio or 0.0) + (1 - kept) * share
        step.log["shrink/certain"], step.log["shrink/usable"] = share, used
        step.log["shrink/certain_ratio"] = self.ratio
        return self.ratio

    def _logits(self, step: Step, name: str, valid: Tensor) -> Tensor:
        """Logits of the second head, at the resolution of the pixels that are used."""
        features = self._features.get(name)
        if features is None:  # no certain pixel in this view: the student took no pass on it
            student: Any = step.model.student
            features = student.extract_feat(step.strong[name].inputs)
        head: Any = step.model.auxiliary[self.head]
        size = valid.shape[-2:]
        return F.interpolate(
            head(features), size, mode="bilinear", align_corners=head.align_corners
        )

    def state_dict(self) -> dict[str, Any]:
        """The share of certain pixels."""
        return {} if self.ratio is None else {"ratio": self.ratio}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the share."""
        self.ratio = float(state["ratio"])
