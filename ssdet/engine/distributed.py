"""Several processes on GPUs (nccl) and on CPUs (gloo) alike."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from typing import Any

import torch
from mmengine.model import MMDistributedDataParallel

from ..exits import UsageError
from ..registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class PortableDistributedDataParallel(MMDistributedDataParallel):
    """MMEngine's wrapper, without the runner's `device_ids`, which a CPU model must not have."""

    def __init__(self, module: torch.nn.Module, device_ids: Any = None, **kwargs: Any) -> None:
        if not any(parameter.is_cuda for parameter in module.parameters()):
            device_ids = None
        kwargs.setdefault("broadcast_buffers", False)
        super().__init__(module=module, device_ids=device_ids, **kwargs)


def start_process_group(launcher: str, timeout: float = 1800.0, **_: Any) -> None:
    """Join the process group of `torchrun` or Slurm: nccl where there is CUDA, gloo elsewhere."""
    if launcher == "slurm":
        _read_slurm()
    elif launcher != "pytorch":
        raise UsageError(f"launcher={launcher!r} is not in ('none', 'pytorch', 'slurm')")
    missing = [name for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK") if name not in os.environ]
    if missing:
        raise UsageError(
            f"--launcher {launcher}: {', '.join(missing)} not set; start it with "
            f"torchrun --nproc_per_node N -m ssdet.cli train CONFIG --launcher pytorch "
            f"(or tools/dist_train.sh CONFIG N)"
        )
    has_cuda = torch.cuda.is_available()
    if has_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group(
        backend="nccl" if has_cuda else "gloo", timeout=timedelta(seconds=timeout)
    )


def _read_slurm() -> None:
    environment = os.environ
    if "SLURM_PROCID" not in environment:
        raise UsageError("--launcher slurm: SLURM_PROCID is not set; start it with srun")
    environment["RANK"] = environment["SLURM_PROCID"]
    environment["WORLD_SIZE"] = environment["SLURM_NTASKS"]
    environment["LOCAL_RANK"] = environment.get("SLURM_LOCALID", "0")
    environment.setdefault("MASTER_PORT", "29500")
    if "MASTER_ADDR" not in environment:
        nodes = subprocess.run(
            ["scontrol", "show", "hostnames", environment["SLURM_NODELIST"]],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        environment["MASTER_ADDR"] = nodes.stdout.split()[0]
