"""Cross prompting: two networks ask a frozen promptable model, and learn its answers."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from ...labels import IGNORE
from ...models.hf_promptable import INSIDE, NO_POINT, OUTSIDE, Prompts
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.foreign import inner
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import Acceptance, Component, believed, components, repainted
from ...validation import check_choice, check_range
from .cross_supervision import CrossSupervisionHook

Prompt = Literal["point", "box", "both"]
Contested = Literal["prompted", "ignore"]


@HOOKS.register_module()
class CrossPromptHook(CrossSupervisionHook):
    """Two networks learn what a frozen SAM makes of each other's labels.

    The cross prompting of CPC-SAM (Miao et al., MICCAI 2024), with two networks that learn and a
    SAM that does not; in the paper SAM itself learns, and has two decoders that prompt each other.
    It is `CrossSupervisionHook` with one step between: each connected part that a network is sure
    of is a prompt, a point at its core and points of other classes that it is not. Where the mask
    of SAM fits the part, it takes the place of the part in the label of the *other* network.
    What does not fit changes nothing.

    Needs `teacher=dict(model=dict(type="HFPromptedSegmentor", ...), beside_twin=True)`, and, as
    without prompts, `TeacherEMAHook(momentum=0.0)` or more.

    Args:
        network: Key of the second network in `auxiliary` of the model.
        background: The class that is not asked about, and which a part that SAM makes smaller
            leaves behind.
        prompt: "point": the core of a part, and as points beside it the cores of other classes;
            "box": the core, and a box a little larger than the part; "both": all of these.
        seed_score: Pixels from this score on make the parts.
        min_area: Pixels of a part, at least.
        most: Parts of a class in an image, at most; the largest.
        quality, overlap, foreign: When a mask is believed; see `ssdet.thresholds.Acceptance`.
        contested: Pixels to which the network and SAM give another class: "prompted", they get
            that of SAM, or "ignore", nobody learns them.

    Examples:
        >>> from ssdet.testing import fcn, segmentor
        >>> segmentor(auxiliary=dict(second=fcn())).attach(CrossPromptHook())
        Traceback (most recent call last):
        ValueError: CrossPromptHook: there is no model that can be asked; set teacher=dict(...
    """

    def __init__(
        self,
        network: str = "second",
        *,
        background: int = 0,
        prompt: Prompt = "point",
        seed_score: float = 0.9,
        min_area: int = 64,
        most: int = 10,
        quality: float = 0.8,
        overlap: float = 0.5,
        foreign: float = 0.1,
        contested: Contested = "prompted",
    ) -> None:
        super().__init__(network)
        name = type(self).__name__
        check_choice(name, "prompt", prompt, Prompt)
        check_choice(name, "contested", contested, Contested)
        shares = dict(seed_score=seed_score, quality=quality, overlap=overlap, foreign=foreign)
        for key, value in shares.items():
            check_range(name, key, value)
        for key, count in dict(background=background, min_area=min_area).items():
            check_range(name, key, count, 0, float("inf"))
        check_range(name, "most", most, 1, float("inf"))
        self.background, self.prompt, self.contested = background, prompt, contested
        self.seed_score, self.min_area, self.most = seed_score, min_area, most
        self.limits = Acceptance(quality, overlap, foreign)

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model without a second network, or without one that can be asked."""
        super().on_attach(model)
        if not hasattr(inner(model.frozen_teacher), "masks_of"):
            raise ValueError(
                f"{type(self).__name__}: there is no model that can be asked; set teacher=dict("
                "model=dict(type='HFPromptedSegmentor', num_classes=..., pretrained=...), "
                "beside_twin=True) in the model"
            )
        if self.background >= model.num_classes:
            raise ValueError(
                f"{type(self).__name__}: background={self.background}, but the model has "
                f"{model.num_classes} classes, counted from 0"
            )

    def after_teacher(self, step: Step) -> None:
        """Ask about the labels of both networks, and swap what comes of them."""
        both = step.pseudo_pixels, self.label(step, self.names[0])
        found = [self._parts(labels) for labels in both]
        images = step.weak_views.inputs
        asked = [
            prompts_of([*own, *other], self.prompt, images.device)
            for own, other in zip(*found, strict=True)
        ]
        frozen: Any = step.model.frozen_teacher
        for image, (masks, quality) in enumerate(frozen.prompted(images, asked)):
            middle = len(found[0][image])
            for labels, parts, rows in zip(
                both, found, (slice(middle), slice(middle, None)), strict=True
            ):
                self._answer(step, labels, image, parts[image], (masks[rows], quality[rows]))
        self.swap(step, *both)

    def _parts(self, labels: PixelLabels) -> list[list[Component]]:
        """What is asked about each image."""
        return [
            components(
                labels.labels[image],
                self._sure(labels, image),
                background=self.background,
                min_area=self.min_area,
                most=self.most,
            )
            for image in range(len(labels))
        ]

    def _sure(self, labels: PixelLabels, image: int) -> Tensor:
        return labels.valid[image] & (labels.scores[image] >= self.seed_score)

    def _answer(
        self,
        step: Step,
        labels: PixelLabels,
        image: int,
        parts: list[Component],
        answer: tuple[Tensor, Tensor],
    ) -> None:
        """Put the masks that are believed into the labels of an image."""
        own, valid = labels.labels[image], labels.valid[image]
        masks, quality = answer[0] & valid, answer[1]
        kept = believed(
            masks, quality, parts, own, self._sure(labels, image),
            background=self.background, limits=self.limits,
        )  # fmt: skip
        rows = kept.nonzero()[:, 0].tolist()
        new, scores, changed = repainted(
            own, labels.scores[image], [parts[row] for row in rows], masks[rows], quality[rows],
            self.background,
        )  # fmt: skip
        count = 2 * len(labels)  # images, as both networks label them
        step.count("prompts/asked", len(parts) / count)
        step.count("prompts/believed", len(rows) / count)
        step.count("prompts/changed", changed.sum() / valid.sum().clamp(min=1) / count)
        labels.labels[image], labels.scores[image] = new, scores
        if self.contested == "ignore":
            labels.labels[image] = new.masked_fill(changed, IGNORE)
            labels.weights[image] = labels.weights[image].masked_fill(changed, 0.0)


def prompts_of(parts: list[Component], prompt: Prompt, device: torch.device) -> Prompts:
    """A prompt for each part of an image; see `CrossPromptHook`."""
    count = len(parts)
    cores = torch.tensor([one.point for one in parts], device=device).view(count, 2).float()
    classes = torch.tensor([one.label for one in parts], device=device)
    others = classes[:, None] != classes[None]
    if prompt == "box":
        others = torch.zeros_like(others)
    points = torch.cat([cores[:, None], cores.expand(count, count, 2)], 1)
    signs = torch.full((count, count + 1), NO_POINT, device=device)
    signs[:, 0] = INSIDE
    signs[:, 1:][others] = OUTSIDE
    boxes = torch.tensor([one.box for one in parts], device=device).view(count, 4)
    return Prompts(points, signs, None if prompt == "point" else boxes)
