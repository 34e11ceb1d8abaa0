"""Many small checks of files, in several processes, with a callback for a progress bar."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[str, int, int], None]  # what is done, how far, of how many

_CHUNK, _ALONE = 256, 2000  # items of one message; below the second number processes do not pay


def silent(what: str, done: int, total: int) -> None:
    """No progress bar."""


def each(
    check: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    what: str,
    workers: int | None = None,
    progress: Progress = silent,
    alone: int = _ALONE,
) -> Iterator[Result]:
    """`check(item)` of all items, in their order."""
    workers = workers or os.cpu_count() or 1
    chunk = min(_CHUNK, max(1, alone // 16))
    chunks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    done = 0
    for results in _run(partial(_all, check), chunks, workers if len(items) > alone else 1):
        done += len(results)
        progress(what, done, len(items))
        yield from results


def _run(job: Callable[..., list[Any]], chunks: Sequence[Any], workers: int) -> Iterator[list[Any]]:
    if workers < 2:
        yield from map(job, chunks)
        return
    # A forked process has everything imported; a fresh one would need seconds for that.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(workers, context) as pool:
        yield from pool.map(job, chunks)


def _all(check: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [check(item) for item in items]
