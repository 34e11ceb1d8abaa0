"""How a label map encodes its classes: palette numbers, gray values or colors."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ..labels import IGNORE
from .files import load_json, read_lines, read_text
from .issues import DataError, Issue, raise_data_error
from .options import option

_UNKNOWN = -1
_SHOWN_COLORS = 30
# What to do about a label map of another size than its image.
OTHER_SIZE = (
    "Export it again; where only the scale differs: "
    "ssdet convert FOLDER --to masks --fit --out MAPS"
)
Color = tuple[int, int, int]


@dataclass(frozen=True)
class MaskEncoding:
    """Labels of the pixels of a PNG: class numbers, or `IGNORE`.

    Args:
        count: Number of classes.
        values: Palette number or gray value -> label. Empty: the value is the label.
        colors: Color -> label, for maps in RGB.
    """

    count: int
    values: Mapping[int, int] = field(default_factory=dict)
    colors: Mapping[Color, int] = field(default_factory=dict)

    def decode(self, path: Path | str, file: BinaryIO | None = None) -> np.ndarray:
        """The labels (height, width), uint8; `DataError` names values that belong to no class.

        `file` is the content of what has no path but an address.
        """
        raw = self._raw(path, file)
        labels = self._table()[raw]
        if labels.min(initial=0) < 0:
            self._refuse(raw, labels == _UNKNOWN, path)
        return labels.astype(np.uint8)

    def labels_in(self, path: Path) -> set[int]:
        """Classes that occur in a label map."""
        counts = np.bincount(self.decode(path).ravel(), minlength=IGNORE + 1)
        return {int(label) for label in np.flatnonzero(counts) if label != IGNORE}

    def _raw(self, path: Path | str, file: BinaryIO | None) -> np.ndarray:
        """Values, or packed colors, of an image."""
        image = open_map(path, file)
        if self.colors:
            red, green, blue = (np.asarray(b, np.int64) for b in image.convert("RGB").split())
            return red << 16 | green << 8 | blue
        values = np.asarray(image)
        if values.ndim == 3 and (values[..., :1] == values[..., :3]).all():
            values = values[..., 0]  # gray, saved as RGB
        if values.ndim == 3:
            raise_data_error(
                "label map in colors",
                path,
                found=f"an image of mode {image.mode} with {_told_colors(values)}",
                allowed="palette or gray PNG; colors where the classes have them",
                advice="Give the colors, in a file with lines `name red green blue`: "
                + option("colors", metavar="FILE"),
            )
        return np.clip(values.astype(np.int64), 0, 65535)

    def _table(self) -> np.ndarray:
        if self.colors:
            packed = tuple((r << 16 | g << 8 | b, n) for (r, g, b), n in self.colors.items())
            return _lookup(1 << 24, packed)
        plain = {label: label for label in (*range(self.count), IGNORE)}
        return _lookup(1 << 16, tuple((self.values or plain).items()))

    def _refuse(self, raw: np.ndarray, unknown: np.ndarray, path: Path | str) -> None:
        values, counts = np.unique(raw[unknown], return_counts=True)
        first = int(values[0])
        what = f"color {(first >> 16, first >> 8 & 255, first & 255)}" if self.colors else first
        known = self.colors or self.values or f"0 ... {self.count - 1} and {IGNORE} (ignored)"
        raise DataError(
            Issue(
                "label map with an unknown value",
                str(path),
                f"{what} in {counts[0]} pixels, {len(values)} unknown values in all",
                known if isinstance(known, str) else ", ".join(map(str, list(known)[:30])),
                "Give all classes in the order of their values, or map values with "
                f"{option('values')}; if it is no class, leave it out: "
                f"{option('ignore', 'VALUE' if self.colors else first)}",
                left_out=True,
            )
        )


def _told_colors(values: np.ndarray) -> str:
    """The colors of a map as a file of them names them, for the user to give them names."""
    colors = np.unique(values[..., :3].reshape(-1, 3), axis=0)
    if len(colors) > _SHOWN_COLORS:
        return f"{len(colors)} colors"
    return "the colors " + ", ".join(" ".join(map(str, color)) for color in colors.tolist())


@lru_cache(maxsize=4)
def _lookup(size: int, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    table = np.full(size, _UNKNOWN, dtype=np.int16)
    for value, label in pairs:
        table[value] = label
    return table


def open_map(path: Path | str, file: BinaryIO | None = None) -> Image.Image:
    """A label map, decoded; `DataError` if it is none."""
    try:
        image = Image.open(path if file is None else file)
        image.load()
    except FileNotFoundError:
        cause = "no such file"
    except Exception as error:  # decoders fail in many ways
        size = os.path.getsize(path) if file is None else file.seek(0, os.SEEK_END)
        cause = f"{size} bytes that do not decode ({type(error).__name__}: {error})"
    else:
        return image
    advice = "Replace it by a whole copy, or take its image out of the list"
    issue = Issue("unreadable label map", str(path), cause, "a PNG", advice, left_out=True)
    raise DataError(issue)


def read_classes(path: Path) -> tuple[tuple[str, ...], dict[Color, int]]:
    """Names and colors of classes, in order.

    A JSON list (or object `{"classes": [...]}`), or lines `name`, `name red green blue` or
    `red green blue name`; commas, too.
    """
    if path.suffix == ".json":
        text = read_text(path).lstrip()
        content = load_json(path).get("classes") if text.startswith("{") else _json_list(text)
        listed = content if isinstance(content, list) else []
        rows: list[tuple[str, Color | None]] = [(str(name), None) for name in listed]
    else:
        rows = [_row(line) for _, line in read_lines(path)]
        if len(rows) > 1 and rows[0][1] is None and all(color for _, color in rows[1:]):
            rows = rows[1:]  # a heading: `name,r,g,b`
    names = [name for name, _ in rows]
    if not names or len(set(names)) < len(names):
        raise_data_error(
            "class file without usable names",
            path,
            found=names or "no name",
            allowed="unique names, one per line",
            advice="Write them in the order of the labels",
        )
    return tuple(names), {color: n for n, (_, color) in enumerate(rows) if color}


def _json_list(text: str) -> Sequence[object]:
    import json

    try:
        content = json.loads(text)
    except ValueError:
        return []
    return content if isinstance(content, list) else []


def _row(line: str) -> tuple[str, Color | None]:
    color = r"(?P<r>\d{1,3})[\s,]+(?P<g>\d{1,3})[\s,]+(?P<b>\d{1,3})"
    match = re.fullmatch(rf"(?P<name>.*?)[\s,:]+{color}[\s,:]*", line)
    match = match or re.fullmatch(rf"{color}[\s,:]+(?P<name>.*?)", line)
    if match is None:
        return line, None
    red, green, blue = (min(int(match[key]), 255) for key in "rgb")
    return match["name"], (red, green, blue)
