"""The step: the only thing that travels through a training iteration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank
from torch import Tensor

from ..labels import IGNORE
from ..seeds import derive_seed
from .pseudo_boxes import PseudoBoxes

if TYPE_CHECKING:
    from .core import TeacherStudent


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
    probabilities (B, C, H, W), for hooks that need them (`needs = {"soft"}`). `extra_labels` are
    the labels (B, N, H, W) that N auxiliary networks are to learn, 255 where unknown.
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
        """The same change, made to every field that is set."""
        return PixelLabels(**{name: change(field) for name, field in self.fields().items()})

    def padded(self, size: Sequence[int]) -> PixelLabels:
        """The same in a larger (height, width), where what is added is not valid."""
        unknown = dict.fromkeys(("labels", "extra_labels"), IGNORE)
        return PixelLabels(
            **{k: enlarged(v, size, unknown.get(k, 0)) for k, v in self.fields().items()}
        )

    def fields(self) -> dict[str, Tensor]:
        """The fields that are set, by name."""
        return {name: field for name, field in vars(self).items() if field is not None}


def enlarged(maps: Tensor, size: Sequence[int], value: int) -> Tensor:
    """Maps (..., H, W) in a larger (height, width), with a value at the bottom and the right."""
    missing = (0, size[1] - maps.shape[-1], 0, size[0] - maps.shape[-2])
    return F.pad(maps, missing, value=value) if any(missing) else maps


PseudoLabels: TypeAlias = "list[PseudoBoxes] | PixelLabels"


@dataclass
class Derived:
    """A branch of a joint pass that the encoder does not see: features of others, changed.

    `change` gets the features of the branches `of`, one after the other, and returns as many; the
    heads process them beside all others, and the branch has those of the last one. (The rows of
    the others only take part in the batch statistics of the heads.)
    """

    of: tuple[str, ...]
    change: Callable[[Any], Any]


@dataclass
class Step:
    """What travels through the hook points of one iteration; hooks read it and change it in place.

    Attributes:
        model: The `TeacherStudent` that takes the step.
        iteration: Number of iterations done before this one.
        sup, weak, strong: The branches `sup`, `unsup_teacher` and `unsup_student` (with more
            strong views `unsup_student_2`, ...); an absent branch is None or missing.
        pseudo: The teacher's labels in the frame of the weak view: `PseudoBoxes` for each image,
            or one `PixelLabels` for the batch.
        dropped: Boxes that hooks removed, one dict of reason to `PseudoBoxes` per image.
        targets: What the student learns from, for each strong view, after the transfer into its
            frame: data samples (boxes) or `PixelLabels`.
        teacher_features: What the teacher's `extract_feat` returned for the weak views when it
            labeled them; None where it did not see them whole (sliding windows).
        outputs: Outputs of the student's head for each branch, with their graph: logits of a
            segmentor, `HeadOutputs` of a detector (`needs = {"student_outputs"}`). Under
            "unsup_teacher" the weak views, if a hook needs the "weak_pass".
        weak_outputs: The same of the weak views, in eval mode and without a graph.
        teacher_outputs: The same of the teacher, for the weak views ("unsup_teacher") and for
            branches that a hook needs ("teacher_on:unsup_student").
        teacher_pixels: Of these branches also what the teacher's `conv_seg` sees, if a hook needs
            "pixel_features".
        features, pixel_features, teacher_pixel_features: See `ssdet.teacher_student.phase.NEEDS`.
        layers: For each branch of the student, what the layers that hooks need gave or got, by
            need ("layer:decode_head.bottleneck").
        shown: For each strong view that was mixed, which image of the batch each pixel (B, H, W)
            shows; -1 where it is none of them.
        derived: Branches of a joint pass that are made of the features of others.
        rows: With `joint_pass`, which rows of the joint batch of the heads each branch has.
        measures: Numbers of each unlabeled image (B,) that one hook leaves for others.
        notes: What a hook keeps between two of its points, under its name.
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
    dropped: list[dict[str, PseudoBoxes]] = field(default_factory=list)
    targets: dict[str, Any] = field(default_factory=dict)
    teacher_features: Any = None
    outputs: dict[str, Any] = field(default_factory=dict)
    weak_outputs: Any = None
    teacher_outputs: dict[str, Any] = field(default_factory=dict)
    features: dict[str, Any] = field(default_factory=dict)
    pixel_features: dict[str, Tensor] = field(default_factory=dict)
    teacher_pixel_features: Tensor | None = None
    teacher_pixels: dict[str, Tensor] = field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    shown: dict[str, Tensor] = field(default_factory=dict)
    derived: dict[str, Derived] = field(default_factory=dict)
    rows: dict[str, slice] = field(default_factory=dict)
    measures: dict[str, Tensor] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    unsup_weight: float = 1.0
    shares: dict[str, float] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)
    log: dict[str, float | Tensor] = field(default_factory=dict)

    @property
    def branches(self) -> dict[str, Views]:
        """The views of each branch that the batch has, as they are now."""
        known = {"sup": self.sup, "unsup_teacher": self.weak}
        return {**{k: v for k, v in known.items() if v is not None}, **self.strong}

    @property
    def weak_views(self) -> Views:
        """The weak views, in a step that has them."""
        if self.weak is None:
            raise ValueError("this step has no weak view ('unsup_teacher') to label")
        return self.weak

    @property
    def pseudo_boxes(self) -> list[PseudoBoxes]:
        """The pseudo labels of a detector, for each image."""
        if isinstance(self.pseudo, PixelLabels) or self.pseudo is None:
            raise TypeError("this step has no pseudo boxes yet, or its model labels pixels")
        return self.pseudo

    @property
    def pseudo_pixels(self) -> PixelLabels:
        """The pseudo labels of a segmentor."""
        if not isinstance(self.pseudo, PixelLabels):
            raise TypeError("this step has no pixel labels yet, or its model finds boxes")
        return self.pseudo

    def drop(self, image: int, mask: Tensor, reason: str) -> None:
        """Remove the pseudo boxes of an image where `mask` is true; remember them by reason."""
        lost, self.pseudo_boxes[image] = self.pseudo_boxes[image].split(mask)
        before = self.dropped[image].get(reason)
        self.dropped[image][reason] = lost if before is None else PseudoBoxes.cat([before, lost])
        self.count(f"pseudo/dropped_{reason}", mask.sum() / len(self.pseudo_boxes))

    def generator(
        self, owner: str, *, all_ranks_alike: bool = False, device: torch.device | str = "cpu"
    ) -> torch.Generator:
        """A random generator of a hook: a function of (run seed, iteration, rank) and its name.

        With `all_ranks_alike` the rank is left out, for draws that every process must share.
        """
        rank = 0 if all_ranks_alike else get_rank() + 1
        seed = derive_seed(self.model.seed, self.iteration, rank, owner)
        return torch.Generator(device).manual_seed(seed & 0x7FFFFFFFFFFFFFFF)

    def count(self, name: str, amount: float | Tensor) -> None:
        """Add to a logged scalar."""
        self.log[name] = self.log.get(name, 0.0) + torch.as_tensor(amount, dtype=torch.float32)
