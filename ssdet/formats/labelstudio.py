"""Label Studio: the json export with tasks, of rectangles, polygons, ellipses and brushes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from .annotations import Annotations, ImageRecord, Instance, Names, Reading, check_box, number
from .files import read_text
from .issues import DataError, Issues, raise_data_error
from .options import option
from .paths import Root, find_images, image_size, is_image
from .segments import bounds, check_segmentation, ellipse, encode, rotate

Parsed = tuple[list[float | None], Any]  # edges of the box, segmentation
_UPLOADED = re.compile(r"[0-9a-f]{8}-")  # in front of the names of uploaded files


def read_labelstudio(source: Path, reading: Reading) -> Annotations:
    """Read the newest annotation of each task; images are found by the end of their address.

    Predictions are read where `reading.predictions` asks for them. Otherwise a task that nobody
    annotated, or that was skipped, is left out.
    """
    root = reading.root(reading.images or source.parent)
    names, issues = Names(reading.classes, reading.issues), reading.issues
    files: dict[str, list[Path]] = {}
    for path in find_images(root.folder):
        files.setdefault(path.name, []).append(path)
    records, predicted = [], False
    for position, task in enumerate(_tasks(source)):
        where = f"{source}, [{position}] (id {task.get('id')!r})"
        results = _results(task, reading.predictions)
        if results is None:
            told = _results(task, True) is not None
            predicted |= told
            issues.warn(
                "task without an annotation (left out)", where,
                found="predictions alone" if told else "none, or a skipped one",
                allowed="an annotation",
                advice=f"Read what a model predicted with {option('predictions', True)}" if told
                else "Annotate it, or use its image as an unlabeled one",
            )  # fmt: skip
            continue
        record = _record(task, root, files, where, issues)
        if record is not None:
            for number_, result in enumerate(results):
                _add(record, result, f"{where}, result[{number_}]", names, issues)
            records.append(record)
    if not records:
        issues.raise_empty(
            "no annotated task with its image",
            source,
            found="predictions alone" if predicted else "none",
            allowed="at least one",
            advice=f"Read what a model predicted with {option('predictions', True)}" if predicted
            else f"Name the folder of the images with {option('images')}",
        )  # fmt: skip
    classes = names.finish(records)
    return Annotations(source, root.folder, classes, records, issues=issues.found)


def _tasks(source: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(read_text(source))
    except (ValueError, RecursionError) as error:
        raise_data_error(
            "not a JSON file", source, found=error, allowed="JSON",
            advice="The file may be cut off: export it again",
        )  # fmt: skip
    if not isinstance(content, list) or not all(isinstance(task, dict) for task in content):
        raise_data_error(
            "not an export of Label Studio", source, found=f"a {type(content).__name__}",
            allowed="a list of tasks", advice="Export the project as JSON",
        )  # fmt: skip
    return content


def _results(task: dict[str, Any], predictions: bool) -> list[Any] | None:
    """The regions of the newest annotation that was not cancelled, or else of a prediction."""
    if "data" not in task:  # JSON-MIN: the regions stand under the name of their control
        lists = [v for v in task.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
        return [{"value": region, **region} for regions in lists for region in regions]
    listed = task.get("annotations")
    given = [a for a in listed if isinstance(a, dict)] if isinstance(listed, list) else []
    given = [a for a in given if not a.get("was_cancelled")]
    if predictions and not given:
        listed = task.get("predictions")
        given = [p for p in listed if isinstance(p, dict)] if isinstance(listed, list) else []
    newest = max(given, key=lambda a: str(a.get("updated_at") or a.get("created_at")), default=None)
    results = None if newest is None else newest.get("result")
    return results if isinstance(results, list) else None


def _record(
    task: dict[str, Any], root: Root, files: dict[str, list[Path]], where: str, issues: Issues
) -> ImageRecord | None:
    data = task.get("data", task)
    stated = [v for v in data.values() if isinstance(v, str)] if isinstance(data, dict) else []
    stated += [task["file_upload"]] if isinstance(task.get("file_upload"), str) else []
    name = next(filter(None, (_found(text, root, files, where) for text in stated)), None)
    if name is not None:
        try:
            return ImageRecord(name, *image_size(root.path(name, where), where), where=where)
        except DataError as error:
            issues.found.extend(error.issues)
            return None
    issues.leave_out(
        "task without its image", where, found=stated[:1], allowed=f"an image in {root.folder}",
        advice=f"Name the folder of the images with {option('images')}",
    )  # fmt: skip
    return None


def _found(text: str, root: Root, files: dict[str, list[Path]], where: str) -> str | None:
    """The image that an address means: below the folder by its end, or else by its name alone."""
    try:
        address = urlsplit(text)
    except ValueError:
        return None
    path = parse_qs(address.query).get("d", [unquote(address.path)])[0].replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    if not is_image(path) or not parts:
        return None
    for start in range(len(parts)):
        name = "/".join(parts[start:])
        if root.path(name, where).is_file():
            return name
    for name in (parts[-1], _UPLOADED.sub("", parts[-1], count=1)):
        if len(files.get(name, ())) == 1:
            return root.relative(files[name][0])
    return None


def _add(record: ImageRecord, result: Any, where: str, names: Names, issues: Issues) -> None:
    value = result.get("value") if isinstance(result, dict) else None
    kind = next((k for k in SHAPES if isinstance(value, dict) and k in value), None)
    if kind is None or not isinstance(value, dict):
        other = result.get("type") if isinstance(result, dict) else result
        if isinstance(value, dict) and str(other).endswith("labels"):
            issues.warn(
                f"{other} (left out)", where, found=other, allowed=", ".join(SHAPES),
                advice="Draw an outline",
            )  # fmt: skip
        return  # choices, ratings and texts say nothing about places
    try:
        edges, segmentation = SHAPES[kind](value, record)
    except (KeyError, TypeError, ValueError, IndexError):
        issues.leave_out(
            f"malformed {kind}", where, found=value, allowed="what Label Studio writes",
            advice="Correct or remove the region",
        )  # fmt: skip
        return
    box = check_box(edges, record, where, issues, value)
    good, outline = check_segmentation(segmentation, record, where, issues)
    texts = value[kind]
    label = names.index(texts[0] if isinstance(texts, list) and texts else None, where)
    if box is not None and good and label is not None:
        record.instances.append(Instance(label, box, outline))


def _percent(value: dict[str, Any], record: ImageRecord, *keys: str) -> list[float]:
    """Numbers that are shares of the width (x, width, radiusX) or of the height, in pixels."""
    shares = [number(value[key]) for key in keys]
    if None in shares:
        raise ValueError
    across = ("x", "width", "radiusX")
    sides = [(record.width if key in across else record.height) or 0 for key in keys]
    pairs = zip(shares, sides, strict=True)
    return [round(share * side / 100, 3) for share, side in pairs if share is not None]


def _rectangle(value: dict[str, Any], record: ImageRecord) -> Parsed:
    x, y, w, h = _percent(value, record, "x", "y", "width", "height")
    turn = number(value.get("rotation")) or 0.0
    if not turn:
        return [x, y, round(x + w, 3), round(y + h, 3)], None
    corners = rotate([x, y, x + w, y, x + w, y + h, x, y + h], (x, y), turn)
    return list(bounds([corners], 0, 0) or ()), [corners]


def _polygon(value: dict[str, Any], record: ImageRecord) -> Parsed:
    polygon = [side for x, y in value["points"]
               for side in _percent({"x": x, "y": y}, record, "x", "y")]  # fmt: skip
    if len(polygon) < 6:
        raise ValueError
    return list(bounds([polygon], 0, 0) or ()), [polygon]


def _ellipse(value: dict[str, Any], record: ImageRecord) -> Parsed:
    cx, cy, rx, ry = _percent(value, record, "x", "y", "radiusX", "radiusY")
    polygon = ellipse(cx, cy, rx, ry, number(value.get("rotation")) or 0.0)
    return list(bounds([polygon], 0, 0) or ()), [polygon]


def _brush(value: dict[str, Any], record: ImageRecord) -> Parsed:
    runs = value["rle"]
    if value.get("format") != "rle" or not isinstance(runs, list):
        raise ValueError  # bytes(number) would be that many zeros
    height, width = record.height or 0, record.width or 0
    values = brush_values(bytes(runs), largest=height * width * 4)
    mask = values.reshape(height, width, 4)[..., 3] > 0
    code = encode(mask)
    return list(bounds(code, *mask.shape) or (0.0, 0.0, 0.0, 0.0)), code


def brush_values(data: bytes, largest: int = 2**30) -> np.ndarray:
    """The bytes of an RGBA picture, from Label Studio's run lengths (a stream of bits)."""
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    place = 0

    def take(count: int) -> int:
        nonlocal place
        if place + count > len(bits):
            raise ValueError("run lengths that are cut off")
        taken = int("".join(map(str, bits[place : place + count].tolist())), 2)
        place += count
        return taken

    count = take(32)
    if count > largest:
        raise ValueError("run lengths of another picture")
    values = np.zeros(count, dtype=np.uint8)
    word = take(5) + 1
    lengths = [take(4) + 1 for _ in range(4)]
    done = 0
    while done < len(values):
        run = take(1)
        end = done + 1 + take(lengths[take(2)])
        if run:
            values[done:end] = take(word)
        else:
            for position in range(done, min(end, len(values))):
                values[position] = take(word)
        done = end
    return values


SHAPES: dict[str, Callable[[dict[str, Any], ImageRecord], Parsed]] = {
    "rectanglelabels": _rectangle,
    "polygonlabels": _polygon,
    "ellipselabels": _ellipse,
    "brushlabels": _brush,
}
