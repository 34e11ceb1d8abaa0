"""Regions of labeled images in unlabeled ones and the other way round: BCP."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.structures import PixelData
from torch import Tensor

from ...mixing import Kind, paste, patch_mask
from ...teacher_student.step import PixelLabels, Step, Views
from ...validation import check_choice, check_range
from .pixel_mix import Fields, fitted, labeled_fields


class RegionPaste:
    """Copy-paste for segmentors; see `CopyPasteHook`."""

    def __init__(
        self,
        owner: str,
        *,
        side: float = 2 / 3,
        patch: Kind = "box",
        parts: int = 3,
        alpha: float = 0.5,
        per_image: bool = False,
        supervised: bool = False,
    ) -> None:
        check_range(owner, "side", side)
        check_choice(owner, "patch", patch, Kind)
        check_range(owner, "parts", parts, 1, float("inf"))
        check_range(owner, "alpha", alpha, 0, float("inf"))
        self.side, self.patch, self.parts = side, patch, parts
        self.alpha, self.per_image, self.supervised = alpha, per_image, supervised

    def mix_labeled(self, step: Step) -> None:
        """Half of the labeled images are the partners of the other half, and vice versa."""
        sup = step.sup
        if sup is None or len(sup.samples) < 2:
            step.count("copy_paste/skipped", 1.0)
            return
        count = len(sup.samples)
        half = count // 2
        mask = self._patches(sup.inputs)
        samples = [
            _mixed_sample(own, sup.samples[image - half], mask[image])
            for image, own in enumerate(sup.samples)
        ]
        step.sup = Views(paste(sup.inputs, sup.inputs.roll(half, dims=0), mask), samples)

    def before_student(self, step: Step) -> None:
        """Replace every strong view by mixtures; the labeled images have been used by then."""
        for name, views in step.strong.items():
            own = {"inputs": views.inputs, **step.targets[name].fields()}
            size = views.inputs.shape[-2:]
            labeled = fitted(labeled_fields(_sup(step), own), len(views.samples), size)
            # Even images get a labeled patch, odd ones are the patch; a batch of one takes turns.
            turn = torch.arange(len(views.samples), device=views.inputs.device) + step.iteration
            inward = (turn % 2 == 0)[:, None, None]
            annotated = self._patches(views.inputs) == inward
            mixed = {key: paste(value, labeled[key], annotated) for key, value in own.items()}
            kept = getattr(step.model, "reduction", "valid") == "kept"
            mixed["weights"] = self._weights(mixed, annotated, inward, kept)
            views.inputs = mixed.pop("inputs")
            step.targets[name] = PixelLabels(**mixed)
        if not self.supervised:
            step.sup = None

    def _weights(self, mixed: Fields, annotated: Tensor, inward: Tensor, kept: bool) -> Tensor:
        """Weights with which the mean over all pixels is the weighted mean of the parts' means."""
        counted = mixed["valid"] & (mixed["weights"] > 0) if kept else mixed["valid"]
        weights, total = torch.zeros_like(mixed["weights"]), 0.0
        for factor, origin in ((1.0, annotated), (self.alpha, ~annotated)):
            for direction in (inward, ~inward):
                part = origin & direction
                size = (counted & part).sum()
                present = float(size > 0)
                weights += part * mixed["weights"] * factor / size.clamp(min=1)
                total += factor * present
        return weights * counted.sum() / max(total, 1e-12)

    def _patches(self, inputs: Tensor) -> Tensor:
        """Masks (B, H, W), true in the patch: the same for all images, or one for each."""
        count, (height, width) = len(inputs), inputs.shape[-2:]
        drawn = [
            patch_mask((height, width), self.side, self.patch, self.parts)
            for _ in range(count if self.per_image else 1)
        ]
        return torch.stack(drawn).expand(count, height, width).to(inputs.device)


def _sup(step: Step) -> Views:
    if step.sup is None:
        raise ValueError("this step has no labeled images")
    return step.sup


def _mixed_sample(own: Any, partner: Any, mask: Tensor) -> Any:
    """All pixel maps of a sample (labels, edges) with the partner's in the mask."""
    sample = own.new()
    for key, value in own.items():
        if isinstance(value, PixelData):
            cut = mask[: value.data.shape[-2], : value.data.shape[-1]]
            data = torch.where(cut, getattr(partner, key).data, value.data)
            setattr(sample, key, PixelData(data=data))
    return sample
