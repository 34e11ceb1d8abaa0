"""Pseudo masks from the queries of Mask2Former, one label for each query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch.nn.functional as F
from mmdet.models.detectors import MaskFormer
from mmdet.structures.mask import mask2bbox
from mmengine.structures import InstanceData
from torch import Tensor

from ...losses.mask_sets import mask_confidence
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.foreign import inner
from ...teacher_student.phase import Phase
from ...teacher_student.recording import replaced
from ...teacher_student.step import Step
from ...validation import check_range
from ..step_hook import StepHook


@HOOKS.register_module()
class QueryMaskLabelHook(StepHook):
    """Each query of a teacher that matches queries to masks is one label, or none.

    As in guided distillation (Berrada et al., WACV 2024). MMDetection's predictions are the best
    pairs of a query and a class, so that several of them can share a mask; and their scores are
    products with the quality of the mask. Here a query has its most probable class, and is a label
    if

    * that class is not "no object", and
    * the probabilities of its mask, at the resolution of the predictions (a quarter of the image),
      sum up to more than `min_pixels`.

    The score is the probability of the class, for a threshold (`FixedThresholdHook`). The mask is
    where its probability, in the size of the image, is above 0.5. How good the mask is, the mean
    probability inside of it, stands in `mask_score`, for `MaskScoreHook`. There is no NMS.

    Args:
        min_pixels: Least size of a mask, in pixels of the predictions.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(QueryMaskLabelHook())
        Traceback (most recent call last):
        TypeError: QueryMaskLabelHook: labels with the queries of MaskFormer and Mask2Former, and \
the teacher is a RetinaNet. Take it out of custom_hooks: thresholds select the labels of any \
detector.
    """

    phase = Phase.LABEL

    def __init__(self, min_pixels: float = 5.0) -> None:
        check_range(type(self).__name__, "min_pixels", min_pixels, 0, float("inf"))
        self.min_pixels = min_pixels
        self._small = 0  # objects of this step whose masks are too small

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a teacher without such queries."""
        super().on_attach(model)
        teacher = inner(model.teacher)
        if not isinstance(teacher, MaskFormer):
            raise TypeError(
                f"{type(self).__name__}: labels with the queries of MaskFormer and Mask2Former, "
                f"and the teacher is a {type(teacher).__name__}. Take it out of custom_hooks: "
                "thresholds select the labels of any detector."
            )

    @contextmanager
    def teacher_pass(self, step: Step) -> Iterator[None]:
        """The teacher's predictions are its queries."""
        teacher = inner(step.model.teacher)
        head, fusion = teacher.panoptic_head, teacher.panoptic_fusion_head
        self._small = 0
        with (
            replaced(head, "predict", lambda _: partial(_last_layer, head)),
            replaced(fusion, "predict", lambda _: partial(self._labels, fusion.num_things_classes)),
        ):
            yield
        step.count("queries/small", self._small / len(step.weak_views.samples))

    def _labels(
        self,
        classes: int,
        logits: Tensor,
        masks: Tensor,
        samples: Sequence[Any],
        rescale: bool = False,
    ) -> list[dict[str, InstanceData]]:
        """In place of the method of MaskFormerFusionHead; (B, Q, K + 1) and (B, Q, h, w)."""
        results = []
        for own, maps, sample in zip(logits.float(), masks.float(), samples, strict=True):
            scores, labels = own.softmax(-1).max(-1)
            large = maps.sigmoid().flatten(1).sum(1) > self.min_pixels
            kept = (labels < classes) & large
            self._small += int(((labels < classes) & ~large).sum())
            shown = _enlarged(maps[kept], sample.metainfo, rescale)
            found = InstanceData(
                bboxes=mask2bbox(shown).float(),
                labels=labels[kept],
                scores=scores[kept],
                masks=shown,
                mask_score=mask_confidence(maps[kept]),
            )
            results.append({"ins_results": found[shown.flatten(1).any(1)]})
        return results


def _last_layer(head: Any, features: Any, samples: Any) -> tuple[Tensor, Tensor]:
    """In place of the method of the head, which enlarges the masks of all queries."""
    logits, masks = head(features, samples)
    return logits[-1], masks[-1]


def _enlarged(masks: Tensor, meta: dict[str, Any], rescale: bool) -> Tensor:
    """Where masks (N, h, w) of a padded view are, in the size of the image: (N, H, W), bool."""
    height, width = meta["img_shape"][:2]
    large = _resized(masks, meta.get("batch_input_shape", (height, width)))[:, :height, :width]
    return (_resized(large, meta["ori_shape"][:2]) if rescale else large) > 0


def _resized(masks: Tensor, size: Sequence[int]) -> Tensor:
    if not len(masks):
        return masks.new_zeros(0, *size)
    if tuple(masks.shape[1:]) == tuple(size):
        return masks
    return F.interpolate(masks[None], size=tuple(size), mode="bilinear", align_corners=False)[0]
