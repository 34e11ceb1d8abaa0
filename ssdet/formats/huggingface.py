"""Image folders of Hugging Face: metadata.jsonl or metadata.csv beside the images."""

import csv
import io
import json
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from .annotations import Annotations, ImageRecord, Instance, Names, Reading, check_box, number
from .files import LARGEST_YAML, YAML_ERRORS, NoAliases, read_lines, read_text
from .issues import DataError, Issues, raise_data_error
from .masks import Pair, read_pairs
from .paths import image_size, is_image, need_folder

Row = tuple[str, dict[str, Any]]  # (place, columns)
_CATEGORIES = ("categories", "category", "label", "labels", "class", "category_id")


def read_huggingface(source: Path, reading: Reading) -> Annotations:
    """Read a folder with a metadata file; `reading.split` is a subfolder with one of its own.

    The column `objects` holds `bbox` ([x, y, width, height] in pixels) and `categories` (names, or
    numbers of the class names in README.md). Where there is none, another column with names of
    images is that of the label maps.
    """
    folder = need_folder(source / reading.split if reading.split else source, "image folder")
    file, rows = _table(folder)
    root = reading.root(reading.images or folder)
    if not any("objects" in columns for _, columns in rows):
        return _with_maps(folder, file, rows, reading)
    stated = reading.classes or _class_names(folder)
    names, records = Names((), reading.issues), []
    for where, columns in rows:
        name = posixpath.normpath(str(columns.get("file_name")))
        try:
            record = ImageRecord(name, *image_size(root.path(name, where), where), where=where)
        except DataError as error:
            reading.issues.found.extend(error.issues)
            continue
        _add_objects(record, columns.get("objects"), stated, names, reading.issues)
        records.append(record)
    if not records:
        reading.issues.raise_empty(
            "no image", file, found="none", allowed="at least one", advice="Check the folder"
        )
    classes = names.finish(records)
    if stated:
        _renumber(records, classes, stated)
    return Annotations(source, root.folder, stated or classes, records, issues=reading.issues.found)


def _table(folder: Path) -> tuple[Path, list[Row]]:
    files = [folder / f"metadata{suffix}" for suffix in (".jsonl", ".csv")]
    file = next((path for path in files if path.is_file()), None)
    if file is None:
        raise_data_error(
            "no metadata of a Hugging Face image folder", folder, found="neither of them",
            allowed="metadata.jsonl or metadata.csv", advice="Check the folder, or name its part",
        )  # fmt: skip
    if file.suffix == ".csv":
        table = csv.DictReader(io.StringIO(read_text(file)))
        try:
            return file, [(f"{file}, line {table.line_num}", _columns(row)) for row in table]
        except csv.Error as error:
            raise_data_error(
                "not a table", f"{file}, line {table.line_num}", found=error, allowed="CSV",
                advice="The file may be cut off: download it again",
            )  # fmt: skip
    return file, [
        (f"{file}, line {n}", _object(text, f"{file}, line {n}")) for n, text in read_lines(file)
    ]


def _columns(row: dict[Any, Any]) -> dict[str, Any]:
    """A row by the names of its columns; cells beyond the last column have none."""
    return {key: value for key, value in row.items() if isinstance(key, str)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise_data_error(
            "not a JSON line", where, found=error, allowed="an object {...}",
            advice="The file may be cut off: download it again",
        )  # fmt: skip
    return value if isinstance(value, dict) else {}


def _add_objects(
    record: ImageRecord, objects: Any, stated: Sequence[str], names: Names, issues: Issues
) -> None:
    if isinstance(objects, str):
        objects = _object(objects, record.where)
    if isinstance(objects, list):  # one object each, instead of one list for each column
        entries = [entry if isinstance(entry, dict) else {} for entry in objects]
        key = next((k for k in _CATEGORIES if entries and k in entries[0]), "")
        pairs = [(entry.get("bbox"), entry.get(key)) for entry in entries]
    else:
        columns = objects if isinstance(objects, dict) else {}
        key = next((k for k in _CATEGORIES if k in columns), "")
        boxes = _list(columns.get("bbox")) or _list(columns.get("bboxes"))
        pairs = list(zip(boxes, _list(columns.get(key)) or [None] * len(boxes), strict=False))
    for position, (bbox, category) in enumerate(pairs):
        where = f"{record.where}, object {position}"
        sides: list[float | None] = [None]
        if isinstance(bbox, list) and len(bbox) == 4:
            sides = [number(side) for side in bbox]
        if None not in sides:
            x, y, w, h = (float(side or 0) for side in sides)
            sides = [x, y, x + w, y + h]
        box = check_box(sides, record, where, issues, bbox)
        label = names.index(_class(category, stated, where, issues), where)
        if box is not None and label is not None:
            record.instances.append(Instance(label, box))


def _class(category: Any, stated: Sequence[str], where: str, issues: Issues) -> str | None:
    if isinstance(category, int) and stated:
        return stated[category] if 0 <= category < len(stated) else None
    return None if category is None else str(category)


def _renumber(records: list[ImageRecord], classes: Sequence[str], stated: Sequence[str]) -> None:
    """Labels in the order that the data set states, not in that of the alphabet."""
    unknown = [name for name in classes if name not in stated]
    if unknown:
        raise_data_error(
            "unknown class", records[0].where, found=", ".join(unknown), allowed=", ".join(stated),
            advice="Names are case-sensitive; add it to the classes or rename it",
        )  # fmt: skip
    for record in records:
        for instance in record.instances:
            instance.label = list(stated).index(classes[instance.label])


def _class_names(folder: Path) -> tuple[str, ...]:
    """Names of the class labels in the header of the README.md, here or a folder above."""
    for readme in (
        folder / "README.md",
        folder.parent / "README.md",
        folder.parent.parent / "README.md",
    ):
        if readme.is_file():
            parts = read_text(readme).split("---")
            usable = len(parts) > 2 and len(parts[1]) <= LARGEST_YAML
            try:
                header = yaml.load(parts[1], NoAliases) if usable else None
            except YAML_ERRORS:
                header = None
            return _labels_in(header)
    return ()


def _labels_in(node: Any) -> tuple[str, ...]:
    if isinstance(node, dict):
        names = (
            node["class_label"].get("names") if isinstance(node.get("class_label"), dict) else None
        )
        if names and isinstance(names, (dict, list)):
            return tuple(map(str, names.values() if isinstance(names, dict) else names))
        node = list(node.values())
    found = (_labels_in(part) for part in node) if isinstance(node, list) else ()
    return next(filter(None, found), ())


def _with_maps(folder: Path, file: Path, rows: list[Row], reading: Reading) -> Annotations:
    first = rows[0][1] if rows else {}
    keys = [key for key, value in first.items() if key != "file_name" and is_image(str(value))]
    if len(keys) != 1:
        raise_data_error(
            "no column of objects, and not one of label maps", file,
            found=", ".join(first), allowed="`objects`, or a column with names of label maps",
            advice="Labels of whole images cannot be learned by a detector or segmentor",
        )  # fmt: skip
    root = reading.root(folder)
    pairs = [
        Pair(root.path(row.get("file_name"), where),
             root.path(row[keys[0]], where) if row.get(keys[0]) else None, where)
        for where, row in rows
    ]  # fmt: skip
    return read_pairs(folder, folder, pairs, reading)
