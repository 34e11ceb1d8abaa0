"""The numbers of a training, from the data and the number of processes, and its schedule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from ..formats.coco import size_of
from .recipe import Code, Note, Recipe, Settings

if TYPE_CHECKING:
    from ..formats import Annotations
    from .models import Base

SHORTEST, LONGEST = 2000, 180_000  # iterations
PASSES = {"detection": 40, "segmentation": 80}  # over the larger source
BATCH = (2, 2)  # labeled and unlabeled images per process and iteration
_LR = {"detection": 0.0025, "segmentation": 0.005}  # of SGD, for 2 labeled images per iteration
_EVALUATIONS = {"detection": 12, "segmentation": 10}
_LARGEST = {"detection": (1333, 800), "segmentation": (2048, 1024)}
_CROP = 512
_WARM_UP = Code("min(500, max(iterations // 4, 1))")
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


def make_plan(
    base: Base,
    recipe: Recipe,
    labeled: Annotations,
    unlabeled: int,
    *,
    gpus: int = 1,
    batch: tuple[int, int] | None = None,
    iterations: int | None = None,
) -> Plan:
    """Choose the numbers; given ones stay as they are.

    Args:
        base: Its optimizer may bring the learning rate.
        recipe: Says how often images are seen, and the teacher's momentum.
        labeled: The labeled images to train on.
        unlabeled: Number of unlabeled images.
        gpus: Processes of the training.
        batch, iterations: See `Plan`.
    """
    counts = (len(labeled.records), unlabeled)
    # As many labeled images as there are for each process, at most what is usual.
    sizes = batch or (max(1, min(BATCH[0], counts[0] // gpus)), BATCH[1])
    passes = recipe.passes or PASSES[recipe.task]
    length = iterations or _iterations(counts, sizes, passes=passes, gpus=gpus)
    images = sizes[0] * gpus
    scale, crop = _image_scale(labeled, recipe.task)
    # The teacher averages over a tenth of a short training, not over more of it.
    momentum = round(min(recipe.momentum, 1 - 10 / length), 4)
    return Plan(sizes, images, length, _learning_rate(base, images), momentum, scale, crop)


def variable_settings(base: Base, classes: tuple[str, ...], plan: Plan) -> dict[str, Any]:
    """What a user changes first, as assignments of the config; everything else follows it."""
    names, only = "in the order of the numbers in the maps; 255 is ignored", {}
    if base.task == "segmentation":
        only["crop_size"] = Note(plan.crop_size, "height and width of what the model sees")
    else:
        names = "names as in the annotations"
        only["with_mask"] = Note(base.has_masks, "learn outlines too: for Mask R-CNN and its like")
    gpus = plan.images // plan.batch[0]
    total = "batch" if gpus == 1 else f"tuple({gpus} * number for number in batch)"
    return {
        "classes": Note(classes, names),
        "image_scale": Note(plan.image_scale, "longer and shorter side"),
        **only,
        "batch": Note(plan.batch, "labeled and unlabeled images per process and iteration"),
        "total_batch": Note(
            Code(total), f"in all processes together, here {gpus}; the learning rate is for as many"
        ),
        "num_workers": 2,
        "iterations": plan.iterations,
        "lr": plan.lr,
        "momentum": Note(plan.momentum, "of the teacher"),
    }


def schedule_settings(base: Base) -> dict[str, Any]:
    """Loop, optimizer and its schedule, and checkpoints, as assignments of the config."""
    interval = Code(f"max(iterations // {_EVALUATIONS[base.task]}, 1)")
    end = dict(by_epoch=False, begin=0, end=Code("iterations"))
    if base.task == "detection":
        rest: Settings = {"clip_grad": dict(max_norm=10)}
        schedulers = [
            dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=_WARM_UP),
            dict(type="CosineAnnealingLR", **end, eta_min=0),
        ]
    else:
        rest = {"paramwise_cfg": dict(custom_keys=dict(head=dict(lr_mult=10.0)))}
        schedulers = [dict(type="PolyLR", **end, power=0.9, eta_min=1e-5)]
    optimizer: Settings = dict(type="SGD", lr=Code("lr"), momentum=0.9, weight_decay=0.0001)
    if own := _own_optimizer(base):
        wrapper = base.config["optim_wrapper"]
        optimizer = {**own, "lr": Code("lr")}
        rest = {k: wrapper[k] for k in ("paramwise_cfg", "clip_grad") if wrapper.get(k)}
    return {
        "train_cfg": dict(
            type="IterBasedTrainLoop", max_iters=Code("iterations"), val_interval=interval
        ),
        "optim_wrapper": dict(type="OptimWrapper", optimizer=optimizer, **rest),
        "param_scheduler": schedulers,
        "default_hooks": dict(checkpoint=dict(interval=interval)),
    }


def _own_optimizer(base: Base) -> dict[str, Any] | None:
    """The base's own optimizer where SGD would not do."""
    optimizer = (base.config.get("optim_wrapper") or {}).get("optimizer") or {}
    return optimizer if optimizer.get("type", "SGD") != "SGD" and "lr" in optimizer else None


def _learning_rate(base: Base, images: int) -> float:
    """In proportion to the labeled images of an iteration in all processes."""
    own = _own_optimizer(base)
    if own is None:
        return float(f"{_LR[base.task] * images / 2:.3g}")
    return float(f"{own['lr'] * images / _base_batch(base):.3g}")


def _base_batch(base: Base) -> int:
    """Images per iteration that the learning rate of a supervised config is meant for."""
    known = (base.config.get("auto_scale_lr") or {}).get("base_batch_size")
    said = re.search(r"(\d+)xb(\d+)", base.name)
    return int(known or (int(said[1]) * int(said[2]) if said else 16))


def _iterations(counts: tuple[int, int], batch: tuple[int, int], *, passes: int, gpus: int) -> int:
    """A number of passes over the larger source; never too few for a teacher to become good."""
    rounds = max(count / (size * gpus) for count, size in zip(counts, batch, strict=True))
    iterations = min(max(rounds * passes, SHORTEST), LONGEST)
    step = 500 if iterations < 20_000 else 5000
    return round(iterations / step) * step


def _image_scale(data: Annotations, task: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """(longer, shorter side) of a typical image within what is usual, and the crop for it."""
    step = max(1, len(data.records) // _LOOKED_AT)
    sizes = [size_of(data, record) for record in data.records[::step]]
    longer = median(max(size) for size in sizes)
    shorter = median(min(size) for size in sizes)
    limits = _LARGEST[task]
    factor = min(1.0, limits[0] / longer, limits[1] / shorter)
    scale = max(32, round(longer * factor)), max(32, round(shorter * factor))
    side = max(32, min(_CROP, scale[1]) // 32 * 32)
    return scale, (side, side)
