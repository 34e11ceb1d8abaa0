"""The same unlabeled images, labeled again by the teacher at any moment of a training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dist import get_world_size

from ...labels import IGNORE
from ...teacher_student.core import TeacherStudent
from ...teacher_student.pseudo_boxes import PseudoBoxes
from ...teacher_student.step import PixelLabels, Views
from .labeled_pass import UnlabeledPass

LOWEST = 0.05  # the score from which on a box that is not kept is drawn


class FollowedImages:
    """A few unlabeled images in one view each, which stays the same to the end of the training.

    Args:
        dataset: The training set.
        count: Number of images.
    """

    def __init__(self, dataset: Any, count: int) -> None:
        self.images = UnlabeledPass(dataset, count * get_world_size())

    @torch.no_grad()
    def labeled(self, model: TeacherStudent) -> Iterator[tuple[Views, Any, Any]]:
        """(views of an image, the teacher's labels, which of them the thresholds of now keep).

        No hook acts on them, so what a hook keeps for other reasons than its threshold is not told
        apart.
        """
        for views in self.images.views(model, 0):
            with torch.autocast(views.inputs.device.type, enabled=False):
                found = model.label(views, needs=())
            yield views, found, _kept(model, found)


def _kept(model: TeacherStudent, found: list[PseudoBoxes] | PixelLabels) -> Any:
    limits = next((v for h in model.hooks if (v := getattr(h, "last_limits", None))), None)
    one: Any = found if isinstance(found, PixelLabels) else found[0]
    if limits is None or not len(limits.upper):
        return torch.ones_like(one.scores, dtype=torch.bool)
    table = torch.cat([limits.upper.to(one.scores), one.scores.new_full((1,), float("inf"))])
    return one.scores >= table[one.labels.where(one.labels != IGNORE, len(table) - 1)]
