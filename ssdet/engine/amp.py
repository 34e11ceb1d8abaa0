"""Mixed precision without CUDA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper

from ..registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """bfloat16 autocast on the CPU, with gradient accumulation and clipping as usual.

    bfloat16 has float32's range, so there is no loss scaling. `SafeRunner` uses it in the place of
    `AmpOptimWrapper`, which refuses a CPU.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Run the forward pass in bfloat16 where that is safe."""
        with super().optim_context(model), torch.autocast("cpu", dtype=torch.bfloat16):
            yield


def cpu_amp_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the `AmpOptimWrapper` config as one for the CPU."""
    gpu_only = ("loss_scale", "dtype", "use_fsdp")
    kept = {name: value for name, value in config.items() if name not in gpu_only}
    return {**kept, "type": "CpuAmpOptimWrapper"}
