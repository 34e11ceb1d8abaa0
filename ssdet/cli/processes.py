"""`ssdet train --gpus N`: as many processes of this machine, which torchrun starts and watches."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..exits import UsageError


def start(processes: int, arguments: Sequence[str]) -> NoReturn:
    """Become torchrun, with this command in each of its processes.

    Where there are GPUs, each process needs one of its own; without any they share the CPU.
    """
    import torch

    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise UsageError(
            f"--gpus {processes}: this machine shows {gpus}; take --gpus {gpus}, or look at "
            "CUDA_VISIBLE_DEVICES"
        )
    # As torchrun says that one should; on a CPU the cores are what there is to share.
    os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // processes, 1)))
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *command, "-m", "ssdet.cli", *arguments])
