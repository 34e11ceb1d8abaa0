"""The losses of transformers' detectors, ours: boxes may have weights, regions may be ignored.

A detector of transformers calls its `loss_function` with the outputs of all layers. `HFCriterion`
takes the place of that function, and computes the same number where every weight is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmdet.utils import reduce_mean
from torch import Tensor

from ..exits import UsageError
from ..losses.fine_grained import bin_values, side_distillation, side_losses
from ..losses.one_to_many import OneToManyLoss
from ..losses.set_prediction import BoxTargets, Matches, SetLoss

# What a model gives beside its last layer, in the order of those that give it without names.
_OUTPUTS = ("outputs_class", "outputs_coord", "enc_topk_logits", "enc_topk_bboxes")
TARGETS = "ssdet"  # in the labels that are given to the model: the `BoxTargets` of the image


@dataclass(frozen=True)
class Layer:
    """Predictions that are matched, or have a match, and the prefix of their losses."""

    prefix: str
    logits: Tensor
    boxes: Tensor
    sides: Tensor | None = None
    references: Tensor | None = None


def _real_time(config: Any) -> SetLoss:
    if not config.use_focal_loss:
        raise UsageError("HFDetector: use_focal_loss=False is not supported; leave it out")
    return SetLoss(
        "varifocal",
        costs=(config.matcher_class_cost, config.matcher_bbox_cost, config.matcher_giou_cost),
        weights=(config.weight_loss_vfl, config.weight_loss_bbox, config.weight_loss_giou),
        alpha=config.focal_loss_alpha,
        gamma=config.focal_loss_gamma,
        cost_alpha=config.matcher_alpha,
        cost_gamma=config.matcher_gamma,
    )


def _detr(config: Any) -> SetLoss:
    return SetLoss(
        "softmax",
        costs=(config.class_cost, config.bbox_cost, config.giou_cost),
        weights=(1.0, config.bbox_loss_coefficient, config.giou_loss_coefficient),
        nothing=config.eos_coefficient,
    )


def _deformable(config: Any) -> SetLoss:
    return SetLoss(
        "focal",
        costs=(config.class_cost, config.bbox_cost, config.giou_cost),
        weights=(1.0, config.bbox_loss_coefficient, config.giou_loss_coefficient),
        alpha=config.focal_alpha,
    )


def _grouped(config: Any) -> SetLoss:
    return SetLoss(
        "aligned",
        costs=(config.class_cost, config.bbox_cost, config.giou_cost),
        weights=(
            config.class_loss_coefficient,
            config.bbox_loss_coefficient,
            config.giou_loss_coefficient,
        ),
        alpha=config.focal_alpha,
    )


# How the losses of a kind of model are set up; a kind that is not here has others.
FAMILIES: dict[str, Callable[[Any], SetLoss]] = {
    "rt_detr": _real_time,
    "rt_detr_v2": _real_time,
    "d_fine": _real_time,
    "deformable_detr": _deformable,
    "lw_detr": _grouped,
    "rf_detr": _grouped,
    "detr": _detr,
    "yolos": _detr,
}
SOFTMAX = ("detr", "yolos")
GROUPED = ("lw_detr", "rf_detr")  # several groups of queries learn, and the first one predicts
SEES_PADDING = ("deformable_detr", "detr", *GROUPED)  # by the mask, which RT-DETR ignores
STRIDE_32 = ("rt_detr", "rt_detr_v2", "d_fine")  # sides of images must be multiples of it


class HFCriterion:
    """The loss function of a detector of transformers, in terms of `BoxTargets`.

    Args:
        config: The model's config.

    Attributes:
        one_to_many: The losses of every layer, in place of those of the model; denoising queries
            keep their own.
        denoise: False: denoising queries have the loss 0, but their graph.
    """

    one_to_many: OneToManyLoss | None = None
    denoise = True

    def __init__(self, config: Any) -> None:
        if config.model_type not in FAMILIES:
            raise UsageError(
                f"HFDetector: {config.model_type!r} is not one of {list(FAMILIES)}, whose losses "
                "are known"
            )
        self.loss = FAMILIES[config.model_type](config)
        self.fine = config.model_type == "d_fine"

    def __call__(
        self, logits: Tensor, labels: Any, device: Any, boxes: Tensor, config: Any, *args: Any,
        **outputs: Any,
    ) -> tuple[Tensor, dict[str, Tensor], None]:  # fmt: skip
        """As transformers calls its own: the sum, the losses by name, and nothing more."""
        outputs.update(zip(_OUTPUTS, args, strict=False))
        targets = [label[TARGETS] for label in labels]
        grouped = config.model_type in GROUPED
        groups = logits.shape[1] // config.num_queries if grouped else 1
        count = logits.new_tensor(float(groups * sum(len(t.labels) for t in targets)))
        count = reduce_mean(count).clamp(min=1.0)
        found: dict[str, Tensor] = {}
        layers, meta = list(self._layers(logits, boxes, config, outputs)), _denoising(outputs)
        for layer in layers:
            fixed = layer.prefix.startswith("dn_")
            if self.one_to_many is not None and not fixed:
                losses = self.one_to_many(layer.logits, layer.boxes, targets, reduce_mean)
            elif fixed:
                share = count * meta["dn_num_group"]
                losses = self._of(layer, targets, _denoised(meta, targets), share, config)
            else:
                matches = self.loss.match(layer.logits, layer.boxes, targets, groups)
                losses = self._of(layer, targets, matches, count, config)
            for name, value in losses.items():
                silent = fixed and not self.denoise
                found[f"{layer.prefix}loss_{name}"] = 0.0 * value if silent else value
        return torch.stack(list(found.values())).sum(), found, None

    def _of(
        self,
        layer: Layer,
        targets: Sequence[BoxTargets],
        matches: Matches,
        count: Any,
        config: Any,
    ) -> dict[str, Tensor]:
        found = self.loss(layer.logits, layer.boxes, targets, matches, count)
        if layer.sides is None or layer.references is None:
            return found
        values = bin_values(config.max_num_bins, config.up, config.reg_scale).to(layer.boxes)
        found["fgl"] = config.weight_loss_fgl * side_losses(
            layer.sides, layer.references, layer.boxes, targets, matches, values,
            scale=config.reg_scale, count=count,
        )  # fmt: skip
        last = self._last[layer.prefix.startswith("dn_")]
        found["ddf"] = config.weight_loss_ddf * side_distillation(
            layer.sides, *last, layer.boxes, targets, matches
        )
        return found

    def _layers(
        self, logits: Tensor, boxes: Tensor, config: Any, outputs: Mapping[str, Any]
    ) -> Iterator[Layer]:
        """The last layer first, as transformers counts them."""
        bound = partial(torch.clamp, min=0, max=1) if self.fine else _same
        meta = _denoising(outputs)
        first = meta["dn_num_split"][0] if meta else 0
        yield Layer("", logits[:, first:], bound(boxes[:, first:]))
        classes, places = self._by_layer(outputs, config, bound)
        sides, references = self._sides(outputs, first, classes)
        for number, (own, place) in enumerate(zip(classes[:-1], places[:-1], strict=True)):
            more = [None if s is None else s[number][:, first:] for s in (sides, references)]
            if not self.fine or number < len(sides) - 1:  # type: ignore[arg-type]
                yield Layer(f"d{number}.", own[:, first:], place[:, first:], *more)
        proposed = outputs.get("enc_topk_logits")
        if proposed is not None and (len(classes) or config.model_type in GROUPED):
            yield Layer("enc_", proposed, bound(outputs["enc_topk_bboxes"]))
        if meta:
            for number, (own, place) in enumerate(zip(classes, places, strict=True)):
                more = [None if s is None or number >= len(s) else s[number][:, :first]
                        for s in (sides, references)]  # fmt: skip
                if not self.fine or more[0] is not None:
                    yield Layer(f"dn_d{number}.", own[:, :first], place[:, :first], *more)

    def _by_layer(
        self, outputs: Mapping[str, Any], config: Any, bound: Callable[[Tensor], Tensor]
    ) -> tuple[Any, Any]:
        """Classes and boxes of all layers, layers first; empty where only the last one learns."""
        classes, places = outputs.get("outputs_class"), outputs.get("outputs_coord")
        if not config.auxiliary_loss or classes is None or places is None:
            return (), ()
        places = bound(places)
        if config.model_type in STRIDE_32:  # (B, L, Q, C); others have the layers first
            return classes.transpose(0, 1), places.transpose(0, 1)
        return classes, places

    def _sides(
        self, outputs: Mapping[str, Any], first: int, classes: Any
    ) -> tuple[Tensor | None, Tensor | None]:
        """D-FINE's distributions of the sides and their references, layers first.

        There is one layer of them fewer than of classes and boxes; transformers (5.24) pairs them
        by number all the same, and so do we.
        """
        if not self.fine or not len(classes):
            return None, None
        sides = outputs["predicted_corners"].transpose(0, 1)
        references = outputs["initial_reference_points"].transpose(0, 1)
        self._last = {
            False: (sides[-1][:, first:], classes[-1][:, first:]),
            True: (sides[-1][:, :first], classes[-1][:, :first]),
        }
        return sides, references


def _same(boxes: Tensor) -> Tensor:
    return boxes


def _denoising(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the denoising queries are; empty without any."""
    return outputs.get("denoising_meta_values") or {}


def _denoised(meta: Mapping[str, Any], targets: Sequence[BoxTargets]) -> Matches:
    """Each positive denoising query belongs to the box that it was made of."""
    found = []
    for queries, target in zip(meta["dn_positive_idx"], targets, strict=True):
        box = torch.arange(len(target.labels), device=target.labels.device)
        found.append((queries.to(box.device), box.repeat(meta["dn_num_group"])))
    return found
