"""CVAT for images 1.1: one xml file with boxes, polygons, ellipses and masks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .annotations import Annotations, ImageRecord, Instance, Names, Reading, check_box, parse, sides
from .files import Node, load_xml
from .issues import Issues, raise_data_error
from .paths import find_files, tidy
from .segments import bounds, check_segmentation, ellipse, encode, rotate

Parsed = tuple[list[float | None], object]  # edges of the box, segmentation
_OTHER = ("polyline", "points", "cuboid", "skeleton", "tag")


def read_cvat(source: Path, reading: Reading) -> Annotations:
    """Read an `annotations.xml` (or a folder with one); images are in `images/` beside it."""
    file = _file_of(source)
    top = load_xml(file)
    if top.tag != "annotations" or top.all("track"):
        found = "tracks of a video" if top.all("track") else f"<{top.tag}>"
        raise_data_error(
            "not 'CVAT for images 1.1'",
            f"{file}, line {top.line}",
            found=found,
            allowed="<annotations> with <image> elements",
            advice="Export the task again in the format 'CVAT for images 1.1'",
        )
    folder = file.parent / "images"
    images = reading.images or (folder if folder.is_dir() else file.parent)
    names = Names(reading.classes or _declared(top), reading.issues)
    records: dict[str, ImageRecord] = {}
    for node in top.all("image"):
        record = _record(node, file, reading)
        if record:
            _add_shapes(record, node, file, names, reading.issues)
            records[record.name] = record
    if not records:
        reading.issues.raise_empty(
            "no image",
            file,
            found="no usable <image>",
            allowed="at least one",
            advice="Check that this is the right export",
        )
    usable = list(records.values())
    classes = names.finish(usable)
    return Annotations(source, images, classes, usable, issues=reading.issues.found)


def _file_of(source: Path) -> Path:
    if not source.is_dir():
        return source
    found = find_files(source, ".xml")
    if len(found) != 1:
        raise_data_error(
            "folder without a single CVAT file",
            source,
            found=f"{len(found)} .xml files",
            allowed="annotations.xml",
            advice="Give the file itself",
        )
    return found[0]


def _declared(top: Node) -> tuple[str, ...]:
    """The labels of the task, job or project, in their order there."""
    for place in ("task", "job", "project"):
        labels = top.child(f"meta/{place}/labels")
        if labels:
            names = [label.value("name") or "" for label in labels.all("label")]
            return tuple(dict.fromkeys(name for name in names if name))
    return ()


def _record(node: Node, file: Path, reading: Reading) -> ImageRecord | None:
    where = f"{file}, line {node.line}"
    name = tidy(node.attributes.get("name"), where)
    stated = [node.attributes.get(side) for side in ("width", "height")]
    size = sides(*stated)
    if size is None:
        reading.issues.leave_out(
            "image without a usable size",
            where,
            found=f"width, height {stated}",
            allowed="numbers above 0",
            advice="Export the task again",
        )
        return None
    return ImageRecord(name, *size, where=where)


def _add_shapes(record: ImageRecord, node: Node, file: Path, names: Names, issues: Issues) -> None:
    for shape in node.children:
        where = f"{file}, line {shape.line}"
        if shape.tag in _OTHER:
            issues.warn(
                f"{shape.tag} (left out)",
                where,
                found=f"<{shape.tag}>",
                allowed=", ".join(SHAPES),
                advice="Draw an outline",
            )
        if shape.tag not in SHAPES:
            continue
        try:
            edges, segmentation = SHAPES[shape.tag](shape, record)
        except (KeyError, TypeError, ValueError, IndexError):
            issues.leave_out(
                f"malformed {shape.tag}",
                where,
                found=shape.attributes,
                allowed="the attributes that CVAT writes, with finite numbers",
                advice="Correct or remove the shape",
            )
            continue
        box = check_box(edges, record, where, issues, shape.attributes)
        good, outline = check_segmentation(segmentation, record, where, issues)
        label = names.index(shape.attributes.get("label"), where)
        if box is not None and good and label is not None:
            record.instances.append(Instance(label, box, outline))


def _numbers(shape: Node, *keys: str) -> list[float]:
    values = [parse(shape.attributes[key]) for key in keys]
    if None in values:
        raise ValueError
    return [value for value in values if value is not None]


def _box(shape: Node, record: ImageRecord) -> Parsed:
    x1, y1, x2, y2 = _numbers(shape, "xtl", "ytl", "xbr", "ybr")
    turn = parse(shape.attributes.get("rotation", "0")) or 0.0
    if not turn:
        return [x1, y1, x2, y2], None
    corners = rotate([x1, y1, x2, y1, x2, y2, x1, y2], ((x1 + x2) / 2, (y1 + y2) / 2), turn)
    return list(bounds([corners], 0, 0) or ()), [corners]


def _polygon(shape: Node, record: ImageRecord) -> Parsed:
    pairs = [pair.split(",") for pair in shape.attributes["points"].split(";")]
    values = [parse(text) for x, y in pairs for text in (x, y)]
    if len(values) < 6 or None in values:
        raise ValueError
    polygon = [value for value in values if value is not None]
    return list(bounds([polygon], 0, 0) or ()), [polygon]


def _ellipse(shape: Node, record: ImageRecord) -> Parsed:
    cx, cy, rx, ry = _numbers(shape, "cx", "cy", "rx", "ry")
    polygon = ellipse(cx, cy, rx, ry, parse(shape.attributes.get("rotation", "0")) or 0.0)
    return list(bounds([polygon], 0, 0) or ()), [polygon]


def _mask(shape: Node, record: ImageRecord) -> Parsed:
    """Runs row by row inside a window, background first."""
    left, top, width, height = map(int, _numbers(shape, "left", "top", "width", "height"))
    runs = [int(text) for text in shape.attributes["rle"].split(",")]
    whole = np.zeros((record.height or 0, record.width or 0), dtype=bool)
    window = whole[max(top, 0) : top + height, max(left, 0) : left + width]
    if window.shape != (height, width) or min(runs) < 0 or sum(runs) != window.size:
        raise ValueError
    window[...] = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    code = encode(whole)
    return list(bounds(code, *whole.shape) or (0.0, 0.0, 0.0, 0.0)), code


SHAPES: dict[str, Callable[[Node, ImageRecord], Parsed]] = {
    "box": _box,
    "polygon": _polygon,
    "ellipse": _ellipse,
    "mask": _mask,
}
