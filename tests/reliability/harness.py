"""Runs of the `ssdet` command in processes of their own that can be killed.

They are forked from a server that has imported everything, so a run costs a second, not six.
"""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import socket
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
CONFIGS = Path(__file__).parent / "configs"
WALL_CLOCK = ("time", "data_time", "memory")
LIMIT = 120  # seconds; a run that hangs is killed and the test fails
OF_ONE_PROCESS = ("time", "experiment_name", "cfg")

_context = None


def server():
    """The context whose processes are forked from the server."""
    global _context
    if _context is None:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        os.environ["OMP_NUM_THREADS"] = "1"
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        _context = multiprocessing.get_context("forkserver")
        _context.set_forkserver_preload(["tests.reliability.preload"])
    return _context


class Run:
    """One `ssdet ...` command."""

    def __init__(self, *arguments, log, **environment):
        self.log = Path(log)
        arguments = [str(argument) for argument in arguments]
        environment = {name: str(value) for name, value in environment.items()}
        self.process = server().Process(target=_main, args=(arguments, environment, str(self.log)))
        self.process.start()

    @property
    def output(self):
        return self.log.read_text() if self.log.exists() else ""

    def wait(self, expected=0):
        self.process.join(LIMIT)
        if self.process.exitcode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.join()
            raise AssertionError(f"still running after {LIMIT} s:\n{self.output[-4000:]}")
        assert self.process.exitcode == expected, f"{self.process.exitcode}\n{self.output[-4000:]}"
        return self.output


def _main(arguments, environment, log):
    os.setsid()
    os.environ.update(environment)
    os.chdir(Path(log).parent)
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["ssdet", *arguments]
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    from ssdet.cli import main

    sys.exit(main(arguments))


def train(config, work_dir, *options, expected=0, **environment):
    """Train to the end (or to the `expected` exit code); return what was printed."""
    work_dir.parent.mkdir(parents=True, exist_ok=True)
    log = work_dir.parent / f"{work_dir.name}.out"
    arguments = ["train", CONFIGS / config, "--work-dir", work_dir, *options]
    return Run(*arguments, log=log, **environment).wait(expected)


def two_processes(folder, runs, limit):
    """Several runs, each (environment, arguments), under the agent of torchrun; its exit code."""
    process = server().Process(target=_agent, args=(folder, runs))
    process.start()
    process.join(limit)
    if process.exitcode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode


def _agent(folder, runs):
    """What `torchrun --standalone --nproc_per_node 2` does, with all imports done before."""
    os.setsid()
    os.chdir(folder)
    with open("output", "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    from .several_runs import several_runs

    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=2, run_id="two", rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", start_method="fork", max_restarts=0,
    )  # fmt: skip
    elastic_launch(config, several_runs)(runs)


def free_port():
    """A port that nobody uses, and that the system gives to no connection of others meanwhile."""
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("none of 100 ports is free")


def metrics(work_dir):
    """The lines of metrics.jsonl without what a clock decides."""
    lines = (work_dir / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name not in WALL_CLOCK}
        for line in lines
    ]


def checkpoint(work_dir, iteration):
    """A checkpoint as torch alone reads it: no class of anybody is needed."""
    return torch.load(work_dir / "checkpoints" / f"iter_{iteration}.pth", weights_only=True)


def difference(one, other, where=""):
    """The first place where two checkpoints differ, bit for bit; None if nowhere."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in {**one, **other} if key not in OF_ONE_PROCESS]
        pairs = [(key, one.get(key, ...), other.get(key, ...)) for key in keys]
    elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if len(one) != len(other):
            return f"{where}: {len(one)} and {len(other)} items"
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        same = one.dtype == other.dtype and torch.equal(one, other)
        return None if same else f"{where}: tensors differ"
    else:
        return None if one == other else f"{where}: {one!r} and {other!r}"
    found = (difference(a, b, f"{where}/{key}") for key, a, b in pairs)
    return next((text for text in found if text), None)
