"""Copy-paste between labeled and unlabeled images."""

from __future__ import annotations

from typing import Any, Literal

from ...mixing import Kind
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.detector import TeacherStudentDetector
from ...teacher_student.phase import Phase
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.step import Step
from ...validation import check_choice
from .._parts.paste_objects import ObjectPaste
from .._parts.paste_regions import RegionPaste
from ..step_hook import StepHook

Mode = Literal["labeled_to_unlabeled", "unlabeled_to_labeled", "bidirectional", "unlabeled"]


@HOOKS.register_module()
class CopyPasteHook(StepHook):
    """Paste between labeled and unlabeled images: objects for detectors, regions for segmentors.

    *Detectors*: after the transfer, objects of one image are pasted into another, at the same place
    (Simple Copy-Paste, Ghiasi et al. 2021, between the labeled batch and the strong views). Where
    an object has a mask, its pixels are pasted, else its box. What they cover is cut from the masks
    of the objects below, whose boxes become tight around the rest; without masks a box shrinks if a
    whole side of it is hidden. An object with less than `min_visible` left is removed. A pasted
    box includes other objects of its image as far as they lie inside of it, by the same rule.
    Pasted objects keep their weights; annotated ones have weight 1.

    *Segmentors*: bidirectional copy-paste (BCP, Bai et al. 2023), mode "bidirectional". Half of the
    strong views get a patch of a labeled image, the other half become a patch in a labeled image,
    and the student learns from these mixtures only. The mean loss of the annotated pixels of each
    half counts 1 and that of the pseudo-labeled ones `alpha`, divided by the sum of these
    (2 + 2 alpha): `unsup_weight=3` gives the sum of the paper. In the burn-in the labeled images
    are mixed among themselves. Labeled and unlabeled images are paired in turn.

    Args:
        mode: Where from and where to; "unlabeled" pastes between images of the same strong view.
            For segmentors only "bidirectional": other mixtures are `ClassMixHook`, `CutMixHook`.
        prob: Detectors: probability, for each image, that something is pasted into it (0.5).
        max_objects: Detectors: at most this many objects are drawn from an image (10).
        min_visible: Detectors: the least share of an object that counts as this object (0.3).
        side: Segmentors: share of the height and of the width that the patch has (2/3).
        patch: Segmentors: "box"; "grid" of parts x parts smaller ones (the paper's random mask);
            "strip" of whole rows (its contact mask); see `ssdet.mixing.patch_mask` ("box").
        parts: Segmentors: cells of the grid in each direction (3).
        alpha: Segmentors: weight of the pseudo labels; that of annotations is 1 (0.5).
        per_image: Segmentors: a patch for each image instead of one for the batch (False).
        supervised: Segmentors: learn from the labeled images as they are, too (False).

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), CopyPasteHook(prob=1.0))
        >>> step.log["copy_paste/images"]  # two pairs: objects go both ways
        tensor(2.)
        >>> CopyPasteHook(mode="both")
        Traceback (most recent call last):
        ValueError: CopyPasteHook: mode='both' is not one of ['labeled_to_unlabeled', ...
    """

    phase = Phase.MIX
    learns_all_pixels = True

    def __init__(
        self,
        mode: Mode = "bidirectional",
        *,
        prob: float | None = None,
        max_objects: int | None = None,
        min_visible: float | None = None,
        side: float | None = None,
        patch: Kind | None = None,
        parts: int | None = None,
        alpha: float | None = None,
        per_image: bool | None = None,
        supervised: bool | None = None,
    ) -> None:
        name = type(self).__name__
        check_choice(name, "mode", mode, Mode)
        self.mode = mode
        self._of_objects = _given(prob=prob, max_objects=max_objects, min_visible=min_visible)
        self._of_regions = _given(
            side=side,
            patch=patch,
            parts=parts,
            alpha=alpha,
            per_image=per_image,
            supervised=supervised,
        )
        self._objects = ObjectPaste(name, mode, **self._of_objects)
        self._regions = RegionPaste(name, **self._of_regions)
        self._paste: ObjectPaste | RegionPaste = self._objects

    def on_attach(self, model: TeacherStudent) -> None:
        """Choose what is pasted; refuse settings that do not fit this model."""
        name = type(self).__name__
        if isinstance(model, TeacherStudentSegmentor):
            if self.mode != "bidirectional":
                raise ValueError(
                    f"{name}: mode={self.mode!r} pastes objects and works with detectors; for a "
                    "TeacherStudentSegmentor take mode='bidirectional', or "
                    "ClassMixHook(source='labeled')"
                )
            if model.reduction == "image":
                raise ValueError(
                    f"{name}: weights annotated and pseudo-labeled pixels differently, but "
                    "reduction='image' of the model weights all alike; use 'valid' or 'kept'"
                )
            self._paste, foreign = self._regions, self._of_objects
        elif isinstance(model, TeacherStudentDetector):
            self._paste, foreign = self._objects, self._of_regions
        else:
            raise TypeError(
                f"{name}: works with a TeacherStudentDetector or a TeacherStudentSegmentor, not "
                f"with a {type(model).__name__}"
            )
        if foreign:
            raise ValueError(
                f"{name}: {', '.join(foreign)} is not for a {type(model).__name__}; remove it"
            )
        super().on_attach(model)

    def before_teacher(self, step: Step) -> None:
        """In the burn-in, a segmentor's labeled images are mixed among themselves."""
        if self._paste is self._regions and step.iteration < step.model.burn_in:
            self._regions.mix_labeled(step)

    def before_student(self, step: Step) -> None:
        """Paste."""
        if step.sup is None and self.mode != "unlabeled":
            raise ValueError(
                f"{type(self).__name__}: mode={self.mode!r} needs labeled images in each batch, "
                "and this one has no branch 'sup'. Check the sampler, or use mode='unlabeled'."
            )
        self._paste.before_student(step)


def _given(**settings: Any) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value is not None}
