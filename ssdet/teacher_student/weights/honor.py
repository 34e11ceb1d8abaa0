"""Which parts of a detector support weights, and how the support is added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from mmdet.models import dense_heads, roi_heads
from mmdet.models.dense_heads.condinst_head import CondInstBboxHead, CondInstMaskHead
from mmdet.models.losses import DDQAuxLoss
from mmdet.models.roi_heads.base_roi_head import BaseRoIHead
from mmdet.models.seg_heads.panoptic_fusion_heads.base_panoptic_fusion_head import (
    BasePanopticFusionHead,
)
from mmdet.models.task_modules import BaseAssigner, BaseSampler
from torch import nn

from . import boxes, dense, masks, outlines, sparse
from .losses import wrapping_of

DETR_METHODS = "get_targets _get_targets_single loss_by_feat_single"
DN_METHODS = f"{DETR_METHODS} get_dn_targets _get_dn_targets_single _loss_dn_single"
ANCHOR_METHODS = "get_targets _get_targets_single loss_by_feat loss_by_feat_single"
SOLO_METHODS = "loss_by_feat _get_targets_single"
ROI_METHODS = "loss bbox_loss mask_loss"


@dataclass(frozen=True)
class Kind:
    """A head of MMDetection, the methods that its mixin relies on, and its losses.

    A head of another class qualifies if it inherits all of these methods unchanged.
    """

    head: type
    methods: str
    mixin: type | None = None
    losses: str = ""
    assigner: type = boxes.IgnoringAssigner

    def fits(self, module: nn.Module) -> bool:
        """Whether a head is of this kind, or was given its mixin before."""
        if not isinstance(module, self.head):
            return False
        if self.mixin and isinstance(module, self.mixin):
            return True
        accepts = getattr(self.mixin, "accepts", None)
        if accepts is not None and not accepts(module):
            return False
        return all(getattr(type(module), m) is getattr(self.head, m) for m in self.methods.split())


MASKS = Kind(dense_heads.Mask2FormerHead, "loss_by_feat _loss_by_feat_single", masks.MaskQueries)
KINDS = (
    Kind(dense_heads.TOODHead, ANCHOR_METHODS, dense.TOODTargets,
         "loss_cls initial_loss_cls loss_bbox"),
    Kind(dense_heads.RTMDetInsHead, f"{ANCHOR_METHODS} loss_mask_by_feat",
         outlines.RTMDetInsTargets, "loss_cls loss_bbox loss_mask", boxes.IgnoringPointAssigner),
    Kind(dense_heads.RTMDetHead, ANCHOR_METHODS, dense.RTMDetTargets, "loss_cls loss_bbox",
         boxes.IgnoringPointAssigner),
    Kind(dense_heads.GFLHead, ANCHOR_METHODS, dense.GFLTargets, "loss_cls loss_bbox loss_dfl"),
    Kind(dense_heads.ATSSHead, ANCHOR_METHODS, dense.ATSSTargets,
         "loss_cls loss_bbox loss_centerness"),
    Kind(dense_heads.RPNHead, ANCHOR_METHODS, dense.AnchorTargets, "loss_cls loss_bbox"),
    Kind(dense_heads.AnchorHead, ANCHOR_METHODS, dense.AnchorTargets, "loss_cls loss_bbox"),
    Kind(CondInstBboxHead, "get_targets _get_targets_single loss_by_feat",
         outlines.CondInstTargets, "loss_cls loss_bbox loss_centerness"),
    Kind(CondInstMaskHead, "loss_by_feat _get_targets_single", outlines.CondInstMasks,
         "loss_mask"),
    Kind(dense_heads.SOLOV2Head, SOLO_METHODS, outlines.KernelTargets, "loss_cls loss_mask"),
    Kind(dense_heads.DecoupledSOLOHead, SOLO_METHODS, outlines.GridTargets, "loss_cls loss_mask"),
    Kind(dense_heads.SOLOHead, SOLO_METHODS, outlines.GridTargets, "loss_cls loss_mask"),
    Kind(dense_heads.FCOSHead, "get_targets _get_targets_single loss_by_feat", dense.FCOSTargets,
         "loss_cls loss_bbox loss_centerness"),
    Kind(dense_heads.YOLOXHead, "_get_targets_single loss_by_feat", dense.YOLOXTargets,
         "loss_cls loss_bbox loss_obj loss_l1", boxes.IgnoringPointAssigner),
    Kind(dense_heads.DDQDETRHead, f"{DN_METHODS} loss", sparse.DistinctTargets,
         "loss_cls loss_bbox loss_iou"),
    Kind(DDQAuxLoss, "loss loss_single get_targets _get_target_single", sparse.AuxiliaryTargets,
         "loss_cls loss_bbox"),
    Kind(dense_heads.DINOHead, DN_METHODS, sparse.DenoisingTargets, "loss_cls loss_bbox loss_iou"),
    Kind(dense_heads.DETRHead, DETR_METHODS, sparse.QueryTargets, "loss_cls loss_bbox loss_iou"),
    MASKS,
    Kind(roi_heads.BBoxHead, "loss_and_target loss get_targets _get_targets_single",
         sparse.BBoxTargets, "loss_cls loss_bbox"),
    Kind(roi_heads.FCNMaskHead, "loss_and_target get_targets", sparse.MaskTargets, "loss_mask"),
    Kind(roi_heads.MaskIoUHead, "loss_and_target get_targets", sparse.MaskScoreTargets,
         "loss_iou"),
    Kind(roi_heads.MaskScoringRoIHead, ROI_METHODS),
    Kind(roi_heads.StandardRoIHead, ROI_METHODS),
    Kind(roi_heads.CascadeRoIHead, ROI_METHODS, sparse.CascadeLosses),
)  # fmt: skip


def honor_weights(detector: nn.Module) -> list[str]:
    """Let the losses of a detector honor weights of boxes and regions to ignore.

    The detector and its parts stay what they are (instances of their classes, same parameters,
    same state dict) and can be copied. Call it once, when the detector is built. A head (or a
    detector) that reads the `BoxWeights` of its boxes itself declares `honors_weights = True`.

    Returns:
        The names of the parts that do not support weights; they work as if all weights were 1.
    """
    apply_mixin(detector, boxes.WeighedDetector)
    left_out: list[str] = []
    if _reads_weights(detector):
        return left_out
    for name, module in list(detector.named_modules()):
        kind = next((kind for kind in KINDS if kind.fits(module)), None)
        if kind is not None:
            left_out += _convert(name, module, kind)
        elif _has_a_loss(module) and module is not detector and not _reads_weights(module):
            left_out.append(f"{name} ({type(module).__name__})")
    return left_out


def apply_mixin(thing: Any, mixin: Any) -> None:
    """Put a mixin in front of the class of an object."""
    if not isinstance(thing, mixin):
        cls: Any = type(thing)
        thing.__class__ = _mixed(mixin, cls)


@cache
def _mixed(mixin: Any, cls: Any) -> type:
    # One class for each pair: copies of a head, and teacher and student, stay of the same class.
    return type(cls.__name__, (mixin, cls), {"__module__": cls.__module__, "__doc__": cls.__doc__})


def _convert(name: str, head: nn.Module, kind: Kind) -> list[str]:
    for part in _owned(head):
        if isinstance(part, BaseAssigner):
            apply_mixin(part, kind.assigner)
        elif isinstance(part, BaseSampler):
            apply_mixin(part, boxes.WeighingSampler)
    if kind.mixin:
        apply_mixin(head, kind.mixin)
    left_out = []
    for attribute in kind.losses.split():
        loss = getattr(head, attribute, None)
        mixin = wrapping_of(loss)
        if mixin is not None:
            apply_mixin(loss, mixin)
        elif loss is not None:
            left_out.append(f"{name}.{attribute} ({type(loss).__name__})")
    return left_out


def _owned(head: nn.Module) -> list[Any]:
    """Assigners and samplers of a head: attributes, or lists of them (one for each stage)."""
    values = [value for key, value in vars(head).items() if not key.startswith("_")]
    return [part for v in values for part in (v if isinstance(v, (list, tuple)) else [v])]


def _reads_weights(module: nn.Module) -> bool:
    return getattr(module, "honors_weights", False)


def _has_a_loss(module: nn.Module) -> bool:
    """Whether a module of unknown kind is a head (or RoI head) that has losses."""
    if isinstance(module, BasePanopticFusionHead):  # it joins predictions, and learns nothing
        return False
    is_head = isinstance(module, BaseRoIHead) or type(module).__name__.endswith("Head")
    return is_head or hasattr(module, "loss_by_feat")
