"""The step: the only thing that travels through a training iteration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from mmengine.structures import InstanceData
from torch import Tensor

if TYPE_CHECKING:
    from .core import TeacherStudent

# How far a pseudo box is trusted. HIGH and AMBIGUOUS boxes are trained on with their weights; a
# LOW box says "something may be here": no loss is taken from the region that it covers.
HIGH, AMBIGUOUS, LOW = 2, 1, 0


@dataclass
class Views:
    """One branch of the batch after the data preprocessor.

    `inputs` is (B, C, H, W), normalized and padded at the bottom and the right; `samples` are
    MMDetection's or MMSegmentation's data samples, with the geometry of the view in their metainfo.
    """

    inputs: Tensor
    samples: list[Any]


@dataclass
class PixelLabels:
    """Pseudo labels of pixels, each field (B, H, W).

    A pixel of weight 0 is not trained on but counts in the mean; a pixel that is not valid
    (padding, outside of the view) does not exist for the loss at all. `soft` are the teacher's
    probabilities (B, C, H, W), for hooks that asked for them (`model.keep_soft = True`). `others`
    are the labels (B, N, H, W) that N further networks are to learn, 255 where nothing is said.
    """

    labels: Tensor
    scores: Tensor
    weights: Tensor
    valid: Tensor
    soft: Tensor | None = None
    extra_labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def map(self, change: Any) -> PixelLabels:
        """The same change, made to every field that is there."""
        return PixelLabels(**{name: change(field) for name, field in self.fields().items()})

    def fields(self) -> dict[str, Tensor]:
        """What is there, by name."""
        return {name: field for name, field in vars(self).items() if field is not None}


PseudoLabels: TypeAlias = "list[InstanceData] | PixelLabels"


@dataclass
class Step:
    """What the hook points of one iteration hand on; hooks read it and change it in place.

    Attributes:
        model: The `TeacherStudent` that takes the step.
        iteration: Number of iterations done before this one.
        sup, weak, strong: The branches `sup`, `unsup_teacher` and `unsup_student` (with further
            strong views `unsup_student_2`, ...); an absent branch is None or missing.
        pseudo: The teacher's labels in the frame of the weak view. Boxes: one `InstanceData` for
            an image with `bboxes, labels, scores, weight_cls, weight_box, level` (and `masks`).
            Pixels: one `PixelLabels` for the batch.
        dropped: Boxes that hooks took out, one dict of reason to `InstanceData` for an image.
        targets: What the student learns from, for each strong view, after the transfer into its
            frame: data samples (boxes) or `PixelLabels`.
        teacher_features: What the teacher's `extract_feat` gave for the weak views when it
            labeled them; None where it did not see them whole (sliding windows).
        outputs: The student's logits of each branch, as its head gave them and with gradient, for
            hooks of segmentors that asked for them (`model.keep_outputs = True`).
        unsup_weight: Factor on the unsupervised losses, ramp included.
        shares: The part of `unsup_weight` that each strong view gets; equal parts at first.
        losses: Losses so far, with the prefixes `sup_` and `unsup_`.
        log: Scalars for the log; a name must not contain "loss".
    """

    model: TeacherStudent
    iteration: int
    sup: Views | None = None
    weak: Views | None = None
    strong: dict[str, Views] = field(default_factory=dict)
    pseudo: PseudoLabels | None = None
    dropped: list[dict[str, InstanceData]] = field(default_factory=list)
    targets: dict[str, Any] = field(default_factory=dict)
    teacher_features: Any = None
    outputs: dict[str, Tensor] = field(default_factory=dict)
    unsup_weight: float = 1.0
    shares: dict[str, float] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)
    log: dict[str, float | Tensor] = field(default_factory=dict)

    @property
    def weak_views(self) -> Views:
        """The weak views, in a step that has them."""
        if self.weak is None:
            raise ValueError("this step has no weak view ('unsup_teacher') to label")
        return self.weak

    @property
    def pseudo_boxes(self) -> list[InstanceData]:
        """The pseudo labels of a detector, one `InstanceData` for an image."""
        if isinstance(self.pseudo, PixelLabels) or self.pseudo is None:
            raise TypeError("this step has no pseudo boxes: its model labels pixels, or not yet")
        return self.pseudo

    @property
    def pseudo_pixels(self) -> PixelLabels:
        """The pseudo labels of a segmentor."""
        if not isinstance(self.pseudo, PixelLabels):
            raise TypeError("this step has no pixel labels: its model finds boxes, or not yet")
        return self.pseudo

    def keep(self, image: int, mask: Tensor, reason: str) -> None:
        """Keep the pseudo boxes of an image where `mask` is true; remember the others by reason."""
        boxes = self.pseudo_boxes[image]
        self.pseudo_boxes[image] = boxes[mask]
        dropped = self.dropped[image]
        lost = boxes[~mask]
        dropped[reason] = InstanceData.cat([dropped[reason], lost]) if reason in dropped else lost
        self.count(f"pseudo/dropped_{reason}", (~mask).sum() / len(self.pseudo_boxes))

    def count(self, name: str, amount: float | Tensor) -> None:
        """Add to a logged scalar."""
        self.log[name] = self.log.get(name, 0.0) + torch.as_tensor(amount, dtype=torch.float32)
