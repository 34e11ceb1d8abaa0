"""Labels of the unlabeled images that only an analysis sees, in the frame of the weak views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...evaluation.pseudo_labels import PseudoLabelQuality, matched
from ...formats import Annotations, ImageRecord, read
from ...formats.class_values import declared
from ...labels import IGNORE
from ...teacher_student.geometry import areas, clip_boxes, homography, project_boxes, warp
from ...teacher_student.pseudo_boxes import AMBIGUOUS, PseudoBoxes
from ...teacher_student.step import PixelLabels, Step

MIN_VISIBLE = 0.2  # share of an object that must lie in the view


class HiddenTruth:
    """Compares pseudo labels with labels that the training never sees.

    Args:
        source: What `ssdet.formats.read` takes: `dict(source="all.json", format="coco")`.
        classes: Names of the classes of the model, in its order.
    """

    def __init__(self, source: dict[str, Any], classes: Sequence[str]) -> None:
        # Names beside label maps say what their values mean, whatever the order of the model is.
        own = declared(Path(source["source"])).names
        self.data: Annotations = read(**{"classes": () if own else tuple(classes), **source})
        position = {name: number for number, name in enumerate(classes)}
        missing = sorted(set(self.data.classes) ^ set(classes))
        if classes and missing:
            raise ValueError(
                f"truth={source!r}: its classes {list(self.data.classes)} are not those of the "
                f"training {list(classes)}: {missing}. Give them in its `classes`"
            )
        self.label = [position.get(name, n) for n, name in enumerate(self.data.classes)]
        self.records: dict[str, ImageRecord] = {}
        for record in self.data.records:
            self.records[_key(record.name)] = record
        if len(self.records) < len(self.data.records):
            raise ValueError(f"truth={source!r}: several images have the same file name")

    def compare(self, step: Step, quality: PseudoLabelQuality) -> int:
        """Add the images of a step to the counts; returns how many of them are known."""
        known = 0
        for number, sample in enumerate(step.weak_views.samples):
            record = self.records.get(_key(getattr(sample, "img_path", None) or ""))
            if record is None:
                continue
            known += 1
            if isinstance(step.pseudo, PixelLabels):
                self._pixels(record, sample, number, step.pseudo, quality)
            else:
                self._boxes(record, sample, number, step, quality)
        return known

    def _boxes(
        self, record: ImageRecord, sample: Any, number: int, step: Step, quality: PseudoLabelQuality
    ) -> None:
        objects = [one for one in record.instances if not one.ignored]
        boxes = torch.tensor([one.box for one in objects], dtype=torch.float32).reshape(-1, 4)
        classes = torch.tensor([self.label[one.label] for one in objects], dtype=torch.long)
        moved = project_boxes(boxes, homography(sample))
        clipped = clip_boxes(moved, sample.img_shape)
        seen = areas(clipped) > MIN_VISIBLE * areas(moved)
        groups = [step.pseudo_boxes[number], *step.dropped[number].values()]
        kept = [groups[0].level >= AMBIGUOUS]
        kept += [torch.zeros_like(one.labels, dtype=torch.bool) for one in groups[1:]]
        found = PseudoBoxes.cat(
            [PseudoBoxes(bboxes=g.bboxes, labels=g.labels, scores=g.scores) for g in groups]
        )
        trained = torch.cat(kept).cpu().numpy()
        # Kept ones first: an object that both find is not missed.
        order = np.lexsort((-found.scores.cpu().numpy(), ~trained))
        found, trained = found[torch.from_numpy(order)], trained[order]
        right, overlap = matched(
            found.bboxes.cpu(), found.labels.cpu(), clipped[seen], classes[seen]
        )
        labels, scores = found.labels.cpu().numpy(), found.scores.cpu().numpy()
        quality.add(classes[seen].numpy(), labels, scores, right, trained)
        quality.add_overlaps(labels, overlap, trained)

    def _pixels(
        self,
        record: ImageRecord,
        sample: Any,
        number: int,
        found: PixelLabels,
        quality: PseudoLabelQuality,
    ) -> None:
        if record.mask is None or self.data.encoding is None:
            return
        table = np.full(IGNORE + 1, IGNORE, dtype=np.int64)
        table[: len(self.label)] = self.label
        truth = torch.from_numpy(table[self.data.encoding.decode(record.mask)])
        moved, inside = warp(truth[None], homography(sample), found.labels.shape[-2:])
        fields = (found.labels, found.scores, found.weights, found.valid)
        labels, scores, weights, valid = (_array(field[number]) for field in fields)
        wanted = valid & inside.numpy() & (moved[0].numpy() != IGNORE) & (labels != IGNORE)
        target, labels, scores = moved[0].numpy()[wanted], labels[wanted], scores[wanted]
        quality.add(target, labels, scores, labels == target, weights[wanted] > 0)


def _array(field: Tensor) -> Any:
    return field.detach().cpu().numpy()


def _key(name: str) -> str:
    """Images are known by the name of their file, without the ending."""
    return Path(name).stem
