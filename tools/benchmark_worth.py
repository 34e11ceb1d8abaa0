"""What unlabeled images are worth in labeled ones, for `benchmark_labels.py`.

The supervised baseline with 5, 10, 20, ... and all labels is a curve: a score for each number of
labeled images. A method with 20 labeled images that scores as high as the baseline with 80 has a
label multiplier of 4.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ssdet.exits import UsageError


def labeled_images(config: Config) -> int:
    """How many labeled images a training has."""
    source = config.train_dataloader.dataset.datasets[0]
    path = Path(source.get("data_root", ""), source.ann_file)
    if not path.is_file():
        raise UsageError(
            f"{path} does not exist: the list of the labeled images that {config.filename} reads. "
            "Give the folder of the data that the protocol describes, and labels that it has"
        )
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return len(json.loads(text)["images"])
    return len([line for line in text.splitlines() if line.strip()])


def worth(score: float, curve: Sequence[tuple[int, float]]) -> float | None:
    """The labeled images with which the baseline reaches a score; None where the curve ends before.

    Between two points (images, score) of the curve the score grows with the logarithm of the
    images; a point that is lower than one with fewer images is left out. A score below the curve is
    worth the share of its first point that the slope there says.
    """
    rising: list[tuple[int, float]] = []
    for images, reached in sorted(curve):
        if not rising or reached > rising[-1][1]:
            rising.append((images, reached))
    if len(rising) < 2 or score > rising[-1][1]:
        return None
    above = next(n for n, (_, reached) in enumerate(rising) if score <= reached)
    (few, low), (many, high) = rising[max(above, 1) - 1 : max(above, 1) + 1]
    return few * math.exp((score - low) / (high - low) * math.log(many / few))


def worth_table(cells: Sequence[Any], baseline: str, ceiling: str) -> str:
    """The multiplier of each method, by seed; "" without a baseline with two numbers of labels."""
    curves: dict[int, dict[int, float]] = {}
    for cell in cells:
        if cell.kind in (baseline, ceiling):
            for seed, score in cell.scores().items():
                curves.setdefault(seed, {})[cell.images[seed]] = score
    lines = []
    for cell in cells:
        if cell.kind in (baseline, ceiling):
            continue
        found = {}
        for seed, score in cell.scores().items():
            points = list(curves.get(seed, {}).items())
            if len(points) > 1:
                value = worth(score, points)
                most = max(images for images, _ in points)
                found[seed] = (value or most) / cell.images[seed], value is None
        if found:
            each = ", ".join(f"{'>' if over else ''}{times:.1f}" for times, over in found.values())
            mean = sum(times for times, _ in found.values()) / len(found)
            lines.append(f"| {cell.labels} | {cell.kind} | {mean:.1f} | {each} |")
    head = "| labels | trained with | label multiplier | by seed |\n|---|---|---|---|"
    return "\n".join([head, *lines]) if lines else ""
