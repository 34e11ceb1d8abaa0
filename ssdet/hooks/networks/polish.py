"""Dual polishing: two small networks learn on labeled images to correct pseudo boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.detectors import SingleStageDetector
from mmengine.structures import InstanceData
from torch import Tensor

from ...losses import polishing
from ...models.polishers import BoxPolisher, ClassPolisher, side_by_side
from ...models.roi_features import RoIFeatures, pyramid_strides
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.schedules import momentum_at
from ...teacher_student.step import Step, Views
from ...teacher_student.task_sets import check_task_sets
from ...validation import check_range
from .._parts.model_kind import detector_only
from ..step_hook import StepHook


@HOOKS.register_module()
class PolishHook(StepHook):
    """Learn on labeled images to move and to classify pseudo boxes ("Mind the Gap", AAAI 2023).

    In each step boxes are jittered around the ground truth of labeled images; from the
    teacher's features (without gradient to the detector) a `BoxPolisher` learns to move them back
    and a `ClassPolisher` to classify them. Slow averages of both then correct the pseudo
    boxes, in two sets. For the box regression: every box, polished, with the teacher's label. For
    the classification and the RPN: the unpolished boxes of which the class network or the teacher
    is confident, with the label of the class network where only that one is. A
    threshold in the list rejects the worst boxes first.

    Args:
        box, cls: Names of the two networks in the model's `auxiliary`.
        momentum, gamma: Share that the averages keep in an iteration, a running mean at first:
            min(momentum, 1 - gamma / (t + gamma)), as in `TeacherEMAHook`. Averages that
            `load_from` loads keep the full momentum from the first iteration on.
        min_confidence: A class probability, or a score of the teacher, from which a box is
            classified.
        iou: A jittered box has the class of a true one from this overlap on, else background.
        box_jitter, cls_jitter: Pairs (copies of each true box, standard deviation as a share of
            its sides).
        budget: At most this many boxes of an image train each network in one step. It bounds the
            memory: each box of the box network takes seven pooled features.
        context: Shift of the context boxes, as a share of the sides.
        box_weight, cls_weight: Factors on the two losses.
        strides: Of the levels of the neck that are pooled from. None: those of the detector.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(PolishHook())  # its networks are built by the model
        Traceback (most recent call last):
        ValueError: PolishHook: the model's auxiliary has [] and no BoxPolisher called ...
    """

    phase = Phase.WEIGHT
    needs_twin = True

    def __init__(
        self,
        box: str = "box_polisher",
        cls: str = "cls_polisher",
        *,
        momentum: float = 0.99,
        gamma: float = 1.0,
        min_confidence: float = 0.9,
        iou: float = 0.7,
        box_jitter: Sequence[Sequence[float]] = ((150, 0.2),),
        cls_jitter: Sequence[Sequence[float]] = ((50, 0.06), (50, 0.2)),
        budget: int = 512,
        context: float = 0.06,
        box_weight: float = 1.0,
        cls_weight: float = 1.0,
        strides: Sequence[int] | None = None,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(
            momentum=momentum, min_confidence=min_confidence, iou=iou, context=context
        ).items():
            check_range(name, key, value)
        for key, value in dict(box_weight=box_weight, cls_weight=cls_weight).items():
            check_range(name, key, value, 0, float("inf"))
        check_range(name, "budget", budget, 1, float("inf"))
        if not gamma > 0:
            raise ValueError(f"{name}: gamma={gamma!r} is not above 0")
        self.box, self.cls, self.min_confidence, self.iou = box, cls, min_confidence, iou
        self.momentum, self.gamma = momentum, gamma
        self.box_jitter = _checked_jitter(name, "box_jitter", box_jitter)
        self.cls_jitter = _checked_jitter(name, "cls_jitter", cls_jitter)
        self.budget, self.context, self.strides = int(budget), context, strides
        self.box_weight, self.cls_weight = box_weight, cls_weight
        self.updates = 0
        self.loaded = False  # the averages are those of a checkpoint

    # ------------------------------------------------------------------ hook points

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model without a feature pyramid, or without both networks in `auxiliary`."""
        super().on_attach(detector_only(self, model, "polishes boxes"))
        name = type(self).__name__
        check_task_sets(name, model.student)
        self.boxes: BoxPolisher = _network(name, model, self.box, BoxPolisher)
        self.classes: ClassPolisher = _network(name, model, self.cls, ClassPolisher)
        if self.classes.num_classes != model.num_classes:
            raise ValueError(
                f"{name}: auxiliary[{self.cls!r}] has num_classes={self.classes.num_classes}, the "
                f"detector {model.num_classes}; give both the same"
            )
        channels = getattr(getattr(model.student, "neck", None), "out_channels", None)
        for key, net in ((self.box, self.boxes), (self.cls, self.classes)):
            if channels not in (None, net.in_channels):
                raise ValueError(
                    f"{name}: auxiliary[{key!r}] has in_channels={net.in_channels}, but the neck "
                    f"gives {channels}; set in_channels={channels}"
                )
        strides = self.strides or pyramid_strides(model.student)
        if strides is None:
            raise ValueError(
                f"{name}: cannot find the strides of {type(model.student).__name__}'s pyramid; set "
                "them, for example strides=(8, 16, 32)"
            )
        self.box_features = RoIFeatures(strides, self.boxes.in_channels, self.boxes.roi_size)
        self.cls_features = RoIFeatures(strides, self.classes.in_channels, self.classes.roi_size)

    def before_train(self, runner: Any) -> None:
        """Find out whether `load_from` has loaded averages, which a mean would discard."""
        super().before_train(runner)
        if runner.iter == 0 and self.model is not None:
            self.loaded = not (self.boxes.is_copy() and self.classes.is_copy())

    @torch.no_grad()
    def after_teacher(self, step: Step) -> None:
        """Correct the pseudo boxes, and set which task learns from which."""
        found = step.pseudo_boxes
        counts = [len(boxes) for boxes in found]
        polished, probabilities = self._look(step)
        moved, chances = polished.split(counts), probabilities.split(counts)
        for image, boxes in enumerate(found):
            shape = step.weak_views.samples[image].img_shape
            better = polishing.decode_boxes(boxes.bboxes, moved[image], shape)
            step.pseudo_boxes[image] = self._refine(step, boxes, better, chances[image])

    def after_loss(self, step: Step) -> None:
        """Train both networks on the labeled images."""
        if step.sup is None:
            box, cls = (step.model.zero_loss(net) for net in (self.boxes, self.classes))
        else:
            box, cls = self._learn(step, step.sup)
        step.losses["polish_loss_box"] = self.box_weight * box
        step.losses["polish_loss_cls"] = self.cls_weight * cls

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Let the averages follow what was learned."""
        self.update()

    def update(self) -> None:
        """Move both averages once."""
        mean = momentum_at(self.updates, self.momentum, schedule="mean", gamma=self.gamma)
        kept = self.momentum if self.loaded else mean
        self.boxes.follow(kept)
        self.classes.follow(kept)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Updates done, and where the averages came from; the networks are part of the model."""
        return {"updates": self.updates, **({"loaded": True} if self.loaded else {})}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore both."""
        self.updates, self.loaded = state["updates"], state.get("loaded", False)

    # ------------------------------------------------------------------ using

    def _look(self, step: Step) -> tuple[Tensor, Tensor]:
        """Deltas (N, 4) and class probabilities (N, C + 1) for all pseudo boxes of the batch."""
        features = step.teacher_features
        if features is None:
            features = step.model.teacher.extract_feat(step.weak_views.inputs)  # type: ignore[operator]
        bboxes = [boxes.bboxes for boxes in step.pseudo_boxes]
        deltas = self._deltas(self.boxes.average, features, bboxes)
        logits = self.classes.average(self.cls_features(features, bboxes))
        return deltas.float(), logits.float().softmax(-1)

    def _refine(
        self, step: Step, boxes: PseudoBoxes, moved: Tensor, chances: Tensor
    ) -> PseudoBoxes:
        """The boxes to classify and, after them, the polished ones to regress."""
        best, label = chances[:, :-1].max(-1)
        certain = best >= self.min_confidence
        kept = certain | (boxes.scores > self.min_confidence)
        renamed = certain & (boxes.scores < self.min_confidence)
        solid = (moved[:, 2:] > moved[:, :2]).all(-1)
        named, polished = boxes[kept], boxes[solid]
        named.labels = torch.where(renamed, label, boxes.labels)[kept]
        polished.bboxes = moved[solid]
        for part, classify in ((named, True), (polished, False)):
            member = torch.full_like(part.labels, classify, dtype=torch.bool)
            part.exclude_from_task("cls", ~member)
            part.exclude_from_task("rpn", ~member)
            part.exclude_from_task("box", member)
        images = len(step.pseudo_boxes)
        step.count("polish/classified", kept.sum() / images)
        step.count("polish/renamed", (renamed & (label != boxes.labels)).sum() / images)
        return PseudoBoxes.cat([named, polished])

    # ------------------------------------------------------------------ learning

    def _learn(self, step: Step, views: Views) -> tuple[Tensor, Tensor]:
        teacher: Any = step.model.teacher
        with torch.no_grad():
            features = teacher.extract_feat(views.inputs)
            finds = _own_finds(teacher, features, views.samples)
        truths = [_boxes(sample.gt_instances) for sample in views.samples]
        wrong = [self._chosen(_around(truth, self.box_jitter)) for truth in truths]
        shown = [
            self._chosen(torch.cat([_around(truth, self.cls_jitter), find]))
            for truth, find in zip(truths, finds, strict=True)
        ]
        targets = torch.cat([_nearest(b, t) for b, t in zip(wrong, truths, strict=True)])
        labels = torch.cat(
            [
                polishing.classes_of(
                    boxes, truth, sample.gt_instances.labels, self.classes.num_classes, self.iou
                )
                for boxes, truth, sample in zip(shown, truths, views.samples, strict=True)
            ]
        )
        deltas = self._deltas(self.boxes, features, wrong)
        logits = self.classes(self.cls_features(features, shown))
        boxes = torch.cat(wrong)
        _log(step, boxes, deltas, targets)
        return polishing.polishing_losses(boxes, deltas, targets, logits, labels)

    def _chosen(self, boxes: Tensor) -> Tensor:
        """At most `budget` of the boxes."""
        if len(boxes) <= self.budget:
            return boxes
        return boxes[torch.randperm(len(boxes), device=boxes.device)[: self.budget]]

    def _deltas(self, network: Any, features: Sequence[Tensor], boxes: list[Tensor]) -> Tensor:
        """The deltas that the box network predicts for the boxes of each image."""
        around = [polishing.context_boxes(one, self.context).flatten(0, 1) for one in boxes]
        pooled = self.box_features(features, around)
        return network(side_by_side(pooled, sum(len(one) for one in boxes)))


def _around(truth: Tensor, jitters: Sequence[tuple[int, float]]) -> Tensor:
    """The jittered boxes, then the true boxes that they are made of."""
    return torch.cat([polishing.jitter_boxes(truth, n, sigma) for n, sigma in jitters] + [truth])


def _nearest(boxes: Tensor, truth: Tensor) -> Tensor:
    """The true box that each box overlaps most."""
    return truth[polishing.best_match(boxes, truth)[1]] if len(boxes) else boxes


def _own_finds(teacher: Any, features: Any, samples: list[Any]) -> list[Tensor]:
    """Where the teacher looks for objects: proposals, or detections where it has no proposals."""
    if hasattr(teacher, "rpn_head"):
        found = teacher.rpn_head.predict(features, samples, rescale=False)
    elif isinstance(teacher, SingleStageDetector):
        found = teacher.bbox_head.predict(features, samples, rescale=False)
    else:
        return [_boxes(sample.gt_instances)[:0] for sample in samples]
    return [_boxes(one) for one in found]


def _log(step: Step, boxes: Tensor, deltas: Tensor, targets: Tensor) -> None:
    """Log how well the jittered boxes overlap the true ones, before and after."""
    if len(boxes):
        moved = polishing.decode_boxes(boxes, deltas.detach().float())
        before, after = (1 - polishing.giou_loss(b, targets).mean() for b in (boxes, moved))
        step.count("polish/giou_before", before)
        step.count("polish/giou_after", after)


def _boxes(instances: InstanceData) -> Tensor:
    return getattr(instances.bboxes, "tensor", instances.bboxes).float()


def _network(owner: str, model: TeacherStudent, name: str, kind: type) -> Any:
    network = dict(model.auxiliary.items()).get(name)
    if not isinstance(network, kind):
        raise ValueError(
            f"{owner}: the model's auxiliary has {sorted(model.auxiliary)} and no {kind.__name__} "
            f"called {name!r}; add auxiliary=dict({name}=dict(type={kind.__name__!r}, ...))"
        )
    return network


def _checked_jitter(
    owner: str, name: str, pairs: Sequence[Sequence[float]]
) -> list[tuple[int, float]]:
    for pair in pairs:
        if not (len(pair) == 2 and pair[0] >= 0 and pair[1] >= 0):
            raise ValueError(f"{owner}: {name}={pairs!r} is not a list of (copies, deviation)")
    return [(int(copies), float(sigma)) for copies, sigma in pairs]
