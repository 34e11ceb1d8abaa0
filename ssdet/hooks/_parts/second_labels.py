"""Further labels that the same logits of the student learn, beside the pseudo labels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...labels import IGNORE
from ...losses import masked_cross_entropy
from ...losses.pixels import two_channels
from ...teacher_student.heads import last_decode_head
from ...teacher_student.step import PixelLabels, Step


def add_labels(pseudo: PixelLabels, labels: Tensor) -> int:
    """Let labels (B, H, W) travel into the strong views; in which channel of `extra_labels`."""
    before, own = pseudo.extra_labels, labels[:, None]
    pseudo.extra_labels = own if before is None else torch.cat([before, own], dim=1)
    return 0 if before is None else before.shape[1]


def second_loss(step: Step, name: str, channel: int | None) -> Tensor:
    """Cross entropy of a strong view's logits with these labels, as a mean over valid pixels."""
    model: Any = step.model
    targets = step.targets[name]
    if targets.extra_labels is None or channel is None:
        return step.outputs[name].sum() * 0.0
    labels = targets.extra_labels[:, channel]
    known = ((labels != IGNORE) & targets.valid).float()
    corners = last_decode_head(model.student).align_corners
    logits = two_channels(step.outputs[name].float())
    size = labels.shape[-2:]
    large = F.interpolate(logits, size, mode="bilinear", align_corners=corners)
    return masked_cross_entropy(large, labels, known, targets.valid, model.reduction)
