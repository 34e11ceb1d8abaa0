"""DDFP: features are moved to where few others lie, and keep their label there."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ...labels import IGNORE
from ...losses import masked_cross_entropy
from ...losses.density import ascent, density_loss, mixture_density
from ...losses.pixels import two_channels
from ...models.feature_flow import FeatureFlow, SecondNorms
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import last_decode_head
from ...teacher_student.phase import LAYER_INPUT, TEACHER_ON, Phase
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_range
from .._parts.layers import check_layer
from .._parts.model_kind import segmentor_only
from ..step_hook import StepHook

UNKNOWN = -1


@HOOKS.register_module()
class DensityDescentHook(StepHook):
    """One more stream: features of the strong views, moved to where features lie less densely.

    DDFP (Wang et al., CVPR 2024). A normalizing flow learns the density of the teacher's features
    of pixels, with a Gaussian for each class (`flow_loss`, of the flow alone). What the last layers
    of the decode head get is moved, by `length` for each pixel, along the gradient of the negative
    log density of what they give; there it must have the same label (`unsup_loss_density`). The
    moved features are normalized by statistics of their own.

    Args:
        flow: Name of the `FeatureFlow` in the model's `auxiliary`.
        norms: Name of the `SecondNorms` there; None: the layers' own normalizations.
        layer: The last layers in front of the classes; what they get is moved.
        length: Of the move, for each pixel.
        share: Share of the unsupervised weight that this stream gets, in (0, 1).
        start: Iterations after the burn-in through which the flow learns alone.
        samples: Pixels of a step that the flow learns from, drawn at random.
        noise: Standard deviation of what is added to these.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> flow = dict(type="FeatureFlow", dim=8, num_classes=4, hidden=8)
        >>> hook = DensityDescentHook(norms=None, layer="decode_head.convs")
        >>> step = take_step(segmentor(auxiliary=dict(flow=flow)), hook)
        >>> [name for name in step.losses if "density" in name or "flow" in name]
        ['flow_loss', 'unsup_loss_density']
    """

    phase = Phase.LOSS
    needs_twin = True

    def __init__(
        self,
        *,
        flow: str = "flow",
        norms: str | None = "norms",
        layer: str = "decode_head.sep_bottleneck",
        length: float = 4.0,
        share: float = 0.5,
        start: int = 0,
        samples: int = 20480,
        noise: float = 0.05,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(length=length, start=start, noise=noise).items():
            check_range(name, key, value, 0, float("inf"))
        check_range(name, "samples", samples, 2, float("inf"))
        check_range(name, "share", share)
        if share in (0, 1):
            raise ValueError(
                f"{name}: share={share}: a share of 0 or 1 leaves one side without a loss. Use a "
                "number in between, or no hook."
            )
        self.flow, self.norms, self.layer = flow, norms, layer
        self.length, self.share, self.start = length, share, int(start)
        self.samples, self.noise = int(samples), noise
        self.needs = frozenset({"pixel_features", TEACHER_ON + "sup", LAYER_INPUT + layer})

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, or lacks the networks or the layer."""
        name = type(self).__name__
        model = segmentor_only(self, model, "moves features of pixels")
        auxiliary = dict(model.auxiliary.items())
        flow = auxiliary.get(self.flow)
        if not isinstance(flow, FeatureFlow) or flow.num_classes != model.num_classes:
            raise ValueError(
                f"{name}: the model's auxiliary {self.flow!r} must be a FeatureFlow of its "
                f"{model.num_classes} classes. Set auxiliary=dict({self.flow}=dict("
                f"type='FeatureFlow', dim=..., num_classes={model.num_classes}))."
            )
        layer = check_layer(self, model.student, self.layer)
        if self.norms is not None:
            norms = auxiliary.get(self.norms)
            if not isinstance(norms, SecondNorms):
                raise ValueError(
                    f"{name}: the model's auxiliary {self.norms!r} must be a SecondNorms. Add it, "
                    "or set norms=None."
                )
            norms.state_for(layer)
        super().on_attach(model)

    def before_student(self, step: Step) -> None:
        """Give the moved features their share of the weight."""
        if self._moves(step):
            for name in step.shares:
                step.shares[name] *= 1 - self.share

    def after_loss(self, step: Step) -> None:
        """Add the loss of the flow, and that of the moved features."""
        model: Any = step.model
        parts = [model.zero_loss(model.auxiliary[self.norms])] if self.norms is not None else []
        if self._moves(step):
            names = [name for name in step.targets if name in step.layers]
            # The hook took a part of each share.
            factor = self.share / (1 - self.share)
            parts += [self._moved_loss(step, name) * step.shares[name] * factor for name in names]
        density: Any = sum(parts) if parts else model.zero_loss()
        step.losses["flow_loss"] = self._flow_loss(step)
        step.losses["unsup_loss_density"] = density * step.unsup_weight

    def _moves(self, step: Step) -> bool:
        return step.weak is not None and step.iteration >= step.model.burn_in + self.start

    def _flow_loss(self, step: Step) -> Tensor:
        """What the flow loses on random pixels of the teacher, for each dimension."""
        flow: Any = step.model.auxiliary[self.flow]
        features, labels = self._pixels(step)
        if len(features) < 2:
            return step.model.zero_loss(flow)
        generator = step.generator(type(self).__name__, device=features.device)
        if len(features) > self.samples:
            drawn = torch.randint(
                len(features), (self.samples,), generator=generator, device=features.device
            )
            features, labels = features[drawn], labels[drawn]
        noise = torch.randn(features.shape, generator=generator, device=features.device)
        with torch.autocast(features.device.type, enabled=False):
            loss = density_loss(flow(features + self.noise * noise), labels)
        step.count("density/mean", -loss.detach())
        return loss / flow.dim

    def _pixels(self, step: Step) -> tuple[Tensor, Tensor]:
        """The teacher's features (N, D) of pixels, and their classes; -1 where no one knows."""
        found: list[tuple[Tensor, Tensor]] = []
        if step.sup is not None and "sup" in step.teacher_pixels:
            samples = step.sup.samples
            labels = torch.stack([sample.gt_sem_seg.data[0] for sample in samples]).long()
            found.append((step.teacher_pixels["sup"], labels))
        if step.teacher_pixel_features is not None:
            valid = step.pseudo_pixels.valid
            labels = torch.full_like(step.pseudo_pixels.labels, UNKNOWN)
            found.append((step.teacher_pixel_features, labels.where(valid, IGNORE)))
        features, classes = [], []
        for maps, labels in found:
            small = _reduced(labels, maps.shape[-2:])
            known = small != IGNORE
            features.append(maps.detach().float().movedim(1, -1)[known])
            classes.append(small[known])
        if not found:
            flow: Any = step.model.auxiliary[self.flow]
            return flow.means.new_zeros(0, flow.dim), flow.means.new_zeros(0).long()
        return torch.cat(features), torch.cat(classes)

    def _moved_loss(self, step: Step, name: str) -> Tensor:
        """Cross entropy of the moved features of a strong view."""
        model: Any = step.model
        head: Any = last_decode_head(model.student)
        layer = model.student.get_submodule(self.layer)
        given = step.layers[name][LAYER_INPUT + self.layer]
        targets = step.targets[name]
        state = model.auxiliary[self.norms].state_for(layer) if self.norms is not None else {}
        moved = given + self._move(step, (layer, state), given.detach(), targets).to(given.dtype)
        logits = two_channels(head.cls_seg(functional_call(layer, state, (moved,))).float())
        size = targets.labels.shape[-2:]
        large = F.interpolate(logits, size, mode="bilinear", align_corners=head.align_corners)
        return masked_cross_entropy(
            large, targets.labels, targets.weights, targets.valid, model.reduction
        )

    def _move(
        self,
        step: Step,
        layer: tuple[nn.Module, dict[str, Tensor]],
        given: Tensor,
        targets: PixelLabels,
    ) -> Tensor:
        """For each pixel the step that leaves its density the fastest; 0 where no label is kept."""
        module, state = layer
        # The statistics of this pass are thrown away.
        state = {**_copies(module.named_buffers()), **state, **_copies(_buffers(state))}
        flow: Any = step.model.auxiliary[self.flow]
        move = torch.zeros_like(given, dtype=torch.float32, requires_grad=True)
        with torch.enable_grad(), torch.autocast(given.device.type, enabled=False):
            features = functional_call(module, state, (given.float() + move,)).movedim(1, -1)
            trained = targets.valid & (targets.weights > 0)
            known = _reduced(trained.long(), features.shape[1:3]) > 0
            # Without any known pixel, too: in SyncBN other processes wait for this gradient.
            density = mixture_density(flow(features[known])).sum() / known.sum().clamp(min=1)
            (gradient,) = torch.autograd.grad(-density, move)
        step.count("density/moved", known.float().mean() / len(step.targets))
        return ascent(gradient, self.length)


def _reduced(maps: Tensor, size: torch.Size) -> Tensor:
    """Maps (B, H, W) of whole numbers in the size of the features, by the nearest pixel."""
    return F.interpolate(maps[:, None].float(), size, mode="nearest")[:, 0].long()


def _buffers(state: dict[str, Tensor]) -> list[tuple[str, Tensor]]:
    return [(name, value) for name, value in state.items() if not value.requires_grad]


def _copies(tensors: Any) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in tensors}
