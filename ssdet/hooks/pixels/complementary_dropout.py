"""Complementary dropout: two strong views each drop the channels that the other keeps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from ...mixing.channels import complementary_masks, scale_channels
from ...registry import HOOKS
from ...teacher_student.phase import Phase
from ...teacher_student.recording import changed_features
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.features import map_levels
from ..step_hook import StepHook

Masks = tuple[Tensor, Tensor]


@HOOKS.register_module()
class ComplementaryDropoutHook(StepHook):
    """Drop every channel of the student's features in one of two strong views (UniMatch V2).

    Yang et al., TPAMI 2025. A mask d1 with the factors 0 and 2, and d2 = 2 - d1 for the other
    view; a part of the pairs of views, drawn again in each step, stays whole. The views have
    separate passes; in a model whose head has batch norm their statistics are therefore
    those of one view each, and with it or without it the labeled images never share a pass.

    Args:
        views: The two strong views.
        intact: Share of the pairs that is left whole, rounded down: with 0.5 half of the images
            of an even batch, and none in a batch of one.
        share_across_stages: One mask for all levels of the features, as for the layers of a plain
            vision transformer (they need the same number of channels). False: masks for each level.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), ComplementaryDropoutHook(intact=0.5), views=2)
        >>> step.log["complementary_dropout/intact"]  # one of the two images stays whole
        tensor(0.5000)
    """

    phase = Phase.LOSS

    def __init__(
        self,
        *,
        views: Sequence[str] = ("unsup_student", "unsup_student_2"),
        intact: float = 0.5,
        share_across_stages: bool = False,
    ) -> None:
        name = type(self).__name__
        check_range(name, "intact", intact)
        if len(views) != 2 or len(set(views)) != 2:
            raise ValueError(f"{name}: views={list(views)!r}: name two different strong views")
        self.views, self.intact = tuple(views), intact
        self.share_across_stages = share_across_stages
        self._intact = torch.zeros(0, dtype=torch.bool)
        self._masks: dict[int, Masks] = {}

    def before_student(self, step: Step) -> None:
        """Draw which pairs stay whole, and clear the masks of the last step."""
        missing = [view for view in self.views if view not in step.strong]
        if missing:
            raise ValueError(
                f"{type(self).__name__}: the batch has no view {missing}, only "
                f"{sorted(step.strong)}. Add it to the views of the pipeline and to its "
                "branch_field, as configs/_base_/datasets/voc12_two_views.py does."
            )
        first, second = (len(step.strong[view].inputs) for view in self.views)
        if first != second:
            raise ValueError(
                f"{type(self).__name__}: {first} images in {self.views[0]}, but {second} in "
                f"{self.views[1]}; each image needs both views"
            )
        self._intact = torch.zeros(first, dtype=torch.bool)
        self._intact[torch.randperm(first)[: int(first * self.intact)]] = True
        self._masks = {}
        step.count("complementary_dropout/intact", self._intact.float().mean())

    def student_pass(self, step: Step, branch: str) -> AbstractContextManager[Any]:
        """Drop channels in the passes of the two views."""
        if branch not in self.views:
            return nullcontext()
        side = self.views.index(branch)

        def drop(level: int, feature: Tensor) -> Tensor:
            masks = self._masks_of(level, feature.shape[1])
            return scale_channels(feature, masks[side])

        return changed_features(step.model.student, lambda found: map_levels(found, drop))

    def _masks_of(self, level: int, channels: int) -> Masks:
        """The two masks of a level; drawn for the view that comes first."""
        level = 0 if self.share_across_stages else level
        if level not in self._masks:
            self._masks[level] = complementary_masks(self._intact, channels)
        masks = self._masks[level]
        if masks[0].shape[1] != channels:
            raise ValueError(
                f"{type(self).__name__}: share_across_stages=True, but the levels have "
                f"{masks[0].shape[1]} and {channels} channels. Set it to False."
            )
        return masks
