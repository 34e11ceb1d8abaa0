"""Drawing the teacher's predictions on an image: NumPy arrays in and out, no randomness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from ...exits import writing

Style = Literal["kept", "unsure", "ignored", "dropped"]
Color = tuple[int, int, int]

# Told apart by readers with any kind of color vision, on dark and on light pictures.
PALETTE: tuple[Color, ...] = (
    (255, 159, 28), (46, 196, 182), (255, 84, 112), (120, 170, 255), (190, 242, 84),
    (217, 130, 255), (255, 221, 87), (64, 224, 255), (255, 140, 190), (160, 220, 160),
)  # fmt: skip
GRAY: Color = (188, 192, 200)
DPI = 100
TEXT_HEIGHT = 18


@dataclass
class BoxGroup:
    """Boxes that are drawn alike.

    Attributes:
        style: "kept" (solid), "unsure" (solid, thin), "ignored" (hatched) or "dropped" (dashed).
        bboxes: (N, 4) in pixels of the picture.
        texts: What is written at each box.
        colors: RGB of each box; gray for all if empty.
        masks: (N, H, W) bool, or None.
    """

    style: Style
    bboxes: np.ndarray
    texts: list[str] = field(default_factory=list)
    colors: list[Color] = field(default_factory=list)
    masks: np.ndarray | None = None


def class_colors(count: int, palette: Sequence[Sequence[int]] | None = None) -> list[Color]:
    """A color for each class: the data set's own, or a fixed list that repeats."""
    if palette is not None and len(palette) >= count:
        return [(int(r), int(g), int(b)) for r, g, b in palette[:count]]
    return [PALETTE[i % len(PALETTE)] for i in range(count)]


def draw_boxes(image: np.ndarray, groups: Sequence[BoxGroup], size: int = 360) -> np.ndarray:
    """An RGB picture (H, W, 3) with boxes, its longer side scaled to `size` pixels."""
    # Figures are used without pyplot: no global state, no display, nothing to close.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture, scale = fit(image, size)
    for group in groups:
        picture = _paint_masks(picture, group)
    height, width = picture.shape[:2]
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(picture, interpolation="nearest", extent=(0, width, height, 0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    for group in groups:
        for number in range(len(group.bboxes)):
            _draw_box(axes, group, number, scale)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def paint_pixels(
    image: np.ndarray,
    labels: np.ndarray,
    colors: Sequence[Color],
    *,
    kept: np.ndarray | None = None,
    size: int = 360,
) -> np.ndarray:
    """An RGB picture under the colors of its label map; what is not kept becomes gray stripes.

    A black class (the background) only dims the picture, and labels without a color show it.
    """
    picture, _ = fit(image, size)
    labels = _enlarge(labels, picture.shape)
    table = np.array([*colors, GRAY], dtype=np.float32)
    known = (labels >= 0) & (labels < len(colors))
    paint = table[np.where(known, labels, len(colors))]
    share = np.where(paint.any(-1), 0.62, 0.3)[..., None] * known[..., None]
    painted = picture * (1 - share) + paint * share
    if kept is not None:
        lost = ~_enlarge(kept, picture.shape).astype(bool)
        gray = picture.mean(-1, keepdims=True) * 0.55
        painted[lost] = (gray + 70 * _stripes(lost.shape)[..., None]).repeat(3, -1)[lost]
    return painted.clip(0, 255).astype(np.uint8)


def fit(image: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """The picture with its longer side scaled to `size`, and the factor."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return cv2.resize(image, shape, interpolation=way), scale


def save_jpeg(path: Path, picture: np.ndarray) -> None:
    """Write an RGB picture; the bytes decide, so that a strange name cannot change the format."""
    with writing(path):
        path.write_bytes(jpeg(picture))


def jpeg(picture: np.ndarray) -> bytes:
    """An RGB picture as the bytes of a JPEG file."""
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        raise OSError(f"a picture of shape {picture.shape} could not be encoded as JPEG")
    return data.tobytes()


def _draw_box(axes: Any, group: BoxGroup, number: int, scale: float) -> None:
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = (float(v) * scale for v in group.bboxes[number])
    color = tuple(v / 255 for v in (group.colors[number] if group.colors else GRAY))
    looks: dict[Style, dict[str, Any]] = {
        "kept": dict(linewidth=2.0),
        "unsure": dict(linewidth=1.1),
        "ignored": dict(linewidth=0.8, hatch="////"),
        "dropped": dict(linewidth=1.4, linestyle=(0, (4, 3))),
    }
    box = (x1, y1), x2 - x1, y2 - y1
    # A dark line beneath keeps the box visible on bright ground.
    under = 1.2 if group.style == "dropped" else 3.2
    axes.add_patch(Rectangle(*box, fill=False, edgecolor=(0, 0, 0, 0.45), linewidth=under))
    axes.add_patch(Rectangle(*box, fill=False, edgecolor=color, **looks[group.style]))
    if number < len(group.texts) and group.texts[number]:
        _write(axes, group.texts[number], (x1, y1, x2, y2), color, group.style)


def _write(
    axes: Any, text: str, box: tuple[float, float, float, float], color: Any, style: Style
) -> None:
    """Above a box that is kept, below one that is not, and inside where the picture ends."""
    x1, top, x2, bottom = box
    width, height = axes.get_xlim()[1], axes.get_ylim()[0]
    solid = style in ("kept", "unsure")
    if solid:
        y, side = (top - 1, "bottom") if top > TEXT_HEIGHT else (top + 1, "top")
    else:
        y, side = (bottom + 1, "top") if bottom < height - TEXT_HEIGHT else (bottom - 1, "bottom")
    at_right = x1 > 0.75 * width
    dark = np.dot(color, (0.299, 0.587, 0.114)) > 0.5
    axes.text(
        min(x2, width) if at_right else max(x1, 0),
        y,
        text,
        fontsize=9.5,
        horizontalalignment="right" if at_right else "left",
        verticalalignment=side,
        color="black" if solid and dark else "white",
        clip_on=True,
        parse_math=False,
        bbox=dict(
            boxstyle="square,pad=0.15",
            linewidth=0,
            facecolor=color if solid else (0, 0, 0),
            alpha=0.9 if solid else 0.55,
        ),
    )


def _paint_masks(picture: np.ndarray, group: BoxGroup) -> np.ndarray:
    if group.masks is None or not len(group.masks):
        return picture
    result = picture.astype(np.float32)
    for number, mask in enumerate(group.masks):
        inside = _enlarge(mask, picture.shape).astype(bool)
        color = np.array(group.colors[number] if group.colors else GRAY, dtype=np.float32)
        share = 0.45 if group.style in ("kept", "unsure") else 0.2
        result[inside] = result[inside] * (1 - share) + color * share
    return result.astype(np.uint8)


def _enlarge(map_: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    rows = np.arange(shape[0]) * map_.shape[0] // shape[0]
    columns = np.arange(shape[1]) * map_.shape[1] // shape[1]
    return map_[rows[:, None], columns[None]]


def _stripes(shape: Sequence[int]) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return ((rows + columns) % 12 < 3).astype(np.float32)
