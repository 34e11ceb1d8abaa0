"""Several trainings side by side, each an `ssdet train` of its own, with one bar for each."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

REQUEST, LOG, METRICS = "request.json", "console.log", "metrics.jsonl"
POLL_SECONDS, PATIENCE_SECONDS = 0.25, 60.0
SHOWN = {"pseudo/kept": "kept", "loss": "loss"}


@dataclass
class Job:
    """One training: what it is, where it writes, how far it is.

    Attributes:
        name: Shown beside its bar.
        config: File of the config.
        folder: Run folder.
        seed: Seed of the run.
        iterations: Length of the run.
        val_interval: Iterations between evaluations.
        text: Whole text of the config; with the seed and the length it says whether a run that is
            found in the folder is this one.
        options: `KEY=VALUE` for `--cfg-options`.
    """

    name: str
    config: Path
    folder: Path
    seed: int
    iterations: int
    val_interval: int
    text: str = ""
    options: Sequence[str] = ()
    done: int = 0
    last: dict[str, Any] = field(default_factory=dict)
    evaluated: int = 0
    begun: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def request(self) -> dict[str, Any]:
        """What makes two runs the same."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        return {"config": digest, "seed": self.seed, "iterations": self.iterations}

    @property
    def known(self) -> bool:
        """Whether the folder holds a run of exactly this request."""
        return _json(self.folder / REQUEST) == self.request

    @property
    def finished(self) -> bool:
        """Whether that run has come to its end, evaluation included."""
        self.look()
        state = _json(self.folder / "run.json").get("state")
        return self.known and state == "finished" and self.evaluated >= self.iterations

    def command(self) -> list[str]:
        """The training as a command line; a run that was interrupted is taken up."""
        command = [sys.executable, "-m", "ssdet.cli", "train", str(self.config)]
        command += ["--work-dir", str(self.folder), "--seed", str(self.seed)]
        if self.known and any((self.folder / "checkpoints").glob("*.pth")):
            command.append("--resume")
        return [*command, "--cfg-options", *self.options] if self.options else command

    def start(self, threads: int) -> None:
        """Start it with a number of threads for computing."""
        command = self.command()
        self.look()
        self.begun = self.done
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / REQUEST).write_text(json.dumps(self.request), encoding="utf-8")
        root = str(Path(__file__).parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": os.pathsep.join(paths),
        }
        with (self.folder / LOG).open("wb") as log:
            # A session of its own: Ctrl-C reaches the trainings once, through us.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def look(self) -> None:
        """See how far the run is."""
        if not self.known:
            return
        for line in _lines(self.folder / METRICS):
            if line.get("mode") == "val":
                self.evaluated = int(line["iter"])
            else:
                self.done, self.last = int(line["iter"]), line

    @property
    def ended(self) -> bool:
        """Whether its process has come to an end."""
        return self.process is not None and self.process.poll() is not None

    @property
    def status(self) -> str:
        """What it is doing, in a few words."""
        if self.process is not None and self.process.poll() is not None:
            return "failed" if self.process.returncode else "done"
        if self.done == self.begun < self.iterations:
            return "starting"
        if self.done % self.val_interval == 0 and self.evaluated < self.done:
            return "evaluating"
        numbers = (
            f"{name} {self.last[key]:.2f}" for key, name in SHOWN.items() if self.last.get(key)
        )
        return "  ".join(numbers)

    def tail(self, lines: int = 15) -> str:
        """The end of its output."""
        path = self.folder / LOG
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return "\n".join(text.splitlines()[-lines:])


def run_jobs(jobs: Sequence[Job], parallel: int, keep_going: bool = False) -> list[Job]:
    """Run all jobs, some at a time.

    The first one that fails ends the others and is named; with `keep_going` the others go on, and
    those that failed are returned.
    """
    from ..exits import RunError
    from .bars import LiveBars, PlainLines

    threads = max((os.cpu_count() or 1) // parallel, 1)
    waiting, running, failed = list(jobs), list[Job](), list[Job]()
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with LiveBars(jobs) if sys.stdout.isatty() else PlainLines() as display:
            while waiting or running:
                while waiting and len(running) < parallel:
                    running.append(waiting.pop(0))
                    running[-1].start(threads)
                time.sleep(POLL_SECONDS)
                for job in list(running):
                    code = job.process.poll() if job.process else None
                    job.look()
                    display.show(job)
                    if code is None:
                        continue
                    running.remove(job)
                    if code and keep_going:
                        failed.append(job)
                    elif code:
                        raise RunError(
                            f"{job.name} ended with exit code {code}; the end of its output "
                            f"({job.folder / LOG}):\n{job.tail()}"
                        )
    finally:
        signal.signal(signal.SIGTERM, previous)
        _stop(running)
    return failed


def _stop(jobs: Sequence[Job]) -> None:
    """Let trainings that are still going save their state and end."""
    alive = [job.process for job in jobs if job.process is not None and job.process.poll() is None]
    if alive:
        print("\nStopping; the trainings finish their step and save.", flush=True)
    for process in alive:
        process.terminate()
    for process in alive:
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _lines(path: Path) -> list[dict[str, Any]]:
    from ..engine.metrics_file import read_metrics

    return read_metrics(path)
