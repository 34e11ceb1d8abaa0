"""Hard pixels of labeled images, with a loss that is their mean."""

from __future__ import annotations

from typing import Any

import torch
from mmseg.structures.sampler import BasePixelSampler
from torch import Tensor

from ..registry import TASK_UTILS
from ..teacher_student.heads import stages
from ..validation import check_range


@TASK_UTILS.register_module()
class HardPixelSampler(BasePixelSampler):
    """Online hard example mining whose loss is the mean over the hard pixels only.

    As `ProbOhemCrossEntropy2d` of CPS and UniMatch. MMSegmentation's `OHEMPixelSampler` keeps the
    same pixels and divides by all labeled ones: with few hard pixels its loss is several times
    smaller, and the unsupervised loss too strong by the same factor.

    Args:
        context: The decode head; its losses are cross entropies with `avg_non_ignore=True`.
        thresh: A pixel is hard if its true class has at most this probability.
        min_kept: At least this many pixels are kept for each image of the batch. With fewer labeled
            pixels than that, all of them are.
    """

    def __init__(self, context: Any, thresh: float = 0.7, min_kept: int = 100000) -> None:
        super().__init__()
        name = type(self).__name__
        check_range(name, "thresh", thresh)
        check_range(name, "min_kept", min_kept, 1, float("inf"))
        for loss in stages(context.loss_decode):
            if not getattr(loss, "avg_non_ignore", False) or loss.class_weight is not None:
                raise ValueError(
                    f"{name}: {type(loss).__name__} does not divide by the number of labeled "
                    "pixels. In loss_decode use CrossEntropyLoss with avg_non_ignore=True and "
                    "no class_weight, or MMSegmentation's OHEMPixelSampler."
                )
        self.context, self.thresh, self.min_kept = context, thresh, min_kept

    @torch.no_grad()
    def sample(self, seg_logit: Tensor, seg_label: Tensor) -> Tensor:
        """Weights (B, H, W) for logits (B, C, H, W) and labels (B, 1, H, W)."""
        labels = seg_label[:, 0].long()
        valid = labels != self.context.ignore_index
        least, labeled = self.min_kept * len(labels), int(valid.sum())
        if not labeled or least > labeled:
            return valid.float()
        right = labels.where(valid, 0)[:, None]
        scores = seg_logit.float().softmax(1).gather(1, right)[:, 0]
        limit = scores[valid].sort().values[least - 1].clamp(min=self.thresh)
        hard = (valid & (scores <= limit)).float()
        # The loss divides by all labeled pixels.
        return hard * (labeled / hard.sum())
