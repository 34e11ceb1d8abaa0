"""Nested dropout: features in the order of what they are worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from ...mixing.channels import nested_mask, scale_channels
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.layers import check_layer
from ..step_hook import StepHook


@HOOKS.register_module()
class NestedDropoutHook(StepHook):
    """The student's classifier sees only the first k channels of its input, k drawn by chance.

    Inspired by "Compressing features for learning with noisy labels" (Chen et al., TNNLS 2022): few
    ordered features cannot learn wrong labels by heart. We could not read how k is drawn there;
    here it is half-normal. Each image (of boxes: each proposal) has its own k. The teacher and an
    evaluation see all channels. Their sum is not scaled, so a classifier of few channels is one of
    less certainty.

    Args:
        layer: Name of a layer of the student, whose input (N, C) or (B, C, H, W) is cut:
            "roi_head.bbox_head.fc_cls", "decode_head.conv_seg".
        deviation: Of k, as a share of the channels; 1 keeps all of them in a third of the draws.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), NestedDropoutHook("decode_head.conv_seg"))
        >>> 0 < step.log["nested_dropout/kept"] < 1
        tensor(True)
    """

    phase = Phase.LOSS

    def __init__(self, layer: str, *, deviation: float = 1.0) -> None:
        check_range(type(self).__name__, "deviation", deviation, 0, float("inf"))
        self.layer, self.deviation = layer, deviation

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a student without this layer."""
        check_layer(self, model.student, self.layer)
        super().on_attach(model)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Cut the input of the layer."""
        layer: nn.Module = step.model.student.get_submodule(self.layer)
        generator = step.generator(f"{type(self).__name__}.{branch}")

        def cut(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            features, *others = inputs
            rows, channels = features.shape[:2]
            mask = nested_mask(rows, channels, self.deviation, generator)
            if len(mask) and "nested_dropout/kept" not in step.log:
                step.log["nested_dropout/kept"] = mask.mean()
            return (scale_channels(features, mask), *others)

        handle = layer.register_forward_pre_hook(cut)
        try:
            yield
        finally:
            handle.remove()
