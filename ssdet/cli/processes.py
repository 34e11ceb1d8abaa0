"""`ssdet train --gpus N`: as many processes of this machine, which torchrun's agent watches."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence

from ..exits import Exit, UsageError

# The agent passes these on, and waits 30 seconds for the processes to save.
SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"


def start(processes: int, arguments: Sequence[str]) -> int:
    """Run this command in several processes; return the exit code of the one that failed first.

    Where there are GPUs, each process needs one of its own; without any they share the CPU.
    """
    import torch
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise UsageError(
            f"--gpus {processes}: this machine shows {gpus}; take --gpus {gpus}, or look at "
            "CUDA_VISIBLE_DEVICES"
        )
    # As torchrun says that one should; on a CPU the cores are what there is to share.
    os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // processes, 1)))
    os.environ["TORCHELASTIC_SIGNALS_TO_HANDLE"] = SIGNALS
    # What went wrong the processes say themselves.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    sys.stdout.flush()
    options = ["--standalone", "--nproc_per_node", str(processes), "-m", "ssdet.cli", *arguments]
    given = run.parse_args(options)
    given.signals_to_handle = SIGNALS  # newer torch reads this in place of the variable
    try:
        run.run(given)
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return code if code >= 0 else 128 - code
    except SignalException as error:
        again = error.sigval == getattr(signal, "SIGUSR1", None)
        return int(Exit.REQUEUE) if again else 128 + error.sigval
    return 0
