"""A threshold of its own for pseudo masks, beside that of their boxes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from mmdet.models.detectors import MaskFormer
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from torch import Tensor

from ...losses.mask_sets import mask_confidence
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.foreign import inner
from ...teacher_student.heads import stages
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS
from ...teacher_student.recording import replaced
from ...teacher_student.step import Step
from ...validation import check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class MaskScoreHook(StepHook):
    """A pseudo mask is learned if it is good itself, whatever the score of its box.

    After Polite Teacher (Filipiak et al., 2022): class and box of a label may be right where its
    mask is not. A label whose `mask_score` is below the threshold still teaches class and box, and
    its `weight_mask` is 0. The `mask_score` is

    * for a Mask Scoring R-CNN, the overlap that its head predicts. MMDetection multiplies it into
      the score of the box; here the two stay apart, so that each has a threshold;
    * for other detectors with a mask head for regions (Mask R-CNN, Cascade Mask R-CNN), the mean
      probability inside of the predicted mask;
    * for Mask2Former the same, from `QueryMaskLabelHook`, which has to be listed.

    Boxes are selected by another hook (`FixedThresholdHook`).

    Args:
        mask: The least `mask_score` of a mask that is learned, in [0, 1].

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(MaskScoreHook())
        Traceback (most recent call last):
        TypeError: MaskScoreHook: needs a teacher with a mask head for regions (Mask R-CNN, Mask \
Scoring R-CNN) or with QueryMaskLabelHook (Mask2Former), but it is a RetinaNet. Take it out of \
custom_hooks, or choose another detector.
    """

    phase = Phase.FILTER

    def __init__(self, mask: float = 0.5) -> None:
        check_range(type(self).__name__, "mask", mask)
        self.mask = mask

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a teacher whose masks have no score."""
        super().on_attach(model)
        teacher = inner(model.teacher)
        if not isinstance(teacher, MaskFormer) and not isinstance(_mask_head(teacher), FCNMaskHead):
            raise TypeError(
                f"{type(self).__name__}: needs a teacher with a mask head for regions (Mask R-CNN, "
                "Mask Scoring R-CNN) or with QueryMaskLabelHook (Mask2Former), but it is a "
                f"{type(teacher).__name__}. Take it out of custom_hooks, or choose another "
                "detector."
            )

    def teacher_pass(self, step: Step) -> AbstractContextManager[Any]:
        """Keep how good the teacher's masks are."""
        teacher = inner(step.model.teacher)
        return nullcontext() if isinstance(teacher, MaskFormer) else _scored(teacher.roi_head)

    def after_teacher(self, step: Step) -> None:
        """Weigh the masks."""
        for boxes in step.pseudo_boxes:
            if len(boxes) and "mask_score" not in boxes:
                raise TypeError(
                    f"{type(self).__name__}: the labels have no mask_score. List "
                    "QueryMaskLabelHook in custom_hooks, which labels with the queries of a "
                    "Mask2Former"
                )
            good = boxes.value("mask_score") >= self.mask
            boxes.weight_mask = boxes.value("weight_mask") * good
            learned = good & (boxes.value("level") >= AMBIGUOUS)
            step.count("pseudo/masks", learned.sum() / len(step.pseudo_boxes))


def _mask_head(detector: Any) -> Any:
    """The head that gives the masks of the last stage; None where there is none."""
    heads = stages(getattr(getattr(detector, "roi_head", None), "mask_head", None))
    return heads[-1] if heads else None


@contextmanager
def _scored(roi_head: Any) -> Iterator[None]:
    """Within the context, the predictions of a RoI head have the field `mask_score`."""
    iou_head = getattr(roi_head, "mask_iou_head", None)
    with ExitStack() as stack:
        if iou_head is not None:
            stack.enter_context(replaced(iou_head, "predict_by_feat", lambda _: _with_overlaps))
        else:
            head = stages(roi_head.mask_head)[-1]
            stack.enter_context(replaced(head, "predict_by_feat", _with_confidence))
        yield


def _with_overlaps(mask_iou_preds: Any, results_list: Any) -> Any:
    """In place of the method of MaskIoUHead, which multiplies the scores."""
    for found, overlaps in zip(results_list, mask_iou_preds, strict=True):
        rows = torch.arange(len(found.labels), device=overlaps.device)
        found.mask_score = overlaps[rows, found.labels].float().clamp(0, 1)
    return results_list


def _with_confidence(method: Any) -> Any:
    """`predict_by_feat` of a mask head, with the mean probability inside of each mask."""

    def predict(mask_preds: Any, results_list: Any, *args: Any, **given: Any) -> Any:
        known = [found.labels for found in results_list]
        scores = [
            _confidence(maps.float(), labels, bool(given.get("activate_map")))
            for maps, labels in zip(mask_preds, known, strict=True)
        ]
        results = method(mask_preds, results_list, *args, **given)
        for found, score in zip(results, scores, strict=True):
            found.mask_score = score
        return results

    return predict


def _confidence(maps: Tensor, labels: Tensor, activated: bool) -> Tensor:
    """Of maps (N, K or 1, h, w): logits, or probabilities where they are `activated`."""
    rows = torch.arange(len(labels), device=maps.device)
    own = maps[rows, labels if maps.shape[1] > 1 else torch.zeros_like(labels)]
    return mask_confidence(own.logit() if activated else own)
