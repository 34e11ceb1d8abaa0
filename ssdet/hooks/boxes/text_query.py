"""Text queries: denoising queries carry the name of their class, and tell objects from noise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from ...losses.queries import text_contrast
from ...models.class_texts import ClassTextProjector
from ...registry import HOOKS
from ...teacher_student.core import STRONG, TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.denoising import Decoded, check_denoising, decoded, with_texts
from .._parts.model_kind import detector_only
from ..step_hook import StepHook

LOSS = "_loss_text_query"


@HOOKS.register_module()
class TextQueryHook(StepHook):
    """Denoising queries know what their class is called, and a query of a box is near that name.

    Inspired by STEP-DETR (Shehzadi et al., ICCV 2025), of which the abstract alone is public: its
    text queries even out how sure a student is of common and rare classes, its contrast tells
    foreground from background. How that is done here is ours. For DINO, and for RT-DETR and D-FINE
    of `HFDetector`, in the passes of labeled images and of pseudo labels:

    * the vector of a class, by a `ClassTextProjector`, is added to the denoising queries of boxes
      of that class;
    * with t the vector of the class of a box, what the decoder makes of a noisy box of it is
      attracted by t, and what it makes of places beside boxes, in the same group, is repelled
      (`ssdet.losses.text_contrast`).

    Nothing changes in a test, and nothing is added to the detector.

    Args:
        texts: Name of the `ClassTextProjector` in the model's `auxiliary`.
        weight: Of the contrast, beside the weights of labeled and unlabeled images.
        temperature: By which cosines are divided.
        add: The vectors are added to the queries; else there is the contrast alone.

    Examples:
        >>> from ssdet.testing import detector
        >>> detector().attach(TextQueryHook())  # a RetinaNet has no queries
        Traceback (most recent call last):
        TypeError: TextQueryHook: writes the names of classes into denoising queries ...
    """

    phase = Phase.LOSS

    def __init__(
        self,
        texts: str = "texts",
        *,
        weight: float = 1.0,
        temperature: float = 0.07,
        add: bool = True,
    ) -> None:
        name = type(self).__name__
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "temperature", temperature, 1e-3, float("inf"))
        self.texts, self.weight, self.temperature, self.add = texts, weight, temperature, add

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse detectors without denoising queries, and a model without the projector."""
        name = type(self).__name__
        student = detector_only(self, model, "writes into queries").student
        channels = check_denoising(name, student)
        found = dict(model.auxiliary.items()).get(self.texts)
        wanted = channels, model.num_classes
        if not isinstance(found, ClassTextProjector) or (found.channels, found.classes) != wanted:
            raise ValueError(
                f"{name}: the model's auxiliary has {sorted(model.auxiliary)} and no "
                f"ClassTextProjector called {self.texts!r} of {channels} channels and "
                f"{model.num_classes} classes; give it one: auxiliary=dict({self.texts}=dict("
                f"type='ClassTextProjector', channels={channels}, concepts=<names of each class>))"
            )
        self.network: ClassTextProjector = found
        super().on_attach(model)

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Write into the queries; then the loss of what is decoded of them."""
        if branch != "sup" and not branch.startswith(STRONG):
            yield
            return
        student, texts = step.model.student, self.network()
        with ExitStack() as stack:
            if self.add:
                stack.enter_context(with_texts(student, texts))
            seen = stack.enter_context(decoded(student))
            yield
        if not seen:
            return
        factor = step.model.sup_weight
        if branch != "sup":
            factor = step.unsup_weight * step.shares[branch]
        loss = torch.stack([self._contrast(texts, one) for one in seen]).mean()
        step.losses[branch.replace(STRONG, "unsup") + LOSS] = factor * self.weight * loss

    def after_loss(self, step: Step) -> None:
        """The projector takes part in every step, so that no process waits for it."""
        known = step.losses.get(f"sup{LOSS}", 0.0)
        step.losses[f"sup{LOSS}"] = known + step.model.zero_loss(self.network)

    def _contrast(self, texts: Tensor, found: Decoded) -> Tensor:
        """The mean over the noisy copies of all boxes."""
        total, count = found.hidden.sum() * 0.0, 0
        for hidden, labels, weights in zip(found.hidden, found.labels, found.weights, strict=True):
            noisy, beside = hidden[:, :, : len(labels)].unbind(1)
            each = text_contrast(texts[labels], noisy, beside, self.temperature)
            total = total + (each * weights).sum()
            count += each.numel()
        return total / max(count, 1)
