"""What the pixels of an image say of it, from decoding it once: bits, patterns, statistics."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageOps
from scipy.fft import dctn

from .overlap import paths_of
from .parallel import Progress, each, silent
from .sources import Source

STATISTICS = ("brightness", "contrast", "saturation", "sharpness", "size", "aspect")
_SIDE, _LOW = 32, 8  # pixels of the small picture, frequencies that are kept
_FLAT = 2.0  # standard deviation of gray values; the bits of a blank picture are noise
_WINDOW, _SMALLEST = 256, 32  # pixels of the part in which patterns are looked for
_AXIS = 2  # lowest frequencies, and those along an axis: edges of the picture show there


@dataclass(frozen=True, slots=True)
class Picture:
    """One image.

    Attributes:
        bits: Signs of its lowest frequencies against their median (pHash, 64 bits), which stay as
            they are when it is saved again or scaled. None: it is blank.
        pattern: How far its strongest frequencies stand out of their neighbors, as a logarithm.
            None: it is too small.
        format: Of the file; JPEG has a pattern of its own.
        statistics: Values in the order of `STATISTICS`.
    """

    bits: int | None
    pattern: float | None
    format: str
    statistics: tuple[float, ...]


def look_at_pictures(
    sources: Sequence[Source], *, workers: int | None = None, progress: Progress = silent
) -> dict[str, Picture]:
    """Every image of the sources that can be decoded."""
    paths = list(dict.fromkeys(path for source in sources for path in paths_of(source)))
    found = each(look_at, paths, what="pictures", workers=workers, progress=progress, alone=100)
    return {path: picture for path, picture in zip(paths, found, strict=True) if picture}


def look_at(path: str) -> Picture | None:
    """One image; None if it is none, which the check of the files reports."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                format_ = image.format or ""
                colors = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception:  # decoders fail in many ways
        return None
    return picture_of(colors, format_)


def picture_of(colors: np.ndarray, format_: str) -> Picture:
    """The same of pixels (H, W, 3), red first, from a file of some format."""
    gray = cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY)
    return Picture(_bits(gray), pattern_score(gray), format_, _statistics(colors, gray))


def _bits(gray: np.ndarray) -> int | None:
    small = np.asarray(
        Image.fromarray(gray).resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32
    )
    if small.std() < _FLAT:
        return None
    low = dctn(small, norm="ortho")[:_LOW, :_LOW].ravel()
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes(), "big")


def pattern_score(gray: np.ndarray) -> float | None:
    """Logarithm of the strongest frequencies against the median of those around them.

    A picture has many frequencies; a pattern that repeats has few, each far above its neighbors.
    Lines along the sides show on the two axes, everything else between them.
    """
    height, width = gray.shape
    side = min(_WINDOW, height, width)
    if side < _SMALLEST:
        return None
    top, left = (height - side) // 2, (width - side) // 2
    part = gray[top : top + side, left : left + side].astype(np.float32)
    part -= cv2.GaussianBlur(part, (0, 0), 4.0)
    window = np.hanning(side).astype(np.float32)
    power = np.abs(np.fft.rfft2(part * window[:, None] * window)) ** 2
    power = np.fft.fftshift(power, axes=0).astype(np.float32)
    middle = side // 2
    between = _standing_out(power, cv2.medianBlur(power, 5))
    between[middle - _AXIS : middle + _AXIS + 1] = 0
    between[:, : _AXIS + 1] = 0
    axes = (power[middle - 1 : middle + 2].sum(0), power[middle:, :2].sum(1))
    along = max(float(_standing_out(a, _running_median(a))[_AXIS + 1 :].max()) for a in axes)
    return math.log(max(float(between.max()), 1e-6)) + math.log(max(along, 1e-6))


def _standing_out(power: np.ndarray, around: np.ndarray) -> np.ndarray:
    return power / np.maximum(around, 1e-3 * float(power.mean()) + 1e-6)


def _running_median(values: np.ndarray, length: int = 11) -> np.ndarray:
    padded = np.pad(values, length // 2, mode="reflect")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, length), axis=-1)


def _statistics(colors: np.ndarray, gray: np.ndarray) -> tuple[float, ...]:
    height, width = gray.shape
    saturation = (colors.max(-1).astype(np.float32) - colors.min(-1)).mean()
    small = cv2.resize(gray, (64, 64), interpolation=cv2.INTER_AREA)
    sharpness = np.log1p(cv2.Laplacian(small, cv2.CV_32F).var())
    values = (gray.mean(), gray.std(), saturation, sharpness)
    return (*map(float, values), math.log(height * width), math.log(width / height))
