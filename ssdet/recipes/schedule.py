"""Image size, batch, length and learning rate, from the data and the number of processes."""

import re
from dataclasses import dataclass
from statistics import median
from typing import Any

from ..formats import Annotations
from ..formats.coco import size_of

SHORTEST, LONGEST = 2000, 180_000  # iterations
_LARGEST = {"detection": (1333, 800), "segmentation": (2048, 1024)}
_CROP = 512
_LOOKED_AT = 200  # images whose sizes are read


@dataclass(frozen=True)
class Plan:
    """The numbers of a training.

    Attributes:
        batch: Labeled and unlabeled images per process and iteration.
        images: Labeled images per iteration in all processes.
        iterations: Length.
        lr: Learning rate.
        momentum: Of the teacher.
        image_scale: Longer and shorter side.
        crop_size: (height, width) of what a segmentor sees.
    """

    batch: tuple[int, int]
    images: int
    iterations: int
    lr: float
    momentum: float
    image_scale: tuple[int, int]
    crop_size: tuple[int, int]


def plan_batch(
    batch: tuple[int, int], labeled: int, *, gpus: int, given: tuple[int, int] | None
) -> tuple[int, int]:
    """As many labeled images as there are for each process, at most what is usual."""
    return given or (max(1, min(batch[0], labeled // gpus)), batch[1])


def plan_iterations(
    counts: tuple[int, int], batch: tuple[int, int], *, passes: int, gpus: int
) -> int:
    """So many passes over the larger source; never too short for a teacher to become good."""
    rounds = max(count / (size * gpus) for count, size in zip(counts, batch, strict=True))
    iterations = min(max(rounds * passes, SHORTEST), LONGEST)
    step = 500 if iterations < 20_000 else 5000
    return round(iterations / step) * step


def plan_momentum(momentum: float, iterations: int) -> float:
    """The teacher averages over a tenth of a short training, not over more of it."""
    return round(min(momentum, 1 - 10 / iterations), 4)


def base_batch(config: dict[str, Any], name: str) -> int:
    """Images per iteration that the learning rate of a supervised config is meant for."""
    known = (config.get("auto_scale_lr") or {}).get("base_batch_size")
    said = re.search(r"(\d+)xb(\d+)", name)
    return int(known or (int(said[1]) * int(said[2]) if said else 16))


def image_scale(data: Annotations, task: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """(longer, shorter side) of a typical image within what is usual, and the crop for it."""
    step = max(1, len(data.pictures) // _LOOKED_AT)
    sizes = [size_of(data, picture) for picture in data.pictures[::step]]
    longer = median(max(size) for size in sizes)
    shorter = median(min(size) for size in sizes)
    limits = _LARGEST[task]
    factor = min(1.0, limits[0] / longer, limits[1] / shorter)
    scale = max(32, round(longer * factor)), max(32, round(shorter * factor))
    side = max(32, min(_CROP, scale[1]) // 32 * 32)
    return scale, (side, side)
