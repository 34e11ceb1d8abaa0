"""Teacher and student as MMDetection detectors: pseudo boxes, and masks where there are any."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmdet.structures.mask import mask2bbox
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..registry import MODELS
from ..validation import check_choice, check_range
from .core import TeacherStudent
from .foreign import ForeignTeacher, inner
from .geometry import areas, between, clip_boxes, project_boxes, warp
from .heads import count_classes
from .objectness import predicted_objectness
from .outputs import HeadOutputs, check_outputs, forward_outputs, recorded_outputs
from .precise_boxes import keep_boxes_precise
from .pseudo_boxes import AMBIGUOUS, HIGH, TASKS, PseudoBoxes, Source, as_bitmaps
from .step import Step, Views
from .task_sets import has_task_subsets, members, task_losses
from .weights import honor_weights
from .weights.boxes import leave_to_detector

Crowd = Literal["ignore", "background"]


@MODELS.register_module()
class TeacherStudentDetector(TeacherStudent):
    """Semi-supervised training of any MMDetection detector.

    A pseudo box is trained on with its `weight_cls` and `weight_box`; boxes of level LOW become
    ignore regions. The normalizer of the losses counts boxes, not weights: all weights equal to w
    give w times the loss. Where hooks give tasks their own sets of boxes, see `task_sets`.

    Args:
        detector: Config of the detector.
        empty_weight: Classification weight of the background in images without a pseudo box, when
            another image of the batch has one. A batch without any gives the loss 0.
        min_size: Pseudo boxes narrower or lower than this (pixels of the strong view) are dropped.
        min_visible: So are boxes with less than this share inside of the strong view.
        crowd: What annotated groups and difficult objects (`ignored_instances`) are to the
            supervised losses: "ignore", regions in which nothing is learned, or "background", as
            in MMDetection (unless its assigner has an `ignore_iof_thr`).
        num_classes: Only needed where the heads of the detector have none.
        **core: See `TeacherStudent`.
    """

    scope = "mmdet"

    def __init__(
        self,
        detector: dict[str, Any],
        *,
        empty_weight: float = 1.0,
        min_size: float = 0.01,
        min_visible: float = 0.0,
        crowd: Crowd = "ignore",
        num_classes: int | None = None,
        **core: Any,
    ) -> None:
        self._num_classes = num_classes  # before the teacher, which asks
        super().__init__(detector, **core)
        name = type(self).__name__
        check_range(name, "empty_weight", empty_weight)
        check_range(name, "min_size", min_size, 0, float("inf"))
        check_range(name, "min_visible", min_visible)
        check_choice(name, "crowd", crowd, Crowd)
        self.crowd = crowd
        self.empty_weight, self.min_size, self.min_visible = empty_weight, min_size, min_visible
        detectors = [m for m in self.auxiliary.values() if isinstance(m, BaseDetector)]
        for network in (self.student, *detectors):
            for part in honor_weights(network):
                print_log(
                    f"{name}: {part} does not support weights of boxes and uses weight 1",
                    logger="current",
                    level=30,
                )
        keep_boxes_precise(self)

    @property
    def num_classes(self) -> int:
        """Number of classes of objects."""
        return self._num_classes or count_classes(self.student)

    def _step(self, inputs: Any, data_samples: Any) -> Step:
        step = super()._step(inputs, data_samples)
        if step.sup is not None and self.crowd == "background":
            for sample in step.sup.samples:
                if "ignored_instances" in sample:
                    leave_to_detector(sample.ignored_instances)
        return step

    def label(
        self,
        views: Views,
        network: nn.Module | None = None,
        needs: Collection[str] | None = None,
    ) -> list[PseudoBoxes]:
        """Boxes (and masks) of the teacher or another network, in the frame of the weak views."""
        # The view is the teacher's whole world: with the size and scale of the original image in
        # its sample, mask heads would paste the masks into another frame than the boxes.
        samples = [DetDataSample(metainfo=_as_whole_image(s.metainfo)) for s in views.samples]
        model = network or self.teacher
        wanted = "objectness" in (self.needs if needs is None else needs)
        with predicted_objectness(inner(model)) if wanted else nullcontext():
            found = model(views.inputs, samples, mode="predict")
        return [_pseudo_boxes(sample.pred_instances) for sample in found]

    def transfer(self, step: Step) -> dict[str, list[DetDataSample]]:
        """Pseudo boxes as ground truth of each strong view."""
        self._log(step)
        return {
            name: [
                self.to_view(boxes, weak, strong)
                for boxes, weak, strong in zip(
                    step.pseudo_boxes, step.weak_views.samples, views.samples, strict=True
                )
            ]
            for name, views in step.strong.items()
        }

    def targets_empty(self, targets: list[DetDataSample]) -> bool:
        """No pseudo box in any image."""
        return not any(len(sample.gt_instances) for sample in targets)

    def student_losses(
        self, views: Views, targets: list[DetDataSample], network: nn.Module | None = None
    ) -> dict[str, Any]:
        """The detector's own losses; images without a pseudo box count as weak background."""
        network = network or self.student
        if not has_task_subsets(targets):
            return network(views.inputs, self._weigh_empty(targets), mode="loss")
        sets = {task: self._weigh_empty(members(targets, task)) for task in TASKS}
        return task_losses(network, views.inputs, sets)

    def _weigh_empty(self, samples: list[DetDataSample]) -> list[DetDataSample]:
        for sample in samples:
            if not len(sample.gt_instances):
                sample.gt_instances.set_metainfo({"background_weight": self.empty_weight})
        return samples

    def attach(self, hook: Any) -> None:
        """As for every model; a hook that reads head outputs needs a detector that has them."""
        super().attach(hook)
        read = [need for need in hook.needs if need.startswith("teacher_o")]
        if read:
            check_outputs(type(hook).__name__, inner(self.teacher))
        own = {"student_outputs", "weak_outputs", "weak_pass"}.intersection(hook.needs)
        if own or hook.replaces_loss:
            check_outputs(type(hook).__name__, self.student)

    def forward_outputs(self, views: Views, network: nn.Module | None = None) -> HeadOutputs:
        """The head outputs of the student, or of another network, for a view."""
        if isinstance(network, ForeignTeacher):
            return forward_outputs(network.network, network.ready().views(views))
        return forward_outputs(network or self.student, views)

    def recorded_outputs(self, network: nn.Module) -> AbstractContextManager[list[Any]]:
        """Within the context, the head outputs of a network are appended for each pass."""
        return recorded_outputs(inner(network))

    def joint_heads(self) -> list[nn.Module]:
        """The dense head, or the RPN; query and mask heads process each view separately."""
        heads = (getattr(self.student, name, None) for name in ("rpn_head", "bbox_head"))
        head = next((head for head in heads if head is not None), None)
        return [head] if isinstance(head, BaseDenseHead) else []

    def to_view(self, boxes: PseudoBoxes, weak: Any, strong: Any) -> DetDataSample:
        """Boxes of a weak view as ground truth of a strong view, given the samples of both."""
        matrix = between(weak, strong)
        shape = strong.img_shape
        hull = project_boxes(boxes.bboxes, matrix)
        clipped = clip_boxes(hull, shape)
        width, height = (clipped[:, 2:] - clipped[:, :2]).unbind(-1)
        seen = (width > self.min_size) & (height > self.min_size)
        seen &= areas(clipped) >= self.min_visible * areas(hull)
        moved = PseudoBoxes.of(boxes)
        moved.bboxes = clipped
        if "masks" in moved:
            moved.masks, _ = warp(boxes.masks, matrix, shape) if len(boxes) else (boxes.masks, None)
            # A box in view whose mask is not would teach the mask head that nothing is there.
            seen &= moved.masks.flatten(1).any(1)
        moved = moved[seen]
        trained = moved.level >= AMBIGUOUS
        sample = DetDataSample(metainfo=strong.metainfo)
        sample.gt_instances = moved[trained]
        sample.ignored_instances = InstanceData(bboxes=moved.bboxes[~trained])
        if "masks" in moved:
            sample.gt_instances.masks = as_bitmaps(sample.gt_instances.masks, shape[:2])
        return sample

    @staticmethod
    def _log(step: Step) -> None:
        boxes = step.pseudo_boxes
        trained = torch.cat([b.scores[b.level >= AMBIGUOUS] for b in boxes])
        step.count("pseudo/kept", len(trained) / len(boxes))
        step.count("pseudo/ignored", (sum(len(b) for b in boxes) - len(trained)) / len(boxes))
        if len(trained):
            step.count("pseudo/score", trained.float().mean())
        for task in TASKS:
            if all(f"in_{task}" in each for each in boxes):
                count = sum(((b.level >= AMBIGUOUS) & b[f"in_{task}"]).sum() for b in boxes)
                step.count(f"pseudo/{task}", count / len(boxes))


def _as_whole_image(metainfo: dict[str, Any]) -> dict[str, Any]:
    return {**metainfo, "ori_shape": metainfo["img_shape"], "scale_factor": (1.0, 1.0)}


def _with_extent(found: InstanceData) -> Tensor:
    """The boxes (N, 4); where a detector gives a mask and no box (SOLO), those of the masks."""
    if "bboxes" not in found:
        return mask2bbox(found.masks).float()
    bboxes: Tensor = getattr(found.bboxes, "tensor", found.bboxes).float()
    flat = (bboxes[:, 2:] <= bboxes[:, :2]).any(1)
    if "masks" not in found or not flat.any():
        return bboxes
    return bboxes.index_put((flat,), mask2bbox(found.masks[flat]).to(bboxes))


def _pseudo_boxes(found: InstanceData) -> PseudoBoxes:
    """The teacher's finite predictions, all trusted until a hook changes that."""
    bboxes = _with_extent(found)
    finite = bboxes.isfinite().all(-1) & found.scores.isfinite()
    # SOLO's labels are floats where it finds nothing.
    boxes = PseudoBoxes(bboxes=bboxes, labels=found.labels.long(), scores=found.scores.float())
    for name in ("masks", "mask_score", "objectness", "side_logits", "in_cls", "in_box"):
        if name in found:
            boxes[name] = found[name]
    boxes = boxes[finite]
    boxes.weight_cls = torch.ones_like(boxes.scores)
    boxes.weight_box = torch.ones_like(boxes.scores)
    boxes.level = torch.full_like(boxes.labels, HIGH)
    boxes.source = torch.full_like(boxes.labels, Source.TEACHER)
    return boxes
