"""Progress of several trainings: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from .jobs import Job

PLAIN_SECONDS = 15.0


class LiveBars:
    """A bar with the time left for each job."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[status]}"),
            # The numbers come every few iterations: look far back for the speed.
            speed_estimate_period=60,
        )
        self.tasks = {
            job.name: self.progress.add_task(
                job.name, total=job.iterations, start=False, completed=job.done, status="waiting"
            )
            for job in jobs
        }

    def __enter__(self) -> LiveBars:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def show(self, job: Job) -> None:
        """Move the bar of a job."""
        task = self.tasks[job.name]
        if job.done:
            self.progress.start_task(task)
        self.progress.update(task, completed=job.done, status=job.status)


class PlainLines:
    """A line for each job every now and then."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}
        self._first: dict[str, tuple[float, int]] = {}

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, job: Job) -> None:
        """Say how far a job is, if it was not said just now."""
        now = time.monotonic()
        if job.done:
            self._first.setdefault(job.name, (now, job.done))
        if now - self._said.get(job.name, -PLAIN_SECONDS) < PLAIN_SECONDS and not job.ended:
            return
        self._said[job.name] = now
        left = "" if job.ended else self._left(job, now)
        print(
            f"  {job.name}: {job.done} of {job.iterations} iterations, {job.status}{left}",
            flush=True,
        )

    def _left(self, job: Job, now: float) -> str:
        start, first = self._first.get(job.name, (now, job.done))
        if job.done <= first or job.done >= job.iterations:
            return ""
        seconds = (now - start) / (job.done - first) * (job.iterations - job.done)
        return f", about {seconds:.0f} s left" if seconds < 60 else f", {seconds / 60:.1f} min left"
