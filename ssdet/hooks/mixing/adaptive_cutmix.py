"""AugSeg's CutMix: images that the teacher is unsure of lend annotated pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...mixing import box_around, box_mask, paste
from ...mixing.cutmix import Box
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import PixelLabels, Step
from ...thresholds.entropy import certainty
from .._parts.model_kind import segmentor_only
from .._parts.pixel_mix import fitted, labeled_fields
from ..step_hook import StepHook


@HOOKS.register_module()
class AdaptiveCutMixHook(StepHook):
    """Paste a box of another image, into which annotated pixels come the less sure its label is.

    AugSeg (Zhao et al., CVPR 2023). A partner is drawn for each image, one permutation for the
    batch. With the probability 1 - confidence, a copy of the partner first gets a box of a labeled
    image, with its annotation, score and weight 1; then a box of that copy is pasted into the
    image. The confidence of an image is the mean over its valid pixels of
    (1 - entropy / ln(classes)) * highest probability (log: `adaptive_cutmix/confidence`). A box
    has the sides sqrt(1 - lambda) of the view, its center anywhere from an eighth of them on, and
    is cut off at the border.

    Args:
        labeled: Parameters (a, b) of the Beta distribution of lambda, for labeled boxes; with
            (8, 2) they have a fifth of the view.
        unlabeled: The same for the boxes of the partners; with (4, 4) a half.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), AdaptiveCutMixHook())
        >>> bool(0 <= step.log["adaptive_cutmix/confidence"] <= 1)
        True
    """

    phase = Phase.MIX
    needs = frozenset({"soft"})

    def __init__(
        self, *, labeled: Sequence[float] = (8, 2), unlabeled: Sequence[float] = (4, 4)
    ) -> None:
        for name, given in dict(labeled=labeled, unlabeled=unlabeled).items():
            if len(given) != 2 or min(given) <= 0:
                raise ValueError(
                    f"{type(self).__name__}: {name}={given!r} is not (a, b), two numbers above 0 "
                    "of a Beta distribution"
                )
        self.labeled, self.unlabeled = tuple(labeled), tuple(unlabeled)
        self._confidence: Tensor | None = None

    def on_attach(self, model: TeacherStudent) -> None:
        """Boxes cannot be cut like pixels."""
        other = "; for boxes there is CopyPasteHook"
        super().on_attach(segmentor_only(self, model, "mixes the labels of pixels", instead=other))

    def after_teacher(self, step: Step) -> None:
        """How sure the teacher is of each image."""
        pseudo = step.pseudo_pixels
        if pseudo.soft is None:
            raise ValueError(f"{type(self).__name__}: a hook before it removed the probabilities")
        self._confidence = confidence(pseudo.soft, pseudo.valid)
        step.count("adaptive_cutmix/confidence", self._confidence.mean())

    def before_student(self, step: Step) -> None:
        """Mix every strong view with its partners."""
        if self._confidence is None:
            raise RuntimeError(f"{type(self).__name__}: the teacher labeled nothing in this step")
        drawn = np.random.default_rng(
            int(torch.randint(2**31, (), generator=step.generator(type(self).__name__)))
        )
        for name, views in step.strong.items():
            fields = {"inputs": views.inputs, **step.targets[name].fields()}
            mixed = self._mixed(step, fields, self._confidence, drawn)
            views.inputs = mixed.pop("inputs")
            step.targets[name] = PixelLabels(**mixed)

    def _mixed(
        self, step: Step, fields: dict[str, Tensor], sure: Tensor, drawn: np.random.Generator
    ) -> dict[str, Tensor]:
        inputs = fields["inputs"]
        count, size = len(inputs), (inputs.shape[-2], inputs.shape[-1])
        partner = torch.from_numpy(drawn.permutation(count)).to(inputs.device)
        lent = fields
        if step.sup is not None:
            unsure = drawn.random(count) >= sure.cpu().numpy()
            masks = self._boxes(size, self.labeled, unsure, drawn).to(inputs.device)
            annotated = fitted(labeled_fields(step.sup, fields), count, size)
            lent = {key: paste(fields[key], annotated[key][partner], masks) for key in fields}
            step.count("adaptive_cutmix/annotated", float(unsure.mean()) / len(step.strong))
        masks = self._boxes(size, self.unlabeled, np.ones(count, bool), drawn).to(inputs.device)
        return {key: paste(value, lent[key][partner], masks) for key, value in fields.items()}

    @staticmethod
    def _boxes(
        size: tuple[int, int], beta: Sequence[float], chosen: Any, drawn: np.random.Generator
    ) -> Tensor:
        """A box in each chosen image, all of one size."""
        side = float(np.sqrt(1.0 - drawn.beta(beta[0], beta[1])))
        centers = drawn.uniform(1 / 8, 1, (len(chosen), 2))
        boxes: list[Box | None] = [
            box_around(center, (side, side), size) if one else None
            for one, center in zip(chosen, centers, strict=True)
        ]
        return box_mask(boxes, size)


def confidence(probabilities: Tensor, valid: Tensor) -> Tensor:
    """How sure a teacher is of each image (B,): 1 for one-hot, 0 for even probabilities."""
    probabilities = probabilities.float()
    sure = (certainty(probabilities) * probabilities.amax(1)).where(valid, 0.0)
    return (sure.sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)).clamp(0, 1)
