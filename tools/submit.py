"""Submit a training to Slurm with submitit; it goes on by itself after a preemption or a time limit.

python tools/submit.py CONFIG --work-dir run --slurm slurm_partition=gpu gpus_per_node=8 tasks_per_node=8 timeout_min=600

Slurm warns a job before it ends it. The training then finishes its step and saves, and the job is queued again; its
next start resumes, bit for bit. With several tasks each is one process of the training. `--cluster local` tries it
out on this machine. Needs `pip install "ssdet[slurm]"`.
"""  # noqa: E501

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import submitit
from submitit.helpers import DelayedSubmission, TorchDistributedEnvironment

from ssdet.exits import Exit

# What submitit lets Slurm send (`SUBMITIT_PREEMPT_SIGNAL`); ssdet saves on SIGUSR1.
WARNING = signal.Signals[f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}"]


class Training:
    """`ssdet train` as a job of submitit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = [*arguments, "--resume"]  # in an empty folder it starts from the beginning

    def __call__(self) -> None:
        """Train to the end, or until Slurm wants the machine back."""
        from ssdet.cli import main

        queue_again: Any = signal.getsignal(WARNING)  # by submitit, which also ends the process

        def save(number: int, frame: FrameType | None) -> None:
            if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL:  # nothing has begun yet
                queue_again(number, frame)
            else:
                os.kill(os.getpid(), signal.SIGUSR1)

        if WARNING != signal.SIGUSR1:
            signal.signal(WARNING, save)
        try:
            code = main(["train", *self.arguments, *self._launcher()])
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        if code == Exit.REQUEUE:
            queue_again(WARNING, None)
            sys.exit(code)  # of the other tasks: the first one alone asks for a new start
        if code:
            raise RuntimeError(f"ssdet train ended with code {code}; its log says why")

    def checkpoint(self) -> DelayedSubmission:
        """What the next start of the job does."""
        return DelayedSubmission(self)

    def _launcher(self) -> list[str]:
        if submitit.JobEnvironment().num_tasks == 1:
            return []
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False)
        return ["--launcher", "pytorch"]


def submit(
    arguments: Sequence[str], folder: str, cluster: str | None = None, **settings: Any
) -> submitit.Job[None]:
    """Queue a training; `settings` are those of submitit's executor."""
    executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
    executor.update_parameters(name="ssdet", **settings)
    return executor.submit(Training(arguments))


def main() -> None:
    """Submit what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--jobs", default="jobs", help="folder for the job's own files")
    parser.add_argument("--cluster", choices=("slurm", "local"), help="default: what is there")
    parser.add_argument("--slurm", nargs="+", default=[], metavar="KEY=VALUE", help="of submitit")
    args, rest = parser.parse_known_args()
    pairs = (text.partition("=") for text in args.slurm)
    settings = {key: int(value) if value.isdigit() else value for key, _, value in pairs}
    job = submit(rest, args.jobs, args.cluster, **settings)
    print(f"job {job.job_id}: {job.paths.stdout}")


if __name__ == "__main__":
    main()
