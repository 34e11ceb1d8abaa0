"""What the queries of a DETR of any library predict, before boxes are selected."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.dense_heads import DETRHead
from torch import Tensor

from ...models.hf_detector import HFDetector
from ...teacher_student.core import TeacherStudent
from ...teacher_student.recording import eval_mode
from ...teacher_student.step import Step


def check_queries(owner: str, model: TeacherStudent) -> None:
    """Refuse a student without queries that have sigmoids, in the name of a hook."""
    student: Any = model.student
    head = getattr(student, "bbox_head", None)
    hugging = isinstance(student, HFDetector) and student.kind not in ("detr", "yolos")
    if not hugging and not (isinstance(head, DETRHead) and head.loss_cls.use_sigmoid):
        raise TypeError(
            f"{owner}: matches boxes with the queries of a DETR whose classes are sigmoids (DINO, "
            f"Deformable DETR, RT-DETR), and a {type(student).__name__} has none. Take it out of "
            "custom_hooks, or use another detector."
        )


@torch.no_grad()
def predicted_queries(step: Step, branch: str) -> tuple[Tensor, Tensor]:
    """The student's logits (B, Q, K) and boxes (B, Q, 4), shares of each image; no denoising.

    The pass is taken once in a step, and before hooks mix the views.
    """
    key = f"queries of {branch}"
    if key not in step.notes:
        model, views = step.model, step.strong[branch]
        with eval_mode(model.student):
            if isinstance(model.student, HFDetector):
                step.notes[key] = model.student.queries(views.inputs, views.samples)
            else:
                found = model.forward_outputs(views)
                step.notes[key] = found.cls[-1], found.box[-1]
    predicted: tuple[Tensor, Tensor] = step.notes[key]
    return predicted
