"""iMAS: hard images learn less, from weaker augmentations."""

from __future__ import annotations

import torch

from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import in_one_frame
from ...teacher_student.phase import Phase
from ...teacher_student.recording import eval_mode
from ...teacher_student.step import Step
from ...thresholds.hardness import Version, ease
from ...validation import check_choice, check_range
from .._parts.model_kind import segmentor_only
from ..step_hook import StepHook

MEASURE = "ease"


@HOOKS.register_module()
class HardnessHook(StepHook):
    """Weigh each image, and the strength of its strong view, by how easy it is.

    iMAS (Zhao et al., CVPR 2023). An image is easy if teacher and student (both in eval mode, on
    the weak view) agree and are sure: half of the sum of two IoUs, weighted by the classes' share
    of the pixels, times the shares of pixels above `score`. What it decides: the weight of its
    pixels; how much of the strong view is shown, x <- ease x_strong + (1 - ease) x_weak; and, by
    `EaseCutMixHook`, whether CutMix takes place and of which partner. It costs a pass of the
    student without gradient.

    Args:
        score: From which score on a pixel is sure, in [0, 1].
        version: "mean", or "weighted" by these shares; see `ssdet.thresholds.hardness.ease`.
        weigh: Multiply the weights of the pixels.
        blend: Blend the first strong view with the weak one, which must show the same pixels.
        background: A class that does not count in the IoUs. (The authors leave out class 0, so that
            images that show nothing else have no loss; on Cityscapes class 0 is the road.)

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), HardnessHook(score=0.0))
        >>> bool((step.measures["ease"] == 1).all())  # the teacher is a copy of the student
        True
    """

    phase = Phase.WEIGHT

    def __init__(
        self,
        score: float = 0.7,
        *,
        version: Version = "mean",
        weigh: bool = True,
        blend: bool = True,
        background: int | None = None,
    ) -> None:
        check_range(type(self).__name__, "score", score)
        check_choice(type(self).__name__, "version", version, Version)
        self.score, self.version, self.background = score, version, background
        self.weigh, self.blend = weigh, blend

    def on_attach(self, model: TeacherStudent) -> None:
        """Boxes have no map to compare."""
        super().on_attach(segmentor_only(self, model, "compares label maps"))

    def after_teacher(self, step: Step) -> None:
        """Compare teacher and student."""
        model, pseudo = step.model, step.pseudo_pixels
        with eval_mode(model.student):
            student = model.label(step.weak_views, model.student, ())
        found = ease(
            (pseudo.labels, pseudo.scores),
            (student.labels, student.scores),
            pseudo.valid & student.valid,
            classes=model.num_classes,
            score=self.score,
            version=self.version,
            background=self.background,
        )
        step.measures[MEASURE] = found
        step.count("hardness/ease", found.mean())
        if self.weigh:
            pseudo.weights = pseudo.weights * found[:, None, None]

    def before_student(self, step: Step) -> None:
        """Show hard images more weakly."""
        if not self.blend or not step.strong:
            return
        name = next(iter(step.strong))
        strong, weak = step.strong[name], step.weak_views
        for source, target in zip(weak.samples, strong.samples, strict=True):
            same = strong.inputs.shape == weak.inputs.shape and in_one_frame(source, target)
            if not same:
                raise ValueError(
                    f"{type(self).__name__}: blend=True shows the strong and the weak view in one, "
                    "but they show other parts of the image. Put resizing, cropping and flipping "
                    "into `shared` of WeakStrongViews, or set blend=False."
                )
        share = step.measures[MEASURE].view(-1, 1, 1, 1).to(strong.inputs.dtype)
        strong.inputs = torch.lerp(weak.inputs, strong.inputs, share)
