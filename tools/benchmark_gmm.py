"""Time the mixtures of all classes at once beside one scikit-learn fit for each class.

    python tools/benchmark_gmm.py [--classes 80] [--scores 100] [--repeat 20] [--device cpu]

Of scikit-learn the fits alone are timed, of ssdet everything up to the thresholds. "in a row": the
best of many calls of one of them. "in turns": the medians where the two take turns, so that each
call finds the caches full of the other. The last column is the largest difference of a threshold
or a membership.
On a CPU it is the time of the process that counts, so that a busy machine does not disturb.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ssdet.thresholds import fit_mixtures, mixture_thresholds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--scores", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(
        f"{given.classes} classes x {given.scores} scores, {given.device}, {given.threads} threads"
    )
    print(
        f"{'':12}{'in a row, ms':>30}{'ratio':>8}{'in turns, ms':>28}{'ratio':>8}{'difference':>12}"
    )
    for name, draw in KINDS.items():
        scores = draw(np.random.default_rng(given.seed), given.classes, given.scores)
        print(f"{name:12}{_compared(scores.astype(np.float32), given.repeat, given.device)}")


def _compared(scores: np.ndarray, repeat: int, device: str) -> str:
    batch = torch.from_numpy(scores).to(device)
    actions = [lambda: [_fit(row) for row in scores], lambda: mixture_thresholds(batch)]
    row = [min(_time(action, device) for _ in range(repeat)) for action in actions]
    pairs = [[_time(action, device) for action in actions] for _ in range(repeat)]
    turns = [statistics.median(times) for times in zip(*pairs, strict=True)]
    return (
        "".join(f"{a:20.1f}{b:10.2f}{a / b:8.0f}" for a, b in (row, turns))
        + f"{_difference(scores, batch):12.0e}"
    )


def _fit(row: np.ndarray) -> GaussianMixture:
    column = row.astype(np.float64)[:, None]
    return GaussianMixture(
        2,
        weights_init=[0.5, 0.5],
        means_init=[[column.min()], [column.max()]],
        precisions_init=[[[1.0]], [[1.0]]],
    ).fit(column)


def _bimodal(rng: np.random.Generator, classes: int, count: int) -> np.ndarray:
    upper = rng.random((classes, count)) < rng.uniform(0.2, 0.8, (classes, 1))
    return np.where(upper, rng.beta(8, 2, (classes, count)), rng.beta(2, 8, (classes, count)))


def _skewed(rng: np.random.Generator, classes: int, count: int) -> np.ndarray:
    return rng.beta(0.5, 3, (classes, count)) * 0.95 + 0.05


def _uniform(rng: np.random.Generator, classes: int, count: int) -> np.ndarray:
    return rng.uniform(0.05, 1, (classes, count))


KINDS: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "two groups": _bimodal,
    "mostly low": _skewed,
    "uniform": _uniform,
}


def _time(action: Callable[[], Any], device: str) -> float:
    """CPU time of this process, which other processes do not lengthen; on a GPU the wall clock."""
    on_gpu = device.startswith("cuda")
    clock = time.perf_counter if on_gpu else time.process_time
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    wait()
    start = clock()
    action()
    wait()
    return (clock() - start) * 1000


def _difference(scores: np.ndarray, batch: Tensor) -> float:
    limits = mixture_thresholds(batch).cpu().numpy()
    members = fit_mixtures(batch, batch > 0).log_odds.sigmoid().cpu().numpy()
    worst = 0.0
    for row, limit, ours in zip(scores, limits, members, strict=True):
        column, mixture = row.astype(np.float64)[:, None], _fit(row)
        theirs = mixture.predict_proba(column)[:, 1]
        likely = np.where(mixture.predict(column) == 1, mixture.score_samples(column), -np.inf)
        expected = row[likely.argmax()] if (likely > -np.inf).any() else 0.0
        worst = max(worst, abs(float(limit - expected)), float(np.abs(ours - theirs).max()))
    return worst


if __name__ == "__main__":
    main()
