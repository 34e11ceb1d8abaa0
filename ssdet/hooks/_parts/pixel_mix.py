"""What all mixing of pixels shares: the partners, and the cut through every field."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ...labels import IGNORE
from ...mixing import paste
from ...teacher_student.core import TeacherStudent
from ...teacher_student.step import PixelLabels, Step, Views
from ...validation import check_choice, check_range
from ..step_hook import StepHook
from .model_kind import segmentor_only

Source = Literal["unlabeled", "labeled"]
Fields = dict[str, Tensor]


class PixelMixHook(StepHook):
    """Base of the hooks that paste pixels of another image, with their labels, into strong views.

    Image, label, score, weight, validity and probabilities are cut by the same mask. The partner is
    the next image of the batch; in a batch of one it is the image of the batch before (kept in the
    checkpoint). Where none has the same size the image stays as it is and counts in
    `<mix>/skipped`. Random numbers come from PyTorch's generator in the main process, new ones
    for each strong view.

    Args:
        prob: Probability, for each image, that something is pasted into it.
        source: Where the partners come from: other images of the same strong view ("unlabeled"),
            or the labeled batch with its annotations ("labeled").
        skip: Strong views that are left alone.
    """

    mix = "mix"  # the name in the log
    active = True  # a hook that takes turns with others may rest

    def __init__(self, prob: float, source: Source, skip: Sequence[str] = ()) -> None:
        check_range(type(self).__name__, "prob", prob)
        check_choice(type(self).__name__, "source", source, Source)
        self.prob, self.source, self.skip = prob, source, frozenset(skip)
        self._previous: dict[str, Fields] = {}

    @abstractmethod
    def mask(self, partner: Fields) -> Tensor:
        """Which pixels (H, W) of one partner, with its `inputs` and label fields, are pasted."""

    def on_attach(self, model: TeacherStudent) -> None:
        """Boxes cannot be cut like pixels: half an object would keep its whole box."""
        other = "; for boxes there is CopyPasteHook"
        super().on_attach(segmentor_only(self, model, "mixes the labels of pixels", instead=other))

    def before_student(self, step: Step) -> None:
        """Mix every strong view with its partners."""
        for name, views in step.strong.items():
            if name in self.skip or not self.active:
                continue
            fields = {"inputs": views.inputs, **step.targets[name].fields()}
            if self.model is not None and "shown" in self.model.needs:
                fields["shown"] = step.shown.get(name, own_places(step.targets[name]))
            partners = self._partners(step, name, fields)
            step.count(f"{self.mix}/skipped", float(partners is None))
            if partners is not None:
                if "shown" in fields and (self.source == "labeled" or len(views.inputs) == 1):
                    partners["shown"] = torch.full_like(fields["shown"], -1)
                mixed = self._mixed(fields, partners)
                views.inputs = mixed.pop("inputs")
                if "shown" in mixed:
                    step.shown[name] = mixed.pop("shown")
                step.targets[name] = PixelLabels(**mixed)

    def _mixed(self, fields: Fields, partners: Fields) -> Fields:
        masks = torch.zeros_like(partners["valid"])
        chosen = (torch.rand(len(masks)) < self.prob).tolist()
        for image, one in enumerate(chosen):
            if one:
                masks[image] = self.mask({key: value[image] for key, value in partners.items()})
        return {key: paste(value, partners[key], masks) for key, value in fields.items()}

    def _partners(self, step: Step, name: str, fields: Fields) -> Fields | None:
        """For each image another one; None where there is none."""
        count = len(fields["inputs"])
        if self.source == "labeled":
            if step.sup is None:
                return None
            partners = labeled_fields(step.sup, fields)
            return fitted(partners, count, fields["inputs"].shape[-2:])
        if count > 1:
            return {key: value.roll(1, dims=0) for key, value in fields.items()}
        previous = self._previous.get(name)
        self._previous[name] = {key: value.detach() for key, value in fields.items()}
        if previous is None or previous["inputs"].shape != fields["inputs"].shape:
            return None
        return {key: value.to(fields[key].device) for key, value in previous.items()}

    def state_dict(self) -> dict[str, Any]:
        """The partners of the next batch of one."""
        return {"previous": self._previous} if self._previous else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the partners."""
        self._previous = dict(state["previous"])


def own_places(targets: PixelLabels) -> Tensor:
    """For each pixel the number of its image."""
    own = torch.arange(len(targets), dtype=torch.int16, device=targets.labels.device)
    return own.view(-1, 1, 1).expand_as(targets.labels)


def labeled_fields(views: Views, like: Fields) -> Fields:
    """The labeled batch like a strong view: annotations as labels of score and weight 1.

    What is annotated with 255, or padded, is not valid. Probabilities, and labels for
    auxiliary networks, are there if `like` has them.
    """
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in views.samples]).long()
    valid = labels != IGNORE
    one = valid.float()
    fields = dict(inputs=views.inputs, labels=labels, scores=one, weights=one, valid=valid)
    if "extra_labels" in like:
        fields["extra_labels"] = labels[:, None].expand(-1, like["extra_labels"].shape[1], -1, -1)
    if "soft" in like:
        classes = like["soft"].shape[1]
        one_hot = F.one_hot(labels.clamp(max=classes), classes + 1)[..., :classes]
        fields["soft"] = one_hot.movedim(-1, 1).float()
    return fields


def fitted(fields: Fields, count: int, size: Any) -> Fields:
    """`count` images of this (height, width): repeated in turn, cut or padded (as not valid)."""
    height, width = fields["inputs"].shape[-2:]
    missing = (0, size[1] - width, 0, size[0] - height)
    turn = torch.arange(count, device=fields["inputs"].device) % len(fields["inputs"])
    return {
        key: F.pad(value[turn], missing, value=IGNORE if key in ("labels", "extra_labels") else 0)
        for key, value in fields.items()
    }
