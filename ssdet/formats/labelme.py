"""LabelMe: one json file for each image, with polygons, rectangles, circles and masks."""

import base64
import io
import math
import posixpath
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .annotations import (
    Annotations,
    ImageRecord,
    Instance,
    Names,
    Reading,
    check_box,
    number,
    sides,
)
from .files import load_json
from .issues import DataError, Issues, raise_data_error
from .paths import Root, find_files, image_size, need_folder
from .segments import bounds, check_segmentation, ellipse, encode

Points = list[tuple[float, float]]


def read_labelme(source: Path, reading: Reading) -> Annotations:
    """Read all json files below a folder; shapes of one class and `group_id` are one object.

    The image's name is relative to the json file, as LabelMe writes it. Images inside the json
    are not read. Points and lines are left out: they are not objects.
    """
    need_folder(source, "LabelMe data")
    root = reading.root(reading.images or source)
    names = Names(reading.classes, reading.issues)
    records = []
    for path in find_files(source, ".json"):
        try:
            content = load_json(path)
        except DataError as error:  # one image's file: the others can be used
            reading.issues.found.extend(replace(issue, left_out=True) for issue in error.issues)
            continue
        if "shapes" not in content or "imagePath" not in content:
            reading.issues.warn(
                "json file that LabelMe did not write",
                path,
                found=f"keys {', '.join(content)}",
                allowed="'shapes' and 'imagePath'",
                advice="Take it out of the folder",
            )
            continue
        record = _record(content, path, root, reading)
        if record:
            _add_shapes(record, content["shapes"], path, names, reading.issues)
            records.append(record)
    if not records:
        reading.issues.raise_empty(
            "no LabelMe annotation",
            source,
            found="no usable .json file",
            allowed="one json file for each image",
            advice="Check the folder",
        )
    classes = names.finish(records)
    return Annotations(source, root.folder, classes, records, issues=reading.issues.found)


def _record(
    content: dict[str, Any], path: Path, root: Root, reading: Reading
) -> ImageRecord | None:
    stated = content["imagePath"]
    folder = "" if reading.images else path.parent.relative_to(root.folder).as_posix()
    name = posixpath.join(folder, stated.replace("\\", "/")) if isinstance(stated, str) else stated
    file = root.path(name, f"{path}, imagePath")
    record = ImageRecord(root.relative(Path(posixpath.normpath(file.as_posix()))), where=str(path))
    size = sides(content.get("imageWidth"), content.get("imageHeight"))
    try:
        record.width, record.height = size or image_size(file, path)
    except DataError as error:
        reading.issues.found.extend(error.issues)
        return None
    return record


def _add_shapes(record: ImageRecord, shapes: Any, path: Path, names: Names, issues: Issues) -> None:
    if not isinstance(shapes, list):
        raise_data_error(
            "'shapes' is not a list",
            path,
            found=shapes,
            allowed="a list of shapes",
            advice="Save the file in LabelMe again",
        )
    groups: dict[tuple[str, Any], Instance] = {}
    for position, shape in enumerate(shapes):
        where = f"{path}, shapes[{position}]"
        shape = shape if isinstance(shape, dict) else {}
        segments = _segments(shape, record, where, issues)
        if segments is None:
            continue
        text = shape.get("label")
        label = names.index(text if isinstance(text, str) else None, where)
        instance = None if label is None else _instance(label, segments, record, where, issues)
        if instance is None:
            continue
        number_ = shape.get("group_id")
        group = (str(text), number_ if isinstance(number_, (int, str)) else None)
        if group[1] is not None and group in groups and _merge(groups[group], instance):
            continue
        groups[group] = instance
        record.instances.append(instance)


def _segments(shape: dict[str, Any], record: ImageRecord, where: str, issues: Issues) -> Any:
    """Polygons, run lengths, or a bare box (x1, y1, x2, y2); None if the shape is none of them."""
    kind = shape.get("shape_type") or "polygon"
    kind = kind if isinstance(kind, str) else "unknown"
    if kind in ("point", "points", "line", "linestrip"):
        issues.warn(
            f"{kind} (left out)",
            where,
            found=f"shape_type {kind!r}",
            allowed="polygon, rectangle, circle, mask",
            advice="Draw an outline",
        )
        return None
    points = _points(shape.get("points"))
    needed = {"polygon": 3, "rectangle": 2, "circle": 2, "mask": 2}.get(kind)
    if needed is None or len(points) < needed or (kind != "polygon" and len(points) != needed):
        issues.leave_out(
            "malformed shape",
            where,
            found=f"{kind} with points {shape.get('points')!r}",
            allowed="polygon of 3 or more points, or rectangle, circle, mask of 2; finite numbers",
            advice="Correct or remove the shape",
        )
        return None
    if kind == "polygon":
        return [[value for point in points for value in point]]
    (x1, y1), (x2, y2) = points[:2]
    if kind == "circle":
        radius = math.dist(points[0], points[1])
        return [ellipse(x1, y1, radius, radius)]
    if kind == "rectangle":
        return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
    return _mask(shape, round(min(x1, x2)), round(min(y1, y2)), record, where, issues)


def _points(value: Any) -> Points:
    points = []
    for point in value if isinstance(value, list) else []:
        pair = [number(v) for v in point] if isinstance(point, list) else []
        if len(pair) != 2 or pair[0] is None or pair[1] is None:
            return []
        points.append((pair[0], pair[1]))
    return points


def _mask(
    shape: dict[str, Any], left: int, top: int, record: ImageRecord, where: str, issues: Issues
) -> Any:
    """A small image in base64, laid at the shape's corner."""
    try:
        data = base64.b64decode(shape.get("mask") or "", validate=True)
        with Image.open(io.BytesIO(data)) as image:
            part = np.asarray(image.convert("L")) > 0
    except Exception as error:  # decoders fail in many ways
        issues.leave_out(
            "unreadable mask",
            where,
            found=f"{type(error).__name__} in {shape.get('mask')!r}",
            allowed="a PNG in base64",
            advice="Draw the mask again",
        )
        return None
    whole = np.zeros((record.height or 0, record.width or 0), dtype=bool)
    window = whole[max(top, 0) :, max(left, 0) :][: part.shape[0], : part.shape[1]]
    window[...] = part[: window.shape[0], : window.shape[1]]
    return encode(whole)


def _instance(
    label: int, segments: Any, record: ImageRecord, where: str, issues: Issues
) -> Instance | None:
    if isinstance(segments, tuple):
        box = check_box(segments, record, where, issues)
        return None if box is None else Instance(label, box)
    good, outline = check_segmentation(segments, record, where, issues)
    if not good:
        return None
    edges = bounds(segments, record.height or 0, record.width or 0) or (0.0, 0.0, 0.0, 0.0)
    box = check_box(edges, record, where, issues)
    return None if box is None else Instance(label, box, outline)


def _merge(first: Instance, more: Instance) -> bool:
    """Add the polygons of one more part of an object; False if either is no polygon."""
    if not isinstance(first.segmentation, list) or not isinstance(more.segmentation, list):
        return False
    first.segmentation = first.segmentation + more.segmentation
    a, b = first.box, more.box
    first.box = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    return True
