"""Perturbation of features: the stream of UniMatch that no image augmentation reaches."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from torch import Tensor

from ...mixing.channels import channel_mask, scale_channels
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.passes import WEAK
from ...teacher_student.phase import Phase
from ...teacher_student.recording import changed_features
from ...teacher_student.step import Derived, Step, Views
from ...validation import check_range
from .._parts.features import map_levels
from ..step_hook import StepHook

BRANCH = "unsup_student_features"


@HOOKS.register_module()
class FeaturePerturbationHook(StepHook):
    """One more stream: the weak view, with channels dropped from the student's features.

    UniMatch (Yang et al., CVPR 2023). Whole channels of every level that the encoder gives to the
    head are set to 0, the others scaled up; masks are drawn again for each image and level. The
    labels are the teacher's for the weak view, not mixed with those of another image. The losses
    are called `unsup_features_...`.

    Works for boxes and pixels. Training costs one more pass of the student, or, with `shared` and
    the model's `joint_pass=True`, one more pass of its heads: as in the official code, the stream
    is made of the features that the encoder gives in the pass of all views, and those of the
    labeled images are perturbed beside it, for the batch statistics of the heads alone.

    Args:
        prob: Probability of each channel to be dropped, in [0, 1).
        share: Share of the unsupervised weight that this stream gets, in (0, 1); the image views
            divide the rest among them as before. UniMatch: 0.5.
        shared: Take the features of the weak view from the joint pass.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), FeaturePerturbationHook(prob=0.5, share=0.5))
        >>> step.shares  # one more view of the same images, with dropped channels
        {'unsup_student': 0.5, 'unsup_student_features': 0.5}
    """

    phase = Phase.LOSS

    def __init__(self, prob: float = 0.5, *, share: float = 0.5, shared: bool = False) -> None:
        name = type(self).__name__
        check_range(name, "prob", prob)
        check_range(name, "share", share)
        if prob == 1 or share in (0, 1):
            raise ValueError(
                f"{name}: prob={prob}, share={share}: a prob of 1 leaves no feature, a share of 0 "
                "or 1 leaves one side without a loss. Use numbers in between, or no hook."
            )
        self.prob, self.share, self.shared = prob, share, shared
        self.changes_passes = not shared
        self.needs = frozenset({"weak_pass"} if shared else ())

    def on_attach(self, model: TeacherStudent) -> None:
        """Features are shared in a joint pass, and nowhere else."""
        name = type(self).__name__
        if self.shared and not model.joint_pass:
            raise ValueError(
                f"{name}: shared=True takes the features from the pass of all views, but the "
                "model has joint_pass=False. Set joint_pass=True, or shared=False."
            )
        if self.shared and not model.joint_heads():
            raise TypeError(
                f"{name}: shared=True: no head of this {type(model.student).__name__} takes part "
                "in a joint pass. Set shared=False and joint_pass=False."
            )
        super().on_attach(model)

    def before_student(self, step: Step) -> None:
        """Add the stream, with the labels of the weak view."""
        weak = step.weak_views
        views = Views(weak.inputs, [sample.clone() for sample in weak.samples])
        # The transfer into the frame of the weak view itself, as for any other view.
        alone = replace(step, strong={BRANCH: views}, log={})
        step.targets[BRANCH] = step.model.transfer(alone)[BRANCH]
        step.strong[BRANCH] = views
        for name in step.shares:
            step.shares[name] *= 1 - self.share
        step.shares[BRANCH] = self.share
        if self.shared:
            labeled = ("sup",) if step.sup is not None else ()
            # The same pixels in another tensor: the pass tells views apart by their inputs.
            views.inputs = weak.inputs.view_as(weak.inputs)
            step.derived[BRANCH] = Derived((*labeled, WEAK), self._perturb)

    def student_pass(self, step: Step, branch: str) -> AbstractContextManager[Any]:
        """Drop channels, in this stream alone."""
        if self.shared or branch != BRANCH:
            return nullcontext()
        return changed_features(step.model.student, self._perturb)

    def _perturb(self, features: Any) -> Any:
        return map_levels(features, self._drop)

    def _drop(self, level: int, feature: Tensor) -> Tensor:
        return scale_channels(feature, channel_mask(feature.shape[0], feature.shape[1], self.prob))
