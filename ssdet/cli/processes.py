"""`ssdet train --gpus N`: as many processes of this machine, which torchrun's agent watches."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..exits import Exit, UsageError

# The agent passes these on, and waits 30 seconds for the processes to save.
SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"
SAID = "SSDET_SAID"  # names the file of the errors that the processes of a training have printed


def start(processes: int, arguments: Sequence[str]) -> int:
    """Run this command in several processes; return the exit code of the one that failed first.

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
    os.environ["TORCHELASTIC_SIGNALS_TO_HANDLE"] = SIGNALS
    # What went wrong the processes say themselves.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="ssdet-") as folder:
        os.environ[SAID] = str(Path(folder, "said"))
        try:
            return _run(processes, arguments)
        finally:
            del os.environ[SAID]


def _run(processes: int, arguments: Sequence[str]) -> int:
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

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


@contextlib.contextmanager
def is_new(text: str) -> Iterator[bool]:
    """Whether no other process of this training has printed a text; the others wait meanwhile.

    A mistake in a config meets all processes at once. The one that waited ends only after the text
    is out: the first process that ends stops all others.
    """
    place = os.environ.get(SAID)
    if not place or os.name == "nt":
        yield True
        return
    import fcntl

    try:
        said = os.open(place, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    except OSError:  # of a full disk, perhaps: rather twice than never
        yield True
        return
    try:
        fcntl.flock(said, fcntl.LOCK_EX)
        line = f"{text!r}\n".encode()
        new = line not in os.read(said, 1 << 20)
        yield new
        if new:
            with contextlib.suppress(OSError):
                os.write(said, line)
    finally:
        os.close(said)
