"""Local contrast: pixels are pulled to the mean feature of their class, in two images."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...labels import IGNORE
from ...losses.contrast import class_means, local_contrast
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.model_kind import projects_pixels
from .._parts.student_views import passed_views, shown_labels
from ..step_hook import StepHook


@HOOKS.register_module()
class LocalContrastHook(StepHook):
    """Contrast pixels with the mean features of the classes in their image and in the next one.

    Local contrastive loss with pseudo labels (Chaitanya et al., MedIA 2023). Of each class that an
    image shows, `anchors` pixels are pulled to the mean feature of the class in this image, and
    (`cross`) to that in the next image; the means of other classes in both push them away. It needs
    no memory and no features of the teacher. Images are the labeled ones and the strong views,
    in the order of the step; after the last one comes the first. Their labels are the annotated
    ones and those pseudo labels that are trained on (weight above 0); an image that shows no class
    is left out. `unsup_loss_local_contrast` is the mean over images and anchors, where a class that
    is missing counts as zero.

    The paper trains anew in rounds, each with labels of the last; here labels are the teacher's of
    this step.

    Args:
        head: Name of the `PixelProjector` in the model's `auxiliary`.
        weight: Factor on the loss, beside the unsupervised weight.
        anchors: Pixels of each class and image, drawn with replacement.
        cross: Contrast with the next image, too; False: with the own means alone.
        temperature: By which cosines are divided.
        background: A class that is neither anchor nor mean; None: all take part.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> head = dict(type="PixelProjector", in_channels=8, channels=4)
        >>> step = take_step(segmentor(auxiliary=dict(representation=head)), LocalContrastHook())
        >>> bool(step.losses["unsup_loss_local_contrast"] > 0)
        True
    """

    phase = Phase.LOSS
    needs = frozenset({"student_outputs", "pixel_features"})

    def __init__(
        self,
        *,
        head: str = "representation",
        weight: float = 0.1,
        anchors: int = 3,
        cross: bool = True,
        temperature: float = 0.1,
        background: int | None = 0,
    ) -> None:
        name = type(self).__name__
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "anchors", anchors, 1, float("inf"))
        check_range(name, "temperature", temperature, 1e-3, float("inf"))
        self.head, self.weight, self.anchors = head, weight, int(anchors)
        self.cross, self.temperature, self.background = cross, temperature, background

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, or lacks the head or the background."""
        name = type(self).__name__
        model = projects_pixels(self, model, self.head)
        if self.background is not None and not 0 <= self.background < model.num_classes:
            raise ValueError(
                f"{name}: background={self.background} is none of the {model.num_classes} classes "
                "of the model. Give its index, or None if all classes take part."
            )
        super().on_attach(model)

    def after_loss(self, step: Step) -> None:
        """Add the contrast of all images that the student saw, after the burn-in."""
        projector: Any = step.model.auxiliary[self.head]
        loss = step.model.zero_loss(projector)
        if step.iteration >= step.model.burn_in:
            views = [name for name in passed_views(step) if name in step.pixel_features]
            images = [image for name in views for image in self._images(step, projector, name)]
            loss = loss + self._contrast(step, images)
        step.losses["unsup_loss_local_contrast"] = loss * self.weight * step.unsup_weight

    def _contrast(self, step: Step, images: list[tuple[Tensor, Tensor]]) -> Tensor | float:
        """Mean over images (features (N, D) and labels (N,) of known pixels) and their anchors."""
        generator = step.generator(type(self).__name__)
        classes = step.model.num_classes
        means = [class_means(features, F.one_hot(at, classes).bool()) for features, at in images]
        cross = self.cross and len(images) > 1
        total: Any = 0.0
        for number, (features, labels) in enumerate(images):
            drawn = self._draw(labels, generator)
            other = means[(number + 1) % len(images)] if cross else None
            total = total + local_contrast(
                features[drawn], labels[drawn], means[number], other, self.temperature
            )
        shown = classes - (self.background is not None)
        step.count("local_contrast/images", len(images))
        return total / max(1, len(images) * self.anchors * shown * (1 + cross))

    def _draw(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Places of the anchors, of labels that are not empty."""
        found = []
        for number in labels.unique().tolist():
            (places,) = (labels == number).nonzero(as_tuple=True)
            drawn = torch.randint(len(places), (self.anchors,), generator=generator)
            found.append(places[drawn.to(places.device)])
        return torch.cat(found)

    def _images(self, step: Step, projector: Any, name: str) -> list[tuple[Tensor, Tensor]]:
        """Projected features and labels of the known pixels of each image of a view."""
        maps = projector(step.pixel_features[name])
        given = shown_labels(step, name)
        if name != "sup":
            given = given.where(step.targets[name].weights > 0, IGNORE)
        small = F.interpolate(given[:, None].float(), maps.shape[-2:], mode="nearest")[:, 0].long()
        known = small != IGNORE
        if self.background is not None:
            known &= small != self.background
        rows = zip(maps.movedim(1, -1).float(), small, known, strict=True)
        return [(features[at], labels[at]) for features, labels, at in rows if bool(at.any())]
