"""Mixed precision without CUDA, where it pays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from statistics import median
from typing import Any

import torch
from mmengine.optim import OptimWrapper

from ..registry import OPTIM_WRAPPERS

_BUILT_IN = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
SLOWER = 1.2  # times as slow as float32: then bfloat16 is not worth it


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """bfloat16 autocast on the CPU, with gradient accumulation and clipping as usual.

    bfloat16 has float32's range, so there is no loss scaling. `SafeRunner` uses it in the place of
    `AmpOptimWrapper`, which refuses a CPU, if this CPU is not slower in bfloat16 (`bf16_factor`).
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Run the forward pass in bfloat16 where that is safe."""
        with super().optim_context(model), torch.autocast("cpu", dtype=torch.bfloat16):
            yield


def cpu_amp_config(config: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The `AmpOptimWrapper` config as one for this CPU, and what was chosen and why."""
    gpu_only = ("loss_scale", "dtype", "use_fsdp")
    kept = {name: value for name, value in config.items() if name not in gpu_only}
    factor = bf16_factor()
    if factor <= SLOWER:
        found = "Mixed precision without CUDA: bfloat16 autocast on the CPU"
        return {**kept, "type": "CpuAmpOptimWrapper"}, found
    found = (
        f"Mixed precision is left out: a convolution in bfloat16 takes {factor:.0f} times as long "
        "as in float32 on this CPU, which has no instructions for it. Training goes on in float32; "
        "optim_wrapper.type='CpuAmpOptimWrapper' insists on bfloat16"
    )
    return {**kept, "type": "OptimWrapper"}, found


@cache
def bf16_factor() -> float:
    """Time of a convolution in bfloat16, as a multiple of float32; 1 where the CPU has it built in.

    Without such instructions PyTorch falls back to a plain loop, so a few milliseconds decide.
    """
    # PyTorch 2.4 does not know them; there the time decides.
    asked = (getattr(torch.cpu, name, None) for name in _BUILT_IN)
    if any(supported is not None and supported() for supported in asked) and _onednn_uses_it():
        return 1.0
    image, weight = torch.ones(1, 32, 32, 32), torch.ones(32, 32, 3, 3)
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for a busy core would decide
    try:
        with torch.no_grad():
            for _ in range(5):
                for dtype, found in times.items():
                    inputs = image.to(dtype), weight.to(dtype)
                    start = time.thread_time()
                    torch.nn.functional.conv2d(*inputs, padding=1)
                    found.append(time.thread_time() - start)
    finally:
        torch.set_num_threads(threads)
    return median(times[torch.bfloat16]) / median(times[torch.float32])


def _onednn_uses_it() -> bool:
    """Whether the library of the convolutions does (ONEDNN_MAX_CPU_ISA can forbid it)."""
    return torch.backends.mkldnn.is_available() and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )
