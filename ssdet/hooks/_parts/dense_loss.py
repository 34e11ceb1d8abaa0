"""What hooks share that teach a dense head by the teacher's dense predictions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.dense_heads import (
    AnchorHead,
    ATSSHead,
    FCOSHead,
    GFLHead,
    RTMDetHead,
    RTMDetSepBNHead,
)
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from torch import Tensor

from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import between, in_one_frame
from ...teacher_student.hook_points import phase_of
from ...teacher_student.outputs import DenseOutputs
from ...teacher_student.passes import WEAK
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ..step_hook import StepHook
from .model_kind import detector_only

# Heads whose `forward` gives logits and boxes of independent sigmoids for each prior.
HEADS = (AnchorHead, ATSSHead, FCOSHead, GFLHead, RTMDetHead, RTMDetSepBNHead)
CLOSE = 1e-3  # what two equal matrices may differ by


@dataclass(frozen=True)
class DenseBatch:
    """Teacher and student at the same priors of a batch.

    Attributes:
        teacher, student: Their outputs, with maps of one size.
        valid: Which priors (B, P) are centered in the image, not in the padding.
    """

    teacher: DenseOutputs
    student: DenseOutputs
    valid: Tensor


class DenseLossHook(StepHook):
    """Replaces the losses of the strong views: each prior of the student learns from the teacher's.

    No boxes are selected, so neither thresholds nor weights of boxes matter. The strong view must
    have the geometry of the weak one, and other pixels at most.
    """

    phase = Phase.LOSS
    needs = frozenset({"teacher_outputs"})
    needs_twin = True
    selects_labels = True
    replaces_loss = True
    learns_without_labels = True

    @abstractmethod
    def dense_losses(self, step: Step, batch: DenseBatch) -> dict[str, Tensor]:
        """The losses of one strong view."""

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without dense heads of the known kinds."""
        detector: Any = detector_only(self, model, "compares dense heads").student
        head = getattr(detector, "bbox_head", None)  # two-stage detectors have it elsewhere
        heads = (kind for kind in type(head).__mro__ if issubclass(kind, BaseDenseHead))
        owner = next((kind for kind in heads if "forward" in vars(kind)), None)
        known = owner in HEADS or isinstance(head, FCOSHead)
        if not known or not getattr(head, "use_sigmoid_cls", True):
            raise TypeError(
                f"{type(self).__name__}: compares what teacher and student say about each place, "
                "and works with heads of RetinaNet, FCOS, ATSS, GFL and RTMDet (with sigmoids), "
                f"not with a {type(detector).__name__} ({type(head).__name__}). Take it out of "
                "custom_hooks, or use another detector."
            )
        super().on_attach(model)

    def before_teacher(self, step: Step) -> None:
        """Refuse views in which a place of the one is not the same place of the other."""
        mixing = [h for h in step.model.hooks if phase_of(h) is Phase.MIX and not h.keeps_places]
        if mixing:
            raise ValueError(
                f"{type(self).__name__}: compares teacher and student place by place, and "
                f"{type(mixing[0]).__name__} moves what is seen in the strong view. Take one of "
                "the two out of custom_hooks."
            )
        for name, views in step.strong.items():
            self._check_geometry(name, step.weak_views.samples, views.samples)

    def student_loss(self, step: Step, branch: str, outputs: Any) -> dict[str, Tensor]:
        """The losses of a strong view."""
        teacher: Any = step.teacher_outputs.get(WEAK)
        if not isinstance(teacher, DenseOutputs):  # the weak views were labeled in parts
            with torch.no_grad():
                teacher = step.model.forward_outputs(step.weak_views, step.model.teacher)
        # A joint pass pads the student's views to the size of the labeled ones.
        pairs = zip(teacher.sizes, outputs.sizes, strict=True)
        sizes = [(min(a[0], b[0]), min(a[1], b[1])) for a, b in pairs]
        teacher, student = teacher.cut(sizes), outputs.cut(sizes)
        valid = teacher.inside(step.strong[branch].samples)
        return self.dense_losses(step, DenseBatch(teacher, student, valid))

    def _check_geometry(self, view: str, weak: Sequence[Any], strong: Sequence[Any]) -> None:
        for one, other in zip(weak, strong, strict=True):
            if in_one_frame(one, other, CLOSE):
                continue
            matrix = between(one, other).round(3).tolist()
            raise ValueError(
                f"{type(self).__name__}: compares teacher and student place by place, but weak and "
                f"strong view differ in their geometry ({view!r} of "
                f"{other.metainfo.get('img_path', 'an image')}: {one.img_shape[:2]} and "
                f"{other.img_shape[:2]}, from one to the other {matrix}). Put "
                "all transforms that move pixels into `shared` of WeakStrongViews."
            )
