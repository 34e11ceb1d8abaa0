"""What a user says about the classes of label maps: names, gray values, colors, what to ignore."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..labels import IGNORE
from .encoding import Color, MaskEncoding, read_classes
from .files import read_lines
from .issues import raise_data_error
from .options import option

Values = Sequence[int | Sequence[int]]  # of each class: one value, or several
# Where data sets keep the names of the classes of their label maps.
_FILES = (
    "classes.txt", "classes.json", "class_dict.csv", "classes.csv", "label_colors.txt",
    "colors.txt", "labelmap.txt",
)  # fmt: skip


@dataclass(frozen=True)
class Declared:
    """What a file beside the data says about the classes."""

    names: tuple[str, ...] = ()
    colors: Mapping[Color, int] = field(default_factory=dict)
    values: Mapping[int, int] = field(default_factory=dict)


def class_settings(
    classes: Path | Sequence[str] | None,
    values: Values | None = None,
    *,
    colors: Path | None = None,
    ignore: Sequence[int | str] = (),
    reduce_zero_label: bool = False,
) -> dict[str, Any]:
    """Fields of `Reading` from what a user says about classes.

    Args:
        classes: A file of names (and colors), or the names.
        values: Gray values in the order of the classes; several for one class are a sequence.
        colors: A file of names and colors.
        ignore: Gray values, or names of classes, that are neither learned nor evaluated.
        reduce_zero_label: Value 0 is ignored, and 1 is the first class.
    """
    names: tuple[str, ...] = ()
    found: Mapping[Color, int] = {}
    for file in (classes, colors):
        if isinstance(file, Path):
            names, found = read_classes(file)
        elif file is not None:
            names = tuple(file)
    if colors is not None and not found:
        raise_data_error(
            "class file without colors",
            colors,
            found=", ".join(names[:5]),
            allowed="lines `name red green blue`",
            advice="Add the colors, or give the gray values with " + option("values"),
        )
    said: dict[str, Any] = {"classes": names, **({"colors": found} if found else {})}
    if values:
        said["encoding"] = encoding_of(values)
        said["classes"] = names or tuple(map(str, range(len(values))))
    if ignore:
        said["ignore"] = tuple(ignore)
    return {**said, **({"reduce_zero_label": True} if reduce_zero_label else {})}


def encoding_of(
    values: Values | None = None,
    colors: Sequence[Any] | None = None,
    ignore: Iterable[Any] = (),
) -> MaskEncoding:
    """An encoding as a config says it; the reverse of `encoding_settings`."""
    if colors is not None:
        table = {tuple(c): n for n, entry in enumerate(colors) for c in several(entry)}
        return MaskEncoding(len(colors), colors={**table, **{tuple(c): IGNORE for c in ignore}})
    labels = {v: n for n, entry in enumerate(values or ()) for v in _list(entry)}
    ignored = dict.fromkeys((IGNORE, *ignore), IGNORE)
    return MaskEncoding(len(values or ()), {**ignored, **labels})


def encoding_settings(encoding: MaskEncoding) -> dict[str, Any]:
    """Arguments that make this encoding again; none where a value is its label."""
    table: Mapping[Any, int] = encoding.colors or encoding.values
    if not table:
        return {}
    of_class: list[list[Any]] = [[] for _ in range(encoding.count)]
    ignored: list[Any] = []
    for raw, label in table.items():
        (ignored if label == IGNORE else of_class[label]).append(raw)
    key = "colors" if encoding.colors else "values"
    plain = [raw for raw in ignored if raw != IGNORE]
    shown = [raws[0] if len(raws) == 1 else raws for raws in of_class]
    return {key: shown, **({"ignore": plain} if plain else {})}


def settle(
    names: tuple[str, ...],
    encoding: MaskEncoding,
    ignore: Sequence[int | str],
) -> tuple[tuple[str, ...], MaskEncoding]:
    """Names and encoding without the classes that are ignored; the others close the gaps."""
    if not ignore:
        return names, encoding
    table: dict[Any, int] = dict(encoding.colors or encoding.values)
    if not table:
        table = {label: label for label in (*range(encoding.count), IGNORE)}
    for item in ignore:
        if isinstance(item, int) and not encoding.colors:
            table[item] = IGNORE
        elif item in names:
            label = names.index(str(item))
            table = {raw: IGNORE if old == label else old for raw, old in table.items()}
        else:
            raise_data_error(
                "ignored class that is not there",
                option("ignore", item),
                found=item,
                allowed="a gray value, or one of " + ", ".join(names),
                advice="Names are case-sensitive",
            )
    kept = sorted({label for label in table.values() if label != IGNORE})
    table = {raw: kept.index(old) if old != IGNORE else old for raw, old in table.items()}
    kind = "colors" if encoding.colors else "values"
    left = tuple(names[label] for label in kept)
    return left, MaskEncoding(len(left), **{kind: table})


def zero_ignored(
    names: tuple[str, ...], highest: Callable[[], int]
) -> tuple[tuple[str, ...], MaskEncoding]:
    """Value 0 ignored and 1 the first class, as MMSegmentation's `reduce_zero_label`."""
    names = names or tuple(str(value) for value in range(1, highest() + 1))
    return names, encoding_of(range(1, len(names) + 1), ignore=(0,))


def declared(*folders: Path) -> Declared:
    """What a file in one of the folders says about the classes of label maps."""
    for folder in folders:
        for name in _FILES:
            if (folder / name).is_file():
                names, colors = read_classes(folder / name)
                return Declared(names, colors)
        if (folder / "_classes.csv").is_file():  # Roboflow: `Pixel Value, Class`
            return _pixel_values(folder / "_classes.csv")
    return Declared()


def _pixel_values(path: Path) -> Declared:
    rows = [re.fullmatch(r"(\d+)\s*,\s*(.+)", text) for _, text in read_lines(path)]
    pairs = [(int(row[1]), row[2].strip()) for row in rows if row]
    names = tuple(name for _, name in pairs)
    return Declared(names, values={value: n for n, (value, _) in enumerate(pairs)})


def _list(entry: int | Sequence[int]) -> Sequence[int]:
    return (entry,) if isinstance(entry, int) else entry


def several(entry: Sequence[Any]) -> Sequence[Any]:
    """The colors of a class, of which there may be one."""
    return entry if entry and not isinstance(entry[0], int) else (entry,)
