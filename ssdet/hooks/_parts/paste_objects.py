"""Objects of one image over another, with boxes, masks, labels and weights."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from ...mixing import region_of, restrict
from ...teacher_student.pseudo_boxes import PseudoBoxes, as_bitmaps, bitmaps
from ...teacher_student.step import Step, Views
from ...teacher_student.task_sets import as_weights
from ...teacher_student.weights.boxes import regions_of
from ...validation import check_range

TO_UNLABELED = ("labeled_to_unlabeled", "bidirectional")
TO_LABELED = ("unlabeled_to_labeled", "bidirectional")


class ObjectPaste:
    """Copy-paste for detectors; see `CopyPasteHook`."""

    def __init__(
        self,
        owner: str,
        mode: str,
        *,
        prob: float = 0.5,
        max_objects: int = 10,
        min_visible: float = 0.3,
    ) -> None:
        check_range(owner, "prob", prob)
        check_range(owner, "max_objects", max_objects, 1, float("inf"))
        check_range(owner, "min_visible", min_visible)
        self.mode, self.prob, self.max_objects, self.min_visible = (
            mode,
            prob,
            max_objects,
            min_visible,
        )

    def before_student(self, step: Step) -> None:
        """Paste in the directions of the mode; each reads the images as they were before."""
        sup, labeled = step.sup, step.sup
        for number, (name, views) in enumerate(step.strong.items()):
            strong = Views(views.inputs, step.targets[name])
            mixed = strong
            if self.mode in TO_UNLABELED and sup is not None:
                mixed = self._paste(step, strong, sup, shift=0)
            elif self.mode == "unlabeled":
                mixed = self._paste(step, strong, strong, shift=1)
            # The labeled batch exists once: it gets objects of the first strong view.
            if self.mode in TO_LABELED and sup is not None and number == 0:
                labeled = self._paste(step, sup, _weighted(strong), shift=0)
            views.inputs, step.targets[name] = mixed.inputs, mixed.samples
        step.sup = labeled

    def _paste(self, step: Step, below: Views, above: Views, shift: int) -> Views:
        """Objects of the images `above` over those `below`, paired in turn."""
        inputs, samples = below.inputs.clone(), list(below.samples)
        count = len(above.samples)
        for image, sample in enumerate(samples):
            partner = (image + shift) % count
            alone = shift > 0 and partner == image
            if alone or float(torch.rand(())) >= self.prob:
                continue
            step.count("copy_paste/images", 1 / len(samples))
            region, brought = self._chosen(above.samples[partner], sample, inputs.shape[-2:])
            if not len(brought):
                continue
            pixels = _fitted(above.inputs[partner], inputs.shape[-2:])
            inputs[image] = torch.where(region, pixels, inputs[image])
            samples[image], hidden = self._covered(sample, brought, region)
            regions = self._ignored(sample, ~region), self._ignored(above.samples[partner], region)
            if "ignored_instances" in sample or len(regions[1]):
                samples[image].ignored_instances = InstanceData(bboxes=torch.cat(regions))
            step.count("copy_paste/objects", len(brought) / len(samples))
            step.count("copy_paste/hidden", hidden / len(samples))
        return Views(inputs, samples)

    def _chosen(self, source: Any, target: Any, size: Any) -> tuple[Tensor, PseudoBoxes]:
        """Pixels (H, W) to paste, and the objects that come with them, in a frame of this size."""
        objects = PseudoBoxes.of(source.gt_instances)
        boxes, masks = objects.bboxes, _mask_tensor(objects, size)
        frame = torch.zeros(*size, dtype=torch.bool, device=boxes.device)
        height, width = (min(source.img_shape[i], target.img_shape[i]) for i in range(2))
        frame[:height, :width] = True
        share, _, _ = restrict(boxes, masks, frame)
        seen = self._visible(share).nonzero()[:, 0]
        max_objects = min(self.max_objects, len(seen))
        count = int(torch.randint(1, max_objects + 1, ())) if max_objects else 0
        drawn = seen[torch.randperm(len(seen))[:count].to(seen.device)]
        only = masks[drawn] if masks is not None else None
        region = region_of(boxes[drawn], only, (size[0], size[1])) & frame
        return region, self._within(objects, masks, region)

    def _covered(self, sample: Any, brought: PseudoBoxes, region: Tensor) -> tuple[Any, int]:
        """The sample below, without what is covered and with what was pasted."""
        objects = PseudoBoxes.of(sample.gt_instances)
        masks = _mask_tensor(objects, region.shape)
        if masks is not None and "masks" not in brought:
            raise ValueError(
                "CopyPasteHook: the objects below have masks and those to paste have none; load "
                "masks for both (LoadAnnotations(with_mask=True)), or use a detector without masks"
            )
        left = self._within(objects, masks, ~region)
        if masks is None and "masks" in brought:
            brought.pop("masks")  # they have chosen what to paste; boxes are trained on here
        joined = PseudoBoxes.cat([left, brought])
        if masks is not None:
            joined.masks = as_bitmaps(joined.masks)
        sample = sample.new()
        sample.gt_instances = joined
        return sample, len(objects) - len(left)

    def _ignored(self, sample: Any, region: Tensor) -> Tensor:
        """Regions of a sample that are ignored (K, 4), as far as they lie in a region."""
        ignored = regions_of(sample)
        if ignored is None:
            return torch.zeros(0, 4, device=region.device)
        share, boxes, _ = restrict(ignored.float(), None, region)
        return boxes[self._visible(share)]

    def _within(self, objects: PseudoBoxes, masks: Tensor | None, region: Tensor) -> PseudoBoxes:
        """The objects as far as they lie in a region; masks stay a tensor (N, H, W)."""
        share, boxes, masks = restrict(objects.bboxes, masks, region)
        cut = {"bboxes": boxes} if masks is None else {"bboxes": boxes, "masks": masks}
        found, _ = PseudoBoxes.of(objects, **cut).split(self._visible(share))
        return PseudoBoxes(**dict(found.items()))

    def _visible(self, share: Tensor) -> Tensor:
        return (share >= self.min_visible) & (share > 0)


def _weighted(views: Views) -> Views:
    """Views whose objects have weights instead of sets of tasks.

    The labeled pass has one set of objects for all tasks.
    """
    samples = []
    for sample in views.samples:
        sample = sample.new()
        sample.gt_instances = as_weights(PseudoBoxes.of(sample.gt_instances))
        samples.append(sample)
    return Views(views.inputs, samples)


def _mask_tensor(objects: PseudoBoxes, size: Any) -> Tensor | None:
    """Masks (N, H, W) in a frame of this size; None where there are none."""
    if "masks" not in objects:
        return None
    drawn = bitmaps(objects.masks).to_tensor(torch.bool, objects.bboxes.device)
    return _fitted(drawn, size)


def _fitted(maps: Tensor, size: Any) -> Tensor:
    """Cut or padded at the bottom and the right."""
    height, width = maps.shape[-2:]
    return F.pad(maps, (0, size[1] - width, 0, size[0] - height))
