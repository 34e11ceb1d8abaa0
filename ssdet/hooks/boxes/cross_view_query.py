"""Cross-view queries: teacher and student see the same boxes through the same queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.detectors import DINO
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh
from torch import Tensor

from ...losses.queries import beside_mask, direction_gap, distinct
from ...models.query_projector import QueryProjector, RefinedQueryProjector
from ...models.roi_features import RoIFeatures
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.passes import STRONG
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.recording import replaced
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.cached_images import are_mixed, comes_with_batch
from .._parts.model_kind import detector_only
from ..step_hook import StepHook

# Which of the boxes of its weak view a box is; what comes from elsewhere has none.
PLACE, NOWHERE = "weak_place", -1
PseudoBoxes.declare(PLACE, NOWHERE)
LOSS = "_loss_query"
FINEST = 56  # pixels: boxes up to twice as large are pooled from the first level
Decoder = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Queries:
    """Queries of the boxes of a batch, filled up to the same number for each image.

    Attributes:
        content: (B, E, D).
        boxes: (B, E, 4), center and size as shares of the image.
        known: Which (B, E) belong to a box.
    """

    content: Tensor
    boxes: Tensor
    known: Tensor


@HOOKS.register_module()
class CrossViewQueryHook(StepHook):
    """Decoder queries made of the pseudo boxes mean the same to teacher and student.

    Semi-DETR (Zhang et al., CVPR 2023), for DINO. Queries of a DETR have no order that two views
    share. So each pseudo box becomes a query of its own: pooled features of the teacher at the
    box in the weak view, through a `QueryProjector`. The student decodes it at the box in the
    strong view, the teacher at that in the weak one, beside their own queries. In every decoder
    layer the student learns the direction of the teacher's output.

    The boxes are the reliable ones of `CostMiningHook`, or all labels. The teacher decodes once
    more. Published are five groups of equal queries that do not see each other: their outputs are
    those of one. Views that other hooks have added or mixed are left out.

    Args:
        projector: Name of the `QueryProjector` in the model's `auxiliary`.
        weight: Of the loss, times the weight of unlabeled images.
        until: From this iteration on there is no loss. None: it stays.
        distinct: A query whose content has a larger cosine with that of a better box is left out,
            after Sparse Semi-DETR (CVPR 2024). None: all stay.
        strides: Of the detector's levels.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(CrossViewQueryHook())
        Traceback (most recent call last):
        TypeError: CrossViewQueryHook: puts queries into the decoder of DINO, and a RetinaNet ...
    """

    phase = Phase.LOSS
    needs_twin = True
    learns_without_labels = True  # boxes below the threshold are queries too

    def __init__(
        self,
        projector: str = "query_projector",
        *,
        weight: float = 10.0,
        until: int | None = None,
        distinct: float | None = None,
        strides: Sequence[int] = (8, 16, 32, 64),
    ) -> None:
        name = type(self).__name__
        check_range(name, "weight", weight, 0, float("inf"))
        if until is not None:
            check_range(name, "until", until, 0, float("inf"))
        if distinct is not None:
            check_range(name, "distinct", distinct)
        self.projector, self.weight, self.until = projector, weight, until
        self.distinct = distinct
        self.strides = tuple(strides)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse other detectors than DINO, and a model without the projector."""
        name = type(self).__name__
        student: Any = detector_only(self, model, "puts queries into a decoder").student
        parts = ("pre_decoder", "forward_decoder")
        if any(getattr(type(student), part, None) is not getattr(DINO, part) for part in parts):
            raise TypeError(
                f"{name}: puts queries into the decoder of DINO, and a {type(student).__name__} "
                "has none that takes a mask. Take it out of custom_hooks (HybridMatchingHook and "
                "CostMiningHook(learn=True) work with others), or use DINO."
            )
        found = dict(model.auxiliary.items()).get(self.projector)
        channels = student.embed_dims
        if not isinstance(found, QueryProjector) or found.channels != channels:
            raise ValueError(
                f"{name}: the model's auxiliary has {sorted(model.auxiliary)} and no "
                f"QueryProjector called {self.projector!r} of {channels} channels; give it one: "
                f"auxiliary=dict({self.projector}=dict(type='QueryProjector', "
                f"channels={channels}))"
            )
        self.network: QueryProjector = found
        self.features = RoIFeatures(self.strides, channels, found.size, FINEST)
        self.finest = RoIFeatures(self.strides[:1], channels, found.size, FINEST)
        super().on_attach(model)

    @contextmanager
    def teacher_pass(self, step: Step) -> Iterator[None]:
        """Keep what the teacher's decoder is given."""

        def keep(decode: Decoder) -> Decoder:
            def decoded(**given: Any) -> dict[str, Any]:
                step.notes["decoder"] = given
                return decode(**given)

            return decoded

        with replaced(self.attached_model.teacher, "forward_decoder", keep):
            yield

    def after_teacher(self, step: Step) -> None:
        """Each box, also one that was dropped, knows its place among those of the weak view."""
        step.notes["boxes"] = []
        for kept, dropped in zip(step.pseudo_boxes, step.dropped, strict=True):
            every = [kept, *dropped.values()]
            step.notes["boxes"].append(torch.cat([boxes.bboxes for boxes in every]))
            first = 0
            for boxes in every:
                boxes[PLACE] = torch.arange(first, first + len(boxes), device=boxes.bboxes.device)
                first += len(boxes)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """The student decodes the queries beside its own; then the loss."""
        over = self.until is not None and step.iteration >= self.until
        if over or not comes_with_batch(branch) or are_mixed(step.strong[branch]):
            yield
            return
        found = [_boxes_of(sample) for sample in step.targets[branch]]
        weak = [own[one[PLACE]] for own, one in zip(step.notes["boxes"], found, strict=True)]
        content = self._content(step, weak)
        if self.distinct is not None:
            pairs = zip(content, found, strict=True)
            kept = [distinct(own, one.value("scores"), self.distinct) for own, one in pairs]
            found = [one.split(mask)[0] for one, mask in zip(found, kept, strict=True)]
            weak = [one[mask] for one, mask in zip(weak, kept, strict=True)]
            content = [one[mask] for one, mask in zip(content, kept, strict=True)]
        strong = [boxes.bboxes for boxes in found]
        students = _padded(content, strong, step.strong[branch].samples)
        teachers = _padded(content, weak, step.weak_views.samples)
        seen: list[Tensor] = []
        with replaced(self.attached_model.student, "forward_decoder", _beside(students, seen)):
            yield
        gap = direction_gap(seen[0], self._teach(step, teachers))  # (L, B, E)
        rows = sum(max(len(boxes), 1) for boxes in found)  # an image without a box is a row of 0
        loss = self.weight * (gap * students.known).sum() / rows
        name = branch.replace(STRONG, "unsup") + LOSS
        step.losses[name] = step.unsup_weight * step.shares[branch] * loss
        step.count("queries/boxes", students.known.sum() / len(found) / len(step.targets))

    def after_loss(self, step: Step) -> None:
        """The projector takes part in every step, so that no process waits for it."""
        known = step.losses.get(f"unsup{LOSS}", 0.0)
        step.losses[f"unsup{LOSS}"] = known + step.model.zero_loss(self.network)

    def _content(self, step: Step, boxes: list[Tensor]) -> list[Tensor]:
        """Content of the queries (N, D) of each image, with a gradient to the projector."""
        counts = [len(one) for one in boxes]
        if not sum(counts):
            return [one.new_zeros(0, self.network.channels) for one in boxes]
        if isinstance(self.network, RefinedQueryProjector):
            given = step.notes["decoder"]
            maps = _maps(given["memory"], given["spatial_shapes"])
            fine = self.finest(step.teacher_features, boxes)
            return list(self.network(self.features(maps, boxes), fine).split(counts))
        return list(self.network(self.features(step.teacher_features, boxes)).split(counts))

    @torch.no_grad()
    def _teach(self, step: Step, queries: Queries) -> Tensor:
        """What the teacher makes of the queries in the weak views (L, B, E, D)."""
        seen: list[Tensor] = []
        teacher: Any = self.attached_model.teacher
        _beside(queries, seen)(teacher.forward_decoder)(**step.notes["decoder"])
        return seen[0]


def _boxes_of(sample: Any) -> PseudoBoxes:
    """The boxes of a strong view that are in the weak view too."""
    boxes = PseudoBoxes.of(sample.get("query_boxes", sample.gt_instances))
    return boxes.split(boxes.value(PLACE) != NOWHERE)[0]


def _maps(memory: Tensor, shapes: Tensor) -> list[Tensor]:
    """What an encoder returned (B, P, D) as a map for each level."""
    sizes = [(int(height), int(width)) for height, width in shapes]
    parts = memory.split([height * width for height, width in sizes], 1)
    return [
        part.transpose(1, 2).unflatten(2, size) for part, size in zip(parts, sizes, strict=True)
    ]


def _padded(content: list[Tensor], boxes: list[Tensor], samples: Sequence[Any]) -> Queries:
    """The queries of all images; what fills them up is empty, in the middle of the image."""
    most = max(1, *(len(one) for one in boxes))
    batch, first = len(boxes), content[0]
    padded = first.new_zeros(batch, most, first.shape[1])
    places = boxes[0].new_full((batch, most, 4), 0.5)
    known = torch.zeros(batch, most, dtype=torch.bool, device=first.device)
    for image, (own, corners, sample) in enumerate(zip(content, boxes, samples, strict=True)):
        height, width = sample.img_shape[:2]
        padded[image, : len(own)] = own
        places[image, : len(own)] = bbox_xyxy_to_cxcywh(corners) / corners.new_tensor(
            [width, height, width, height]
        )
        known[image, : len(own)] = True
    return Queries(padded, places, known)


def _beside(queries: Queries, seen: list[Tensor]) -> Callable[[Decoder], Decoder]:
    """Decoders that decode these queries too; what they make of them is appended to `seen`."""
    extra = queries.boxes.shape[1]

    def make(decode: Decoder) -> Decoder:
        def decoded(
            *, query: Tensor, reference_points: Tensor, dn_mask: Tensor | None, **given: Any
        ) -> dict[str, Any]:
            known = dn_mask
            if known is None:
                known = torch.zeros(query.shape[1], query.shape[1], dtype=torch.bool)
            found = decode(
                query=torch.cat([queries.content.to(query), query], 1),
                reference_points=torch.cat(
                    [queries.boxes.to(reference_points), reference_points], 1
                ),
                dn_mask=beside_mask(extra, known.to(query.device)),
                **given,
            )
            seen.append(found["hidden_states"][:, :, :extra])
            return {
                "hidden_states": found["hidden_states"][:, :, extra:],
                "references": [one[:, extra:] for one in found["references"]],
            }

        return decoded

    return make
