"""What is wrong with an image file of a training, said with its path."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile

from ..exits import Exit, RunError
from ..formats.image_header import ImageFlaw, cut_off, read_header
from .image_limits import DEEP, LONGEST_ASPECT

# Where transforms, and data sets, keep others.
_PARTS = (
    "transforms", "shared", "views", "branch_pipelines", "steps", "inner", "pipeline", "dataset",
    "datasets",
)  # fmt: skip
_ON_DISK = ("empty file", "missing file", "unreadable file", "truncated image")


class BadImageError(RunError, RuntimeError):
    """An image of the training set cannot be used; the message names the file and the cause."""

    exit_code = Exit.DATA


class SampleError(RunError, RuntimeError):
    """A transform failed on a sample whose image is in order; the message names the file."""

    exit_code = Exit.DATA


def unfit(path: str | Path | None, *, deep: bool = True) -> str | None:
    """Why a file on disk must not be decoded, by its header and its end; None if nothing is known.

    Args:
        path: A file on disk. Nothing is known of others.
        deep: Whether what loads it knows what to do with more than 8 bits in a channel.
    """
    if path is None or "://" in str(path):
        return None
    if (cause := cut_off(path)) is not None:
        return cause
    try:
        header = read_header(path)
    except ImageFlaw as flaw:
        if flaw.kind in _ON_DISK:
            return None  # opening it will report the error
        wrong = flaw.kind == "file that is not an image"
        return f"does not decode as an image ({flaw.found})" if wrong else str(flaw)
    low, high = sorted((header.width, header.height))
    if high > LONGEST_ASPECT * low:
        return (
            f"extremely long image: {header.width}x{header.height}, a ratio of sides above "
            f"{LONGEST_ASPECT}; cut it into tiles"
        )
    if header.bits > 8 and not deep:
        return (
            f"{header.bits} bits in a channel, of which loading would keep the upper 8: pictures "
            f"of 12 bits become black. Load them with dict(type='LoadDeepImage', bit_depth=...), "
            f"or convert them to 8 bits"
        )
    return None


def unreadable(path: str | Path | None) -> str | None:
    """Why a file on disk is not a readable image; None if it is one, or is no file on disk."""
    if path is None or "://" in str(path):
        return None
    try:
        if Path(path).stat().st_size == 0:
            return "the file is empty (0 bytes)"
        if (cause := unfit(path)) is not None:
            return cause
        data = Path(path).read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        return f"does not decode as an image ({len(data)} bytes, it starts with {data[:8]!r})"
    return None


def failed(path: str, error: Exception, which: str) -> SampleError:
    """The error to raise for that of a transform, which knows no file."""
    return SampleError(
        f"{path}: {type(error).__name__}: {error}. A transform failed on this file ({which}), "
        f"which is an image; SSDET_TRACEBACK=1 shows where"
    )


def keeps_depth(part: Any) -> bool:
    """Whether no transform of a pipeline, or data set, turns 16 bits into the upper 8 of them."""
    return not any(
        isinstance(step, LoadImageFromFile)
        and getattr(step, "bit_depth", None) is None
        and step.color_type not in DEEP
        for step in _steps(part)
    )


def _steps(part: Any) -> Iterator[Any]:
    """The transforms of a pipeline, also those inside others, or of a data set inside wrappers."""
    if isinstance(part, Mapping):
        part = list(part.values())
    if isinstance(part, Sequence) and not isinstance(part, str):
        for step in part:
            yield from _steps(step)
        return
    yield part
    for name in _PARTS:
        inner = getattr(part, name, None)
        if inner is not None and inner is not part:
            yield from _steps(inner)
