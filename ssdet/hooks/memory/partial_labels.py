"""Annotations with gaps: the teacher fills what nobody labeled."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from ...labels import IGNORE
from ...registry import HOOKS
from ...teacher_student.geometry import homography, warp
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import PseudoBoxes, as_bitmaps
from ...teacher_student.step import PixelLabels, Step, Views
from ...teacher_student.weights.boxes import BACKGROUND
from ...thresholds.box_quality import iou
from ...validation import check_range
from ..step_hook import StepHook

EXHAUSTIVE = "exhaustive"  # of the metainfo: classes all of whose objects are labeled


@HOOKS.register_module()
class PartialLabelsHook(StepHook):
    """Learn from labeled images in which only some objects, or some pixels, are labeled.

    What nobody labeled is not background. The teacher labels the labeled views, too:

    * a box from `score` on is learned, with this weight;
    * a box from `ignore` on is a region to ignore: neither object nor background;
    * a box that an annotation overlaps is taken for the same object, and changes nothing;
    * an unlabeled pixel (255) is learned from `score` on, and stays unknown below. At most `share`
      of the pixels that are learned from an image are the teacher's, drawn at random: else a few
      strokes would drown in what it says of the rest.

    A sample says in its metainfo, as `exhaustive`, of which classes all objects are labeled:
    `LabeledImages` takes that from the file (`complete`, `exhaustive_category_ids`, and LVIS's
    lists). The teacher adds none of these classes, and where they are all classes the image is left
    alone. An image that says nothing is taken as partial.

    Until the teacher is used, the background of partial images has the weight `background`. Less
    than 1 raises all scores, those of clutter too; with gaps at random the demo lost by it.

    Args:
        score, ignore: See above. A teacher that finds objects but confuses their classes is right
            to ignore them and wrong to fill them, so `score` is high by default.
        background: Weight of the background of partial images before `start`.
        share: Of pixels; see above. 1: all that are sure.
        overlap: IoU with an annotation from which a box is the same object, though badly placed.
        start: First iteration in which the teacher fills. None: the end of the burn-in.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), PartialLabelsHook(score=0.0, overlap=1.0))
        >>> len(step.sup.samples[0].gt_instances)  # one annotated, five of the teacher
        6
    """

    phase = Phase.LABEL

    def __init__(
        self,
        *,
        score: float = 0.9,
        ignore: float = 0.3,
        background: float = 1.0,
        overlap: float = 0.3,
        share: float = 0.5,
        start: int | None = None,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(
            score=score, ignore=ignore, background=background, overlap=overlap, share=share
        ).items():
            check_range(name, key, value)
        if start is not None:
            check_range(name, "start", start, 0, float("inf"))
        self.score, self.ignore, self.background = score, ignore, background
        self.overlap, self.share, self.start = overlap, share, start

    @torch.no_grad()
    def before_teacher(self, step: Step) -> None:
        """Fill the gaps of the labeled views."""
        if step.sup is None:
            return
        classes, pixels = step.model.num_classes, step.model.scope == "mmseg"
        missing = [_missing(sample, classes) for sample in step.sup.samples]
        start = step.model.burn_in if self.start is None else self.start
        if step.iteration < start:
            for number, sample in enumerate(step.sup.samples):
                if self.background < 1 and not pixels and missing[number].any():
                    step.sup.samples[number] = self._lightened(sample)
            return
        if not any(one.any() for one in missing):
            return
        found = step.model.label(_without_maps(step.sup) if pixels else step.sup, needs=())
        for number, sample in enumerate(step.sup.samples):
            if not missing[number].any():
                continue
            fill = self._filled_map if isinstance(found, PixelLabels) else self._filled_boxes
            step.sup.samples[number] = fill(step, sample, _one(found, number), missing[number])

    def _lightened(self, sample: Any) -> Any:
        sample = sample.new()
        sample.gt_instances = sample.gt_instances.new()
        sample.gt_instances.set_metainfo({BACKGROUND: self.background})
        return sample

    def _filled_boxes(self, step: Step, sample: Any, found: PseudoBoxes, missing: Tensor) -> Any:
        sample = sample.new()
        known = PseudoBoxes.of(sample.gt_instances)
        found = found[missing.to(found.labels.device)[found.labels]]
        found = found[(iou(found.bboxes, known.bboxes) < self.overlap).all(1)]
        sure = found.scores >= self.score
        doubtful = found[~sure & (found.scores >= self.ignore)]
        found = found[sure]
        found.weight_cls = found.weight_box = found.scores
        if "masks" in known:
            found.masks = _like(found.masks, known.masks)
        elif "masks" in found:
            del found.masks
        sample.gt_instances = PseudoBoxes.cat([known, found])
        before = sample.get("ignored_instances")
        regions = [doubtful.bboxes]
        if before is not None and len(before):
            regions.insert(0, get_box_tensor(before.bboxes))
        sample.ignored_instances = InstanceData(bboxes=torch.cat(regions))
        count = len(step.sup.samples) if step.sup is not None else 1
        step.count("partial/filled", len(found) / count)
        step.count("partial/ignored", len(doubtful) / count)
        return sample

    def _filled_map(self, step: Step, sample: Any, found: PixelLabels, missing: Tensor) -> Any:
        truth = sample.gt_sem_seg.data
        height, width = truth.shape[-2:]
        labels, scores = found.labels[:, :height, :width], found.scores[:, :height, :width]
        open_class = F.pad(missing, (0, IGNORE + 1 - len(missing))).to(labels.device)[labels]
        unknown = truth == IGNORE
        filled = unknown & open_class & (scores >= self.score)
        if "homography_matrix" in sample.metainfo:  # a pipeline may have padded the view
            image = scores.new_zeros(1, *sample.ori_shape[:2])
            filled &= warp(image, homography(sample), (height, width))[1]
        filled = self._limited(step, filled, int((~unknown).sum()))
        sample = sample.new()
        sample.gt_sem_seg = PixelData(data=labels.to(truth.dtype).where(filled, truth))
        count = len(step.sup.samples) if step.sup is not None else 1
        step.count("partial/unknown", unknown.float().mean() / count)
        step.count("partial/filled", filled.float().mean() / count)
        return sample

    def _limited(self, step: Step, filled: Tensor, annotated: int) -> Tensor:
        """No more of the filled pixels than their share."""
        if self.share == 1:
            return filled
        most = int(annotated * self.share / (1 - self.share))
        places = filled.flatten().nonzero()[:, 0].cpu()
        order = torch.randperm(len(places), generator=step.generator(type(self).__name__))
        kept = torch.zeros_like(filled).flatten()
        kept[places[order[:most]].to(filled.device)] = True
        return kept.view_as(filled)


def _without_maps(views: Views) -> Views:
    """The same pictures; 255 in a label map would tell the model that there is no picture."""
    return Views(views.inputs, [SegDataSample(metainfo=one.metainfo) for one in views.samples])


def _missing(sample: Any, classes: int) -> Tensor:
    """The classes (C,) of which objects may be unlabeled."""
    missing = torch.ones(classes, dtype=torch.bool)
    exhaustive = sample.metainfo.get(EXHAUSTIVE)
    if exhaustive is not None:
        missing[list(exhaustive)] = False
    return missing


def _one(found: Any, number: int) -> Any:
    """The labels of one image."""
    if isinstance(found, PixelLabels):
        return found.map(lambda field: field[number : number + 1])
    return found[number]


def _like(masks: Tensor, known: Any) -> Any:
    """The teacher's masks as annotated ones, which may be padded."""
    height, width = known.height, known.width
    room = (0, width - masks.shape[-1], 0, height - masks.shape[-2])
    return as_bitmaps(F.pad(masks, room)[:, :height, :width], (height, width))
