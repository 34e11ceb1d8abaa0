"""Cost mining: boxes below the threshold that the student's queries find cheaply."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...losses.set_prediction import SetLoss
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import Step
from ...teacher_student.weights.sets import box_targets
from ...thresholds.mining import cost_limit
from ...validation import check_range
from .._parts.cached_images import are_mixed, comes_with_batch
from .._parts.model_kind import detector_only
from .._parts.queries import check_queries, predicted_queries
from .._parts.score_history import gathered
from ..step_hook import StepHook

MINED, CANDIDATE = "not_mined", "candidate"
PseudoBoxes.declare(CANDIDATE, False)


@HOOKS.register_module()
class CostMiningHook(StepHook):
    """A threshold, and below it those boxes that a query of the student predicts cheaply.

    Semi-DETR (Zhang et al., CVPR 2023). Candidates are the boxes whose score reaches the mean of
    their image's scores plus their standard deviation. In the strong view they are matched with
    the student's queries one to one. The costs of a step are a mixture of two, and a candidate up
    to the most likely cost of the lower one is reliable. The boxes from `score` on are labels.
    The reliable ones below it are queries beside them (`CrossViewQueryHook`), and labels too with
    `learn=True`.

    It takes one more pass of the student, without a gradient. Views that other hooks have added
    or mixed have the labels of the threshold alone.

    Args:
        score: Least score of a label.
        costs: Of class, L1 and GIoU in the matching.
        learn: The mined boxes are labels too (ours; published is False).

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(CostMiningHook())  # a RetinaNet has no queries
        Traceback (most recent call last):
        TypeError: CostMiningHook: matches boxes with the queries of a DETR ...
    """

    phase = Phase.FILTER
    selects_labels = True

    def __init__(
        self,
        score: float = 0.4,
        *,
        costs: tuple[float, float, float] = (2.0, 5.0, 2.0),
        learn: bool = False,
    ) -> None:
        name = type(self).__name__
        check_range(name, "score", score)
        for value in costs:
            check_range(name, "costs", value, 0, float("inf"))
        self.score, self.learn = score, learn
        cls, box, iou = costs
        self.rule = SetLoss("focal", costs=(cls, box, iou), weights=(cls, box, iou))

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without queries."""
        check_queries(type(self).__name__, detector_only(self, model, "matches boxes with queries"))
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Drop what is below the threshold; candidates among it are remembered by the step."""
        for image, boxes in enumerate(step.pseudo_boxes):
            boxes[CANDIDATE] = boxes.scores >= candidate_limit(boxes.scores)
            labels = boxes.scores >= self.score
            kept = labels | boxes[CANDIDATE]
            step.drop(image, ~kept, "score")
            step.drop(image, ~labels[kept], MINED)

    def before_student(self, step: Step) -> None:
        """Match the candidates in each strong view; `query_boxes` of a target are all reliable."""
        for branch, targets in step.targets.items():
            # All processes gather, also one whose views of this name are mixed.
            single = comes_with_batch(branch) and not are_mixed(step.strong[branch])
            every = [self._every(step, branch, image) for image in range(len(targets) * single)]
            costs = self._costs(step, branch, every) if single else []
            known = torch.cat([step.weak_views.inputs.new_zeros(0), *costs])
            limit = cost_limit(gathered(known[known.isfinite()]))
            step.count("mining/limit", limit / len(step.targets))
            for sample, boxes, cost in zip(targets, every, costs, strict=False):
                labels = len(sample.gt_instances)
                reliable = torch.arange(len(boxes), device=cost.device) < labels
                reliable[boxes[CANDIDATE]] |= cost <= limit
                sample.query_boxes = boxes.split(reliable)[0]
                step.count("mining/added", reliable[labels:].sum() / len(targets))
                if self.learn:
                    sample.gt_instances = sample.query_boxes.new()

    def _every(self, step: Step, branch: str, image: int) -> PseudoBoxes:
        """Labels, and behind them the candidates below the threshold, in a strong view."""
        model: Any = step.model
        weak, strong = step.weak_views.samples[image], step.strong[branch].samples[image]
        more = model.to_view(step.dropped[image][MINED], weak, strong).gt_instances
        found = PseudoBoxes.cat([step.targets[branch][image].gt_instances, more])
        found[CANDIDATE] = found.value(CANDIDATE)
        return found

    def _costs(self, step: Step, branch: str, every: list[PseudoBoxes]) -> list[Tensor]:
        """What the match of each candidate of an image costs, in the order of the candidates."""
        logits, boxes = predicted_queries(step, branch)
        costs = []
        for own, scores, places, sample in zip(
            every, logits, boxes, step.strong[branch].samples, strict=True
        ):
            target = box_targets(own[own[CANDIDATE]], sample.img_shape[:2], places)
            _, matched, cost = self.rule.assign(scores, places, target)
            found = torch.full_like(target.boxes[:, 0], float("inf"))
            found[matched] = cost  # with fewer queries than candidates some have no match
            costs.append(found)
        return costs


def candidate_limit(scores: Tensor) -> Tensor:
    """Mean + standard deviation; a single score is its own limit."""
    deviation = scores.std() if len(scores) > 1 else scores.new_zeros(())
    return scores.mean() + deviation
