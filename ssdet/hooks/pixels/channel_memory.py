"""AllSpark: channels of unlabeled images are remembered by class, for the labeled ones."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.channel_attention import ChannelCrossAttention, channel_classes
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.model_kind import segmentor_only
from .._parts.score_history import gathered
from ..step_hook import StepHook


@HOOKS.register_module()
class ChannelMemoryHook(StepHook):
    """Tell the attention among channels what is labeled, and remember channels of each class.

    AllSpark (Wang et al., CVPR 2024). The student's neck, a `ChannelCrossAttention`, rebuilds the
    features of labeled images from channels of unlabeled ones. Each channel of an unlabeled view
    belongs to the class whose map of probabilities it resembles most, and enters the memory of
    this class. After the warm-up labeled images are rebuilt from the memories that are full.

    Every pseudo label is trained on, as published, unless a threshold is listed too.

    Args:
        warmup: Iterations after the burn-in, before which labeled images are rebuilt from the
            unlabeled ones of the batch.

    Examples:
        >>> from ssdet.testing import fcn, segmentor, take_step
        >>> neck = dict(type="ChannelCrossAttention", in_channels=32, channels=8)
        >>> model = segmentor(segmentor={**fcn(), "neck": neck}, joint_pass=True)
        >>> step = take_step(model, ChannelMemoryHook())
        >>> step.log["channels/full_classes"]  # nothing is remembered before the first step
        tensor(0.)
    """

    phase = Phase.MEMORY
    needs = frozenset({"soft_targets"})
    learns_all_pixels = True

    def __init__(self, *, warmup: int = 0) -> None:
        check_range(type(self).__name__, "warmup", warmup, 0, float("inf"))
        self.warmup = int(warmup)
        self.memory: ChannelMemory | None = None

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model without the neck, or with passes apart."""
        name = type(self).__name__
        model = segmentor_only(self, model, "remembers channels")
        if not isinstance(getattr(model.student, "neck", None), ChannelCrossAttention):
            raise ValueError(
                f"{name}: the segmentor has no ChannelCrossAttention. Set segmentor.neck=dict("
                "type='ChannelCrossAttention', in_channels=...)."
            )
        if not model.joint_pass:
            raise ValueError(
                f"{name}: labeled images are rebuilt from the unlabeled ones of the same pass, but "
                "the model has joint_pass=False. Set joint_pass=True."
            )
        super().on_attach(model)

    def before_teacher(self, step: Step) -> None:
        """Until the joint pass begins every image attends to itself."""
        self._neck(step).labeled = None

    def before_student(self, step: Step) -> None:
        """Say how many rows are labeled, and what they are rebuilt from."""
        neck = self._neck(step)
        neck.labeled = len(step.sup.inputs) if step.sup is not None else 0
        full = None if self.memory is None else self.memory.full()
        begun = step.iteration >= step.model.burn_in + self.warmup
        neck.memory = full if begun and full is not None and len(full) else None
        step.count("channels/full_classes", 0.0 if full is None else float(len(full)))

    def after_loss(self, step: Step) -> None:
        """Remember the channels of this step."""
        neck = self._neck(step)
        if neck.embedded is not None and step.rows:
            channels, classes = self._channels(step, neck.embedded)
            if self.memory is None:
                self.memory = ChannelMemory(step.model.num_classes, neck.channels)
            self.memory.push(gathered(channels), gathered(classes))
        neck.labeled = neck.memory = neck.embedded = None
        # A pass without unlabeled images leaves one of the attentions without a gradient.
        step.losses["unsup_loss_channels"] = step.model.zero_loss(neck)

    def _channels(self, step: Step, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """The channels (M, N) of the strong views with images, and their classes."""
        neck = self._neck(step)
        found, classes = [], []
        for name, targets in step.targets.items():
            # The neck, a part of the encoder, does not see branches that are derived from others.
            if name not in step.rows or name in step.derived or targets.soft is None:
                continue
            own = embedded[step.rows[name]]
            maps = F.interpolate(targets.soft, neck.size, mode="bilinear", align_corners=False)
            found.append(own.transpose(1, 2).flatten(0, 1))
            classes.append(channel_classes(own, maps.flatten(2)).flatten())
        if not found:
            return embedded.new_zeros(0, embedded.shape[1]), neck.before.weight.new_zeros(0).long()
        return torch.cat(found), torch.cat(classes)

    def _neck(self, step: Step) -> Any:
        return step.model.student.neck

    def state_dict(self) -> dict[str, Any]:
        """The memory, in half precision."""
        return {} if self.memory is None else self.memory.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the memory."""
        if state:
            rows = state["rows"]
            self.memory = ChannelMemory(len(rows), rows.shape[1])
            self.memory.load_state_dict(state)


class ChannelMemory:
    """For each class the latest channels; the oldest one is overwritten, all others stay in place.

    Args:
        classes: How many.
        size: Channels of each.
    """

    def __init__(self, classes: int, size: int) -> None:
        self.size = size
        self.rows: Tensor | None = None
        self.written = torch.zeros(classes, dtype=torch.long)

    def push(self, channels: Tensor, classes: Tensor) -> None:
        """Write channels (M, N) to their classes (M,), one after the other."""
        if self.rows is None:
            shape = (len(self.written), self.size, channels.shape[1])
            self.rows = torch.zeros(shape, dtype=torch.half)
        self.rows = self.rows.to(channels.device)
        for number in classes.unique().tolist():
            new = channels[classes == number][-self.size :]
            start = int(self.written[number]) % self.size
            places = (torch.arange(len(new), device=new.device) + start) % self.size
            self.rows[number, places] = new.to(self.rows.dtype)
            self.written[number] += len(new)

    def full(self) -> Tensor | None:
        """The channels of the classes that have them all: (K, size, N)."""
        if self.rows is None:
            return None
        return self.rows[(self.written >= self.size).to(self.rows.device)]

    def state_dict(self) -> dict[str, Tensor]:
        """Channels, and how many were written."""
        return {} if self.rows is None else {"rows": self.rows.cpu(), "written": self.written}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore them."""
        self.rows, self.written = state["rows"], state["written"].clone()
