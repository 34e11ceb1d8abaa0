"""Features of boxes: what the classifier of a two-stage detector sees of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ...teacher_student.heads import box_forward, box_heads
from ...teacher_student.recording import recorded_input


def box_features(detector: Any, features: Any, boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Input of the first stage's classifier (N, D), and its logits (N, K + 1), for all boxes.

    `features` are those of the pyramid, `boxes` (n, 4) of each image.
    """
    head = box_heads(detector)[0]
    layer = head.fc_cls
    if not sum(len(one) for one in boxes):
        nothing = layer.weight.new_zeros
        return nothing(0, layer.in_features), nothing(0, layer.out_features)
    seen: list[Tensor] = []
    with recorded_input(layer, seen.append):
        logits, _ = box_forward(detector.roi_head, 0, features, boxes)
    return seen[-1], logits
