"""The stand-in for `mmcv._ext`, the module that holds mmcv's compiled operators."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

import torch

from . import (
    boxes,
    deform_attention,
    deform_conv,
    focal_loss,
    masked_conv,
    nms,
    roi_align,
    roi_pool,
    torchvision_kernels,
)
from .finder import NAME

BUILD = "make ops  (or: MMCV_WITH_OPS=1 pip install --no-build-isolation --no-binary onedl-mmcv "
BUILD += "--force-reinstall --no-deps onedl-mmcv)"

# Public operator of mmcv.ops -> the functions of mmcv._ext which it calls.
OFFERED: dict[str, tuple[Callable[..., Any], ...]] = {
    "bbox_overlaps": (boxes.bbox_overlaps,),
    "nms": (nms.nms,),
    "soft_nms": (nms.softnms,),
    "nms_match": (nms.nms_match,),
    "roi_align": (roi_align.roi_align_forward, roi_align.roi_align_backward),
    "roi_pool": (roi_pool.roi_pool_forward, roi_pool.roi_pool_backward),
    "sigmoid_focal_loss": (
        focal_loss.sigmoid_focal_loss_forward,
        focal_loss.sigmoid_focal_loss_backward,
    ),
    "softmax_focal_loss": (
        focal_loss.softmax_focal_loss_forward,
        focal_loss.softmax_focal_loss_backward,
    ),
    "deform_conv2d": (
        deform_conv.deform_conv_forward,
        deform_conv.deform_conv_backward_input,
        deform_conv.deform_conv_backward_parameters,
    ),
    "modulated_deform_conv2d": (
        deform_conv.modulated_deform_conv_forward,
        deform_conv.modulated_deform_conv_backward,
    ),
    "masked_conv2d": (masked_conv.masked_im2col_forward, masked_conv.masked_col2im_forward),
    "ms_deform_attn": (
        deform_attention.ms_deform_attn_forward,
        deform_attention.ms_deform_attn_backward,
    ),
}


class OperatorNotCompiledError(NotImplementedError):
    """An operator of mmcv was called that needs the compiled mmcv."""


class PortableExtension(ModuleType):
    """A module with the functions of `mmcv._ext`; those not offered raise when they are called."""

    def __init__(self) -> None:
        super().__init__(NAME, "Stand-in of ssdet for mmcv's compiled operators.")
        self.absent: dict[str, Callable[..., NoReturn]] = {}
        for functions in OFFERED.values():
            for function in functions:
                setattr(self, function.__name__, function)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        # mmcv.ops checks every name with hasattr when it is imported: that must pass.
        if name.startswith("_"):
            raise AttributeError(f"module {NAME!r} has no attribute {name!r}")
        return self.absent.setdefault(name, _refusal(name))

    @staticmethod
    def get_compiler_version() -> str:
        """The text that environment reports print for the compiler of the operators."""
        return "not compiled (ssdet.ops)"

    get_compiling_cuda_version = get_compiler_version


def backends() -> dict[str, str]:
    """What computes each operator of mmcv: 'mmcv', 'torchvision', 'pytorch' or 'absent'."""
    importlib.import_module("mmcv.ops")  # it looks up every operator by name, see __getattr__
    extension = sys.modules[NAME]
    if not isinstance(extension, PortableExtension):
        names = [name for name in vars(extension) if not name.startswith("_")]
        return dict.fromkeys(sorted({*OFFERED, *map(_operator, names)} - _HELPERS), "mmcv")
    rows = dict.fromkeys(map(_operator, extension.absent), "absent")
    rows |= dict.fromkeys(OFFERED, "pytorch")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if torchvision_kernels.serves(device):
        rows |= dict.fromkeys(torchvision_kernels.OPERATORS, "torchvision")
    return dict(sorted(rows.items()))


_HELPERS = {"get_compiler_version", "get_compiling_cuda_version"}


def _operator(function: str) -> str:
    for ending in ("_forward", "_backward"):
        function = function.removesuffix(ending)
    return function


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise OperatorNotCompiledError(
            f"mmcv.ops: the operator {_operator(name)!r} (mmcv._ext.{name}) was called, but this "
            "mmcv was installed without compiled operators and ssdet.ops has no stand-in for it. "
            f"Stand-ins exist for: {', '.join(sorted(OFFERED))}. To compile mmcv run: {BUILD}"
        )

    refuse.__name__ = name
    return refuse
