"""Scenes of handwritten digits among clutter, drawn as a pure function of (options, index).

Only raw bits of PCG64 and element-wise float arithmetic are used, both of which are defined bit by
bit: the same scene comes out on every machine and with every version of NumPy.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .digits import GLYPH, glyphs, pictures_of

MAX_HIDDEN = 0.35  # the share of a digit that later objects may cover
_PLACE_TRIALS = 12


@dataclass(frozen=True)
class SceneOptions:
    """What a family of scenes looks like. `size` is (height, width).

    `tail` is how much rarer the last digit is than the first one.
    """

    size: tuple[int, int] = (128, 128)
    digits: tuple[int, ...] = tuple(range(10))
    objects: tuple[int, int] = (1, 5)
    clutter: float = 1.0
    seed: int = 0
    validation: bool = False
    tail: float = 1.0

    def __post_init__(self) -> None:
        height, width = self.size
        low, high = self.objects
        if min(height, width) < 32:
            raise ValueError(f"image_size={self.size} is too small for digits; use at least 32")
        if not self.digits or sorted(set(self.digits)) != sorted(self.digits):
            raise ValueError(f"digits={self.digits} must be different digits, at least one")
        if not set(self.digits) <= set(range(10)):
            raise ValueError(f"digits={self.digits} must lie in 0..9")
        if not 0 <= low <= high:
            raise ValueError(f"objects={self.objects} must be (fewest, most) with 0 <= fewest")
        if self.clutter < 0:
            raise ValueError(f"clutter={self.clutter} is negative; 0 means a plain background")
        if self.tail < 1:
            raise ValueError(f"tail={self.tail} is below 1, where all digits are equally frequent")


@dataclass(frozen=True)
class Scene:
    """A drawn scene: `image` (H, W, 3) uint8, `labels` (N,), visible pixels `masks` (N, H, W)."""

    image: np.ndarray
    labels: np.ndarray
    masks: np.ndarray

    @property
    def boxes(self) -> np.ndarray:
        """Tight (x1, y1, x2, y2) around the visible pixels of each digit, (N, 4) float32."""
        boxes = np.zeros((len(self.masks), 4), np.float32)
        for box, mask in zip(boxes, self.masks, strict=True):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        return boxes

    @property
    def label_map(self) -> np.ndarray:
        """Class of each pixel, 0 is background and class k is k + 1, (H, W) uint8."""
        pixels = np.zeros(self.image.shape[:2], np.uint8)
        for mask, label in zip(self.masks, self.labels, strict=True):
            pixels[mask] = label + 1
        return pixels


def draw(options: SceneOptions, index: int) -> Scene:
    """Draw scene number `index`."""
    dice = _Dice(options.seed, int(options.validation), index)
    canvas = _Canvas(_background(dice, *options.size))
    amount = options.clutter * min(options.size) / 128
    for _ in range(round(dice(3, 9) * amount)):
        canvas.stamp(dice, _clutter(dice, canvas.side), canvas.anywhere(dice))
    wanted = options.objects[0] + dice.below(options.objects[1] - options.objects[0] + 1)
    for _ in range(wanted):
        label = _class(dice, len(options.digits), options.tail)
        numbers = pictures_of(options.digits[label], options.validation)
        canvas.place(dice, _digit(dice, int(numbers[dice.below(len(numbers))]), canvas.side), label)
    for _ in range(round(dice(0, 4) * amount)):
        canvas.stamp(dice, _stroke(dice, canvas.side * 0.7), canvas.anywhere(dice))
    return canvas.develop(dice)


@lru_cache(maxsize=2048)
def draw_once(options: SceneOptions, index: int) -> Scene:
    """Like `draw`, but remembers the last 2,048 scenes (about 70 kB each at 128x128)."""
    return draw(options, index)


class _Dice:
    """Random numbers from the raw bits of PCG64."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def __call__(self, low: float = 0.0, high: float = 1.0) -> float:
        return low + (high - low) * ((int(self._bits.random_raw()) >> 11) * 2.0**-53)

    def below(self, count: int) -> int:
        return int(self() * count)

    def sign(self) -> int:
        return 1 if self() < 0.5 else -1

    def direction(self, low: float = 0.0, high: float = 2 * math.pi) -> tuple[float, float]:
        """Cosine and sine of an angle, rounded since the last bit differs between C libraries."""
        angle = self(low, high)
        return round(math.cos(angle), 6), round(math.sin(angle), 6)

    def field(self, *shape: int) -> np.ndarray:
        """Uniform float32 in [0, 1), 256 levels."""
        count = math.prod(shape)
        raw = self._bits.random_raw((count + 7) // 8).astype("<u8").view(np.uint8)
        return (raw[:count] * np.float32(1 / 256)).reshape(shape)


def _class(dice: _Dice, count: int, tail: float) -> int:
    """A class of a digit; each one is rarer than the one before by the same factor."""
    if tail == 1:
        return dice.below(count)
    shares = [tail ** (-number / max(count - 1, 1)) for number in range(count)]
    drawn = dice(0, sum(shares))
    for number, share in enumerate(shares):
        drawn -= share
        if drawn < 0:
            return number
    return count - 1


class _Canvas:
    """The image being drawn, and which digit owns each pixel (-1: none)."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.side = float(min(image.shape[:2]))
        self.owner = np.full(image.shape[:2], -1, np.int8)
        self.areas: list[int] = []
        self.labels: list[int] = []

    def anywhere(self, dice: _Dice) -> tuple[float, float]:
        height, width = self.owner.shape
        return dice(0, width), dice(0, height)

    def place(self, dice: _Dice, alpha: np.ndarray, label: int) -> None:
        """Stamp a digit completely inside the image, or not at all when there is no room."""
        rows, columns = _extent(alpha)
        alpha = alpha[rows, columns]
        height, width = self.owner.shape
        if alpha.shape[0] > height or alpha.shape[1] > width or len(self.labels) == 127:
            return
        for _ in range(_PLACE_TRIALS):
            left = dice.below(width - alpha.shape[1] + 1)
            top = dice.below(height - alpha.shape[0] + 1)
            center = left + alpha.shape[1] / 2, top + alpha.shape[0] / 2
            if self.stamp(dice, alpha, center, owner=len(self.labels)):
                self.areas.append(int((alpha > 0.5).sum()))
                self.labels.append(label)
                return

    def stamp(
        self, dice: _Dice, alpha: np.ndarray, center: tuple[float, float], owner: int = -1
    ) -> bool:
        """Paint `alpha` in a random color around `center` unless it hides too much of a digit."""
        top = int(center[1] - alpha.shape[0] / 2)
        left = int(center[0] - alpha.shape[1] / 2)
        height, width = self.owner.shape
        y1, x1 = max(top, 0), max(left, 0)
        y2, x2 = min(top + alpha.shape[0], height), min(left + alpha.shape[1], width)
        if y2 <= y1 or x2 <= x1:
            return False
        alpha = alpha[y1 - top : y2 - top, x1 - left : x2 - left]
        window = (slice(y1, y2), slice(x1, x2))
        solid = alpha > 0.5
        if self._hides_too_much(window, solid):
            return False
        self.owner[window][solid] = owner
        pixels = self.image[window]
        color = dice.field(3) * 255 if owner < 0 else _bright(dice, pixels)
        pixels += (alpha * np.float32(dice(0.8, 1.0)))[..., None] * (color - pixels)
        return True

    def _hides_too_much(self, window: tuple[slice, slice], solid: np.ndarray) -> bool:
        if not self.areas:
            return False
        covered = np.bincount(self.owner[window][solid].astype(np.int64) + 1)
        if not covered[1:].any():
            return False
        left = np.bincount(self.owner.ravel().astype(np.int64) + 1, minlength=len(self.areas) + 1)
        left[: len(covered)] -= covered
        kept = np.asarray(self.areas) * (1 - MAX_HIDDEN)
        return bool((left[1:] < kept).any())

    def develop(self, dice: _Dice) -> Scene:
        """Exposure and sensor noise, then 8 bits."""
        height, width = self.owner.shape
        image = self.image
        image *= np.float32(dice(0.8, 1.15))
        image += np.float32(dice(-12, 12))
        strength = np.float32(dice(4, 18))
        image += ((dice.field(height, width) - np.float32(0.5)) * strength)[..., None]
        image += (dice.field(height, width, 3) - np.float32(0.5)) * strength
        np.clip(image, 0, 255, out=image)
        masks = self.owner[None] == np.arange(len(self.labels), dtype=np.int8)[:, None, None]
        pixels = (image + np.float32(0.5)).astype(np.uint8)
        return Scene(pixels, np.asarray(self.labels, np.int64), masks)


def _background(dice: _Dice, height: int, width: int) -> np.ndarray:
    """A gradient between two colors with coarse color clouds and a finer gray texture."""
    first, second = dice.field(3) * 130 + 15, dice.field(3) * 130 + 15
    cos, sin = dice.direction()
    x = np.arange(width, dtype=np.float32) * np.float32(cos / width)
    y = np.arange(height, dtype=np.float32) * np.float32(sin / height)
    ramp = (x[None] + y[:, None]) * np.float32(0.5) + np.float32(0.5)
    image = first + ramp[..., None] * (second - first)
    image += _clouds(dice, (height, width), 4, 3) * np.float32(dice(15, 60))
    image += _clouds(dice, (height, width), 12 + dice.below(20), 1) * np.float32(dice(8, 40))
    return image


def _clouds(dice: _Dice, size: tuple[int, int], cells: int, channels: int) -> np.ndarray:
    """Bilinear interpolation of a random grid, zero on average."""
    grid = dice.field(cells + 1, cells + 1, channels) - np.float32(0.5)
    for axis, length in enumerate(size):
        position = np.arange(length, dtype=np.float32) * np.float32(cells / length)
        start = position.astype(np.int64)
        shape = (1,) * axis + (length,) + (1,) * (2 - axis)
        weight = (position - start.astype(np.float32)).reshape(shape)
        low, high = grid.take(start, axis), grid.take(start + 1, axis)
        grid = low + weight * (high - low)
    return grid


def _bright(dice: _Dice, pixels: np.ndarray) -> np.ndarray:
    """A light color, at least 70 of 255 brighter than what is there or the best of six tries."""
    rows, columns = pixels.shape[:2]
    spots = [pixels[rows * k // 4, columns * k // 4] for k in (1, 2, 3)]
    ground = sum(float(spot[0]) + float(spot[1]) + float(spot[2]) for spot in spots) / 9
    best, gap = pixels[0, 0], -256.0
    for _ in range(6):
        color = 255 - dice.field(3) * np.float32(130)
        distance = float(color[0] + color[1] + color[2]) / 3 - ground
        if distance > gap:
            best, gap = color, distance
        if gap >= 70:
            break
    return best


def _grid(reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centers (x, y) of a square patch, relative to its middle."""
    half = math.ceil(reach)
    line = np.arange(-half, half, dtype=np.float32) + np.float32(0.5)
    return line[None], line[:, None]


def _digit(dice: _Dice, number: int, side: float) -> np.ndarray:
    """The ink of a glyph after random size, aspect, rotation and shear, sampled bilinearly."""
    height = dice(0.22, 0.44) * side
    aspect, shear = dice(0.85, 1.2), dice(-0.2, 0.2)
    cos, sin = dice.direction(-0.3, 0.3)
    ink = glyphs()[0][number]
    x, y = _grid(height * 0.8)
    scale = 32 / height
    v = (cos * y - sin * x) * np.float32(scale)
    u = (cos * x + sin * y) * np.float32(scale * aspect) + v * np.float32(shear)
    u = np.clip(u + np.float32(GLYPH / 2 - 0.5), 0, GLYPH - 1.001)
    v = np.clip(v + np.float32(GLYPH / 2 - 0.5), 0, GLYPH - 1.001)
    column, row = u.astype(np.int64), v.astype(np.int64)
    u -= column.astype(np.float32)
    v -= row.astype(np.float32)
    flat, corner = ink.ravel(), row * GLYPH + column
    upper = flat[corner] + u * (flat[corner + 1] - flat[corner])
    corner += GLYPH
    lower = flat[corner] + u * (flat[corner + 1] - flat[corner])
    value = upper + v * (lower - upper)
    t = np.clip((value - np.float32(0.3)) * np.float32(3.5), 0, 1)
    return t * t * (3 - 2 * t)


def _extent(alpha: np.ndarray) -> tuple[slice, slice]:
    solid = alpha > 0.02
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _clutter(dice: _Dice, side: float) -> np.ndarray:
    kind = dice.below(5)
    if kind == 0:
        return _blob(dice, side)
    return _frame(dice, side) if kind == 1 else _stroke(dice, side)


def _stroke(dice: _Dice, side: float) -> np.ndarray:
    """An arc or a line about as thick as the digits' strokes."""
    radius, thick = dice(0.05, 0.18) * side, dice(0.012, 0.035) * side
    x, y = _grid(radius + thick + 1)
    cos, sin = dice.direction()
    along, across = cos * x + sin * y, cos * y - sin * x
    if dice() < 0.4:
        beyond = np.maximum(np.abs(along) - np.float32(radius), 0)
        distance = np.sqrt(beyond * beyond + across * across)
    else:
        distance = np.abs(np.sqrt(x * x + y * y) - np.float32(radius))
        gap = (np.float32(dice(-0.6, 0.9) * radius) - along).clip(min=0)
        distance = distance + gap
    return np.clip(np.float32(thick + 0.5) - distance, 0, 1)


def _blob(dice: _Dice, side: float) -> np.ndarray:
    """A filled ellipse."""
    long, short = dice(0.05, 0.2) * side, dice(0.03, 0.1) * side
    x, y = _grid(max(long, short) + 1)
    cos, sin = dice.direction()
    u = (cos * x + sin * y) * np.float32(1 / long)
    v = (cos * y - sin * x) * np.float32(1 / short)
    return np.clip((1 - np.sqrt(u * u + v * v)) * np.float32(min(long, short)) + 0.5, 0, 1)


def _frame(dice: _Dice, side: float) -> np.ndarray:
    """The outline of a rectangle."""
    half_u, half_v = dice(0.05, 0.2) * side, dice(0.05, 0.2) * side
    thick = dice(0.01, 0.03) * side
    x, y = _grid(math.hypot(half_u, half_v) + thick + 1)
    cos, sin = dice.direction()
    u = np.abs(cos * x + sin * y) - np.float32(half_u)
    v = np.abs(cos * y - sin * x) - np.float32(half_v)
    return np.clip(np.float32(thick + 0.5) - np.abs(np.maximum(u, v)), 0, 1)
