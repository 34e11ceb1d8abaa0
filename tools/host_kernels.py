"""Results of mmcv's GPU-only operators, from its own CUDA sources compiled for the CPU."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import mmcv.ops
from torch import Tensor


class HostKernels:
    """The functions of `mmcv._ext` for focal losses, RoIPool and masked convolution."""

    def __init__(self) -> None:
        sources = Path(mmcv.ops.__file__).parent / "csrc" / "common"
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "kernels.so"
            source = Path(__file__).with_suffix(".cpp")
            command = ["g++", "-O2", "-shared", "-fPIC", f"-I{sources}", str(source), "-o"]
            subprocess.run([*command, str(library)], check=True)
            self.library = ctypes.CDLL(str(library))

    def call(self, name: str, *values: Any) -> None:
        """Call a C function with tensors as pointers, integers as int and floats as float."""
        getattr(self.library, name)(*map(_argument, values))

    def sigmoid_focal_loss_forward(self, *tensors: Tensor, **how: float) -> None:
        self._focal("sigmoid_forward", tensors[0].numel(), tensors, how)

    def sigmoid_focal_loss_backward(self, *tensors: Tensor, **how: float) -> None:
        self._focal("sigmoid_backward", tensors[0].numel(), tensors, how)

    def softmax_focal_loss_forward(self, *tensors: Tensor, **how: float) -> None:
        self._focal("softmax_forward", len(tensors[0]), tensors, how)

    def softmax_focal_loss_backward(self, *tensors: Tensor, **how: float) -> None:
        self._focal("softmax_backward", len(tensors[0]), tensors, how)

    def _focal(self, name: str, count: int, tensors: tuple[Tensor, ...], how: Any) -> None:
        classes = tensors[0].shape[1]
        self.call(name, count, *tensors, float(how["gamma"]), float(how["alpha"]), classes)

    def roi_pool_forward(self, *tensors: Tensor, **how: Any) -> None:
        size = (how["pooled_height"], how["pooled_width"], float(how["spatial_scale"]))
        self.call("roi_pool_forward", tensors[2].numel(), *tensors, *size, *tensors[0].shape[1:])

    def roi_pool_backward(self, *tensors: Tensor, **how: Any) -> None:
        size = (how["pooled_height"], how["pooled_width"])
        self.call("roi_pool_backward", tensors[0].numel(), *tensors, *size, *tensors[3].shape[1:])

    def masked_im2col_forward(self, image: Tensor, rows: Tensor, *rest: Tensor, **how: int) -> None:
        columns, out = rest
        shape = [how[name] for name in ("kernel_h", "kernel_w", "pad_h", "pad_w")]
        total = image.shape[1] * len(rows)
        self.call(
            "masked_im2col", total, image, *image.shape[2:], *shape, rows, columns, len(rows), out
        )

    def masked_col2im_forward(
        self, values: Tensor, rows: Tensor, *rest: Tensor, **how: int
    ) -> None:
        columns, out = rest
        shape = [how[name] for name in ("height", "width", "channels")]
        self.call("masked_col2im", values.numel(), values, *shape, rows, columns, len(rows), out)


def _argument(value: Any) -> Any:
    if isinstance(value, Tensor):
        if not value.is_contiguous():
            raise ValueError("host_kernels: a tensor is not contiguous, which the kernels need")
        return ctypes.c_void_p(value.data_ptr() if value.numel() else None)
    return ctypes.c_float(value) if isinstance(value, float) else ctypes.c_int(value)
