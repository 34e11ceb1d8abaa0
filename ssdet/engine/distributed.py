"""Several processes on GPUs (nccl) and on CPUs (gloo) alike."""

from __future__ import annotations

import os
import subprocess
import time
import warnings
from datetime import timedelta
from typing import Any
from uuid import uuid4

import torch
from mmengine.model import MMDistributedDataParallel
from torch.distributed import PrefixStore, TCPStore

from ..exits import RankError, UsageError
from ..registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class PortableDistributedDataParallel(MMDistributedDataParallel):
    """MMEngine's wrapper, without the runner's `device_ids`, which a CPU model must not have."""

    def __init__(self, module: torch.nn.Module, device_ids: Any = None, **kwargs: Any) -> None:
        if not any(parameter.is_cuda for parameter in module.parameters()):
            device_ids = None
        kwargs.setdefault("broadcast_buffers", False)
        with warnings.catch_warnings():
            # The name that PyTorch has for it since 2.13 is unknown to the others.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
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
            "torchrun --nproc_per_node N -m ssdet.cli train CONFIG --launcher pytorch "
            "(on one machine: ssdet train CONFIG --gpus N)"
        )
    has_cuda = torch.cuda.is_available()
    if has_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    try:
        torch.distributed.init_process_group(
            backend="nccl" if has_cuda else "gloo",
            timeout=timedelta(seconds=timeout),
            **_own_store(timedelta(seconds=timeout)),
        )
    except RuntimeError as error:  # the base of torch's own DistError
        address = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise RankError(
            f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']} could not join the others at "
            f"{address}: {str(error).splitlines()[0]}. Each of them must be started and reach that "
            f"address within env_cfg.dist_cfg.timeout={timeout:g} seconds"
        ) from error


def _own_store(timeout: timedelta) -> dict[str, Any]:
    """A store without the addresses of an earlier start; torchrun keeps one for all of them.

    Who comes first after a restart would read there where the others were before, and connect to
    nobody (https://github.com/pytorch/pytorch/issues/135712).
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return {}
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, is_master=False, timeout=timeout, wait_for_workers=False)
    name = agreed_name(store, rank, size, timeout)
    return {"store": PrefixStore(name, store), "rank": rank, "world_size": size}


def agreed_name(store: TCPStore, rank: int, size: int, timeout: timedelta) -> str:
    """A new name that all processes of this start share.

    Each one asks the first one with a number that nobody had before. Counts of restarts do not
    help: a machine that did not fail, or is new, has another one.
    """
    if rank > 0:
        mine = uuid4().hex
        store.set(f"ssdet/ask/{rank}", mine)
        name = store.get(f"ssdet/tell/{mine}").decode()
        store.set(f"ssdet/{name}/{rank}", "")
        return name
    name, end = uuid4().hex, time.monotonic() + timeout.total_seconds()
    missing = set(range(1, size))
    while missing:
        for other in list(missing):
            if store.check([f"ssdet/{name}/{other}"]):
                missing.remove(other)
            elif store.check([f"ssdet/ask/{other}"]):
                asked = store.get(f"ssdet/ask/{other}").decode()  # perhaps in an earlier start
                store.set(f"ssdet/tell/{asked}", name)
        if time.monotonic() > end:
            raise RuntimeError(f"rank {min(missing)} did not come")
        time.sleep(0.01)
    return name


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
