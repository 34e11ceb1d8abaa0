"""How far the labeling is, with the time left: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_SECONDS = 15.0


class Lines:
    """A line every now and then."""

    def __init__(self, total: int, done: int) -> None:
        self.total, self.first, self.done = total, done, done
        self.start = self.said = time.monotonic()

    def advance(self, images: int) -> None:
        """So many more images are labeled."""
        self.done += images
        now = time.monotonic()
        if now - self.said < PLAIN_SECONDS and self.done < self.total:
            return
        self.said = now
        rate = (self.done - self.first) / max(now - self.start, 1e-9)
        left = (self.total - self.done) / rate if rate else 0.0
        print(
            f"  {self.done:,} of {self.total:,} images, {rate:.1f} a second"
            + (f", about {words(left)} left" if self.done < self.total else ""),
            flush=True,
        )


class Live:
    """A bar."""

    def __init__(self, progress: Progress, total: int, done: int) -> None:
        self.progress = progress
        self.task = progress.add_task("label", total=total, completed=done)

    def advance(self, images: int) -> None:
        """So many more images are labeled."""
        self.progress.advance(self.task, images)


@contextmanager
def progress(total: int, done: int) -> Iterator[Lines | Live]:
    """What shows how far it is."""
    if not sys.stdout.isatty():
        yield Lines(total, done)
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(compact=True), speed_estimate_period=60) as bar:
        yield Live(bar, total, done)


def words(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
