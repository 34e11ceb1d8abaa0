"""Rows that several papers have, with the wording that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import models
from .. import readers as read
from ..table import Row

FASTER_RCNN = "MM:configs/_base_/models/faster-rcnn_r50_fpn.py"
SCHEDULE = "MM:configs/_base_/schedules/schedule_1x.py"
RAND_AUGMENT = "ST:ssod/datasets/pipelines/rand_aug.py:61"
CAFFE = "BGR, mean 103.53, 116.28, 123.675, deviation 1, 1, 1"
TORCHVISION = "RGB, mean 123.675, 116.28, 103.53, deviation 58.395, 57.12, 57.375"
FIXED = "statistics fixed, scales frozen"
LEARNED = "statistics fixed, scales learn"

# The operations of Soft Teacher's code, and those of MMDetection, which are ours.
_COLORS = (
    "nothing, autocontrast, equalize, sharpness {0}, posterize {1}, solarize {2}, "
    "color {0}, contrast {0}, brightness {0}"
)
COLORS = _COLORS.format("0.28 to 1.72", "1 to 4", "25 to 230")
MMDET_COLORS = _COLORS.format("0.1 to 1.9", "0 to 4", "0 to 256")
MOVES = "rotate 0 to 30, shear both axes 0 to 25.7, translatex 0 to 0.1, translatey 0 to 0.1"
MMDET_MOVES = (
    "rotate 0 to 30, shearx 0 to 30, sheary 0 to 30, translatex 0 to 0.1, translatey 0 to 0.1"
)
ERASE = "erase 1 to 4 patches, sides up to 0.2"
WHY_MMDET = (
    "MMDetection's operations, whose strengths it rounds to one decimal; its port of Soft Teacher "
    "reports 33.8 with them at 10 %, as the original does"
)
BY_PROBABILITY = (
    "each process of the official code draws how many of its images are labeled; with fixed numbers "
    "MMDetection's port of Soft Teacher reports the same AP"
)
BOTH = "the log has both: compare the one that the authors tested"
PRECISION = "`ssdet train --amp` is half precision, where the device has it"


def views(size: str, *, source: str, lines: tuple[int, int, int]) -> tuple[Row, ...]:
    """The three views of Soft Teacher's recipe, all of the same sizes."""
    weak = f"{size}; flip 0.5"
    labeled, weakly, strongly = (f"{source}:{line}" for line in lines)
    strong = f"{weak}; in random order: 1 color / 1 movement; {ERASE}"
    colors, moves = read.colors("unsup_student"), read.movements("unsup_student")
    return (
        Row("labeled view", f"{weak}; 1 color", read.view("sup"), labeled),
        Row("weak view", weak, read.view("unsup_teacher"), weakly),
        Row("strong view", strong, read.view("unsup_student"), strongly),
        Row("colors, with strengths", COLORS, colors, RAND_AUGMENT, MMDET_COLORS, WHY_MMDET),
        Row("movements, with strengths", MOVES, moves, strongly, MMDET_MOVES, WHY_MMDET),
    )


def optimization(rate: float, *, source: str, line: int) -> tuple[Row, ...]:
    """SGD as all of these papers have it; their warm-up is MMDetection's."""
    place = f"{source}:{line}"
    return (
        Row("learning rate", rate, read.rate, place),
        Row("optimizer", "SGD, momentum 0.9", read.optimizer, place),
        Row("weight decay", 1e-4, read.decay, place),
        Row("warm-up (iterations, from)", (500, 0.001), read.warm_up, f"{SCHEDULE}:9"),
    )


def two_stage(*, source: str = FASTER_RCNN) -> tuple[Row, ...]:
    """Losses and samplers of MMDetection's Faster R-CNN."""
    plain = ("binary cross entropy x 1", "L1 x 1", "cross entropy x 1", "L1 x 1")
    return (
        Row("losses (RPN class, box; RoI class, box)", plain, models.TWO_STAGE_LOSSES, f"{source}:38"),
        Row(
            "losses divided by (RPN; RoI class, box)",
            ("sampled anchors", "RoIs", "RoIs"),
            models.two_stage_normalizers,
            "MM:mmdet/models/roi_heads/bbox_heads/bbox_head.py:376",
        ),
        Row(
            "sampled (RPN; RoI: number, positives)",
            ((256, 0.5), (512, 0.25)),
            models.two_stage_samplers,
            f"{source}:74",
        ),
        Row(
            "overlaps (RPN; RoI: positive, negative)",
            ((0.7, 0.3), (0.5, 0.5)),
            models.two_stage_assigners,
            f"{source}:67",
        ),
    )


def backbone(weights: str, norm: str, pixels: str, *, source: str, line: int) -> tuple[Row, ...]:
    """What the ResNet-50 starts from and what of it learns."""
    place = f"{source}:{line}"
    return (
        Row("initial weights", weights, models.initial_weights, place),
        Row("frozen stages beside the stem", 1, models.frozen_stages, place),
        Row("batch norm of the backbone", norm, models.batch_norm, place),
        Row("pixels", pixels, models.pixels, place),
    )


def tested(
    score: float, nms: float, size: str, model: str, *, source: str, line: int
) -> tuple[Row, ...]:
    """What the published number was measured with; the official code tests one model."""
    boxes = {"score": score, "NMS": nms, "boxes": 100}
    place = f"{source}:{line}"
    return (
        Row("boxes of a test", boxes, models.boxes_of_a_test, place),
        Row("image of a test", size, read.test_view, place),
        Row("evaluated", model, models.evaluated, place, "teacher and student", BOTH),
    )


def crowds(source: str = f"{FASTER_RCNN}:71") -> Row:
    """MMDetection's assigners do not look at what is to be ignored."""
    return Row("crowds and difficult objects", "background", models.crowds, source)


def of_each_share(value: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    """The same value for each share of labeled images that the papers have."""
    return lambda built: {
        f"{percent} %": value(built.with_options(percent=percent)) for percent in (1, 2, 5, 10)
    }


def each(value: Any) -> dict[str, Any]:
    """A value that the paper has for all shares."""
    return {f"{percent} %": value for percent in (1, 2, 5, 10)}


def replaced(rows: tuple[Row, ...], *new: Row) -> tuple[Row, ...]:
    """Rows of one config as those of another: rows of a name that is there take its place."""
    names = {row.name: row for row in new}
    kept = tuple(names.pop(row.name, row) for row in rows)
    return (*kept, *names.values())
