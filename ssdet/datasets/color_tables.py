"""The color changes of MMDetection and MMSegmentation by lookup tables: the same pixels, sooner.

Most of them give each value of a channel a new value, whatever stands around it: 256 numbers for a
channel say it all, and OpenCV looks them up many times faster than the packages compute them. What
is drawn, and in which order, stays theirs. Images that are not three channels of 8 bits, and
classes derived from theirs, are left to the packages.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import mmcv
import numpy as np

Recolor = Callable[[np.ndarray, float], np.ndarray]
RAMP = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, 2)  # every value, three times


def by_tables(transform: Any) -> Any:
    """The same transform with faster arithmetic where it is one of those known here."""
    name = f"{type(transform).__module__.split('.')[0]}.{type(transform).__name__}"
    if name in RECOLORS:
        original = transform._transform_img
        transform._transform_img = partial(_recolor, RECOLORS[name], original)
    elif name == "mmseg.PhotoMetricDistortion":
        transform.convert = partial(_convert, transform.convert)
    return transform


def has_planes(image: np.ndarray) -> bool:
    """Whether `planar` makes a new image of it."""
    return image.ndim == 3 and image.dtype in (np.uint8, np.float32)


def planar(image: np.ndarray) -> np.ndarray:
    """An equal image whose channels lie one behind the other, as a model wants them.

    The packing transforms then have nothing to move; OpenCV moves pixels faster than PyTorch.
    """
    if not has_planes(image):
        return image
    if image.strides[1] < 0:  # flipped: NumPy would copy it pixel by pixel
        image = cv2.flip(image[:, ::-1], 1).reshape(image.shape)
    planes = np.empty((image.shape[2], *image.shape[:2]), image.dtype)
    cv2.split(np.ascontiguousarray(image), list(planes))
    return planes.transpose(1, 2, 0)


def _plain(image: Any) -> bool:
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and mmcv.image.io.imread_backend != "pillow"
    )


def _recolor(recolor: Recolor, original: Callable, results: dict, magnitude: float) -> None:
    if _plain(results["img"]):
        results["img"] = recolor(results["img"], magnitude)
    else:
        original(results, magnitude)


def _convert(original: Callable, img: np.ndarray, alpha: float = 1, beta: float = 0) -> np.ndarray:
    if img.dtype != np.uint8:
        return original(img, alpha, beta)
    return cv2.LUT(img, original(RAMP[:, :, 0], alpha, beta))


def _of_values(change: Recolor) -> Recolor:
    """A change that treats each value of an image alike."""

    def recolor(image: np.ndarray, magnitude: float) -> np.ndarray:
        return cv2.LUT(image, change(RAMP, magnitude)[:, :, 0].astype(np.uint8))

    return recolor


def _contrast(image: np.ndarray, factor: float) -> np.ndarray:
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    mean = np.full_like(RAMP, round(np.sum(gray) / gray.size))
    blended = cv2.addWeighted(
        RAMP.astype(np.float32), factor, mean.astype(np.float32), 1 - factor, 0
    )
    return cv2.LUT(image, blended.clip(0, 255)[:, :, 0].astype(np.uint8))


def _color(image: np.ndarray, factor: float) -> np.ndarray:
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(image, factor, gray, 1 - factor, 0)


def _by_histogram(table: Callable[[np.ndarray], np.ndarray]) -> Recolor:
    """A change with one table for each channel, made from the counts of its values."""

    def recolor(image: np.ndarray, magnitude: float) -> np.ndarray:
        counts = (cv2.calcHist([image], [c], None, [256], (0, 256)) for c in range(3))
        tables = [table(count[:, 0].astype(np.int64)).astype(np.uint8) for count in counts]
        return cv2.LUT(image, np.stack(tables, -1)[None])

    return recolor


def _equalized(counts: np.ndarray) -> np.ndarray:
    """MMCV's: the share of darker pixels, times 255; the brightest value does not count."""
    step = (counts.sum() - counts[counts > 0][-1]) // 255
    if not step:
        return np.arange(256)
    below = np.concatenate([[0], (np.cumsum(counts) + step // 2)[:-1] // step])
    return below.clip(max=255)


def _stretched(counts: np.ndarray) -> np.ndarray:
    """MMCV's automatic contrast: the darkest value becomes 0, the brightest 255."""
    low, high = np.nonzero(counts)[0][[0, -1]]
    if low == high:
        return np.arange(256)
    scale = 255.0 / (high - low)
    return (np.arange(256) * scale + -low * scale).clip(0, 255)


RECOLORS: dict[str, Recolor] = {
    "mmdet.Brightness": _of_values(mmcv.adjust_brightness),
    "mmdet.Solarize": _of_values(mmcv.solarize),
    "mmdet.Posterize": _of_values(lambda ramp, bits: mmcv.posterize(ramp, int(np.ceil(bits)))),
    "mmdet.Invert": _of_values(lambda ramp, _: mmcv.iminvert(ramp)),
    "mmdet.SolarizeAdd": _of_values(
        lambda ramp, more: np.where(ramp < 128, np.minimum(ramp + more, 255), ramp)
    ),
    "mmdet.Contrast": _contrast,
    "mmdet.Color": _color,
    "mmdet.Equalize": _by_histogram(_equalized),
    "mmdet.AutoContrast": _by_histogram(_stretched),
}
