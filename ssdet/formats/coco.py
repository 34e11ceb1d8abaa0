"""COCO json: boxes, polygons, run lengths, crowds."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .annotations import (
    Annotations,
    ImageRecord,
    Instance,
    Reading,
    check_box,
    is_name,
    number,
    sides,
)
from .gaps import Gaps, gaps_content
from .issues import Issues, raise_data_error, short
from .json_stream import Items, JsonFile
from .options import option
from .paths import image_size, tidy
from .segments import area, check_segmentation

MOST_OBJECTS = 100_000  # of one image: more is a slip or an attack


def read_coco(source: Path, reading: Reading) -> Annotations:
    """Read an annotation file; `reading.images` is the folder of its images, if known."""
    content = open_coco(source) if reading.content is None else reading.content
    return parse_coco(content, source, reading)


def open_coco(source: Path) -> JsonFile:
    """A COCO file of any size; only one annotation is in memory at a time."""
    counts: Counter[object] = Counter()

    def count(entry: Any) -> None:
        image = entry.get("image_id") if isinstance(entry, dict) else None
        if not isinstance(image, (int, str)):
            return
        counts[image] += 1
        if counts[image] > MOST_OBJECTS:
            raise_data_error(
                "image with too many annotations",
                source,
                found=f"more than {MOST_OBJECTS} of image_id {image!r}",
                allowed=f"up to {MOST_OBJECTS} for one image",
                advice="Correct image_id, or cut the image into tiles",
            )

    return JsonFile(source, {"annotations": count})


def parse_coco(content: Mapping[str, Any], source: Path, reading: Reading) -> Annotations:
    """The data set of a COCO object; `source` is for messages."""
    parts = CocoParts(content, source, reading)
    for record, instance in parts:
        record.instances.append(instance)
    parts.gaps.finish(parts.records)
    return Annotations(
        source,
        reading.images,
        parts.classes,
        parts.records,
        category_ids=tuple(parts.labels),
        issues=reading.issues.found,
    )


class CocoParts:
    """A COCO object, whose annotations are given one at a time: `for record, instance in parts`.

    Attributes:
        labels: Of the categories, by their ids.
        classes: Their names.
        records: The images.
        gaps: What they say of objects without a label.
    """

    def __init__(self, content: Mapping[str, Any], source: Path, reading: Reading) -> None:
        self.content, self.source, self.reading = content, source, reading
        self.labels, self.classes = _categories(content, source)
        self.gaps = Gaps(self.labels, reading.issues)
        self.records = _records(_entries(content, "images", source), source, reading, self.gaps)
        _check_unique(self.records, source)

    def __iter__(self) -> Iterator[tuple[ImageRecord, Instance]]:
        reading = self.reading
        by_id = {record.id: record for record in self.records}
        known: set[object] = set()
        for position, entry in enumerate(_entries(self.content, "annotations", self.source)):
            where = f"{self.source}, annotations[{position}] (id {_shown(entry)})"
            record = _target(entry, by_id, known, where, reading.issues)
            if reading.watch:
                reading.watch(entry, where)
            instance = record and _instance(entry, self.labels, record, where, reading)
            if record and instance:
                instance.position = position
                yield record, instance


def coco_content(data: Annotations) -> dict[str, Any]:
    """A data set as a COCO object; difficult objects become crowds, which MMDetection ignores."""
    ids = data.category_ids or tuple(range(1, len(data.classes) + 1))
    own = [record.id for record in data.records]
    keep = all(isinstance(i, int) for i in own) and len(set(own)) == len(own)
    images: list[dict] = []
    annotations: list[dict] = []
    for number_, record in enumerate(data.records, start=1):
        width, height = size_of(data, record)
        image_id = record.id if keep else number_
        size = {"width": width, "height": height}
        known = gaps_content(record, ids)
        images.append({"id": image_id, "file_name": record.name, **size, **known})
        for instance in record.instances:
            entry = _entry(instance, height, width)
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, **entry})
            annotations[-1]["category_id"] = ids[instance.label]
    categories = [{"id": i, "name": name} for i, name in zip(ids, data.classes, strict=True)]
    return {"images": images, "annotations": annotations, "categories": categories}


def size_of(data: Annotations, record: ImageRecord) -> tuple[int, int]:
    """(width, height) from the annotations, or from the image file."""
    if record.width is not None and record.height is not None:
        return record.width, record.height
    return image_size(data.path(record), record.where)


def _entry(instance: Instance, height: int, width: int) -> dict[str, Any]:
    x1, y1, x2, y2 = instance.box
    entry: dict[str, Any] = {
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": area(instance.segmentation, instance.box, height, width),
        "iscrowd": int(instance.ignored),
    }
    if instance.difficult:
        entry["difficult"] = 1
    if instance.segmentation is not None:
        entry["segmentation"] = instance.segmentation
    if instance.score is not None:
        entry["score"] = instance.score
    return entry


def _entries(content: Mapping[str, Any], key: str, source: Path) -> list[Any] | Items:
    entries = content.get(key)
    if not isinstance(entries, (list, Items)):
        found = f"keys {', '.join(map(str, content))}" if key not in content else repr(entries)[:60]
        raise_data_error(
            f"COCO file without a list {key!r}",
            source,
            found=short(found) or "an empty object",
            allowed="'images', 'annotations' and 'categories', each a list",
            advice="Unlabeled images need no such file: give their folder instead",
        )
    return entries


def _categories(content: Mapping[str, Any], source: Path) -> tuple[dict[int, int], tuple[str, ...]]:
    ids: list[int] = []
    names: list[str] = []
    for position, entry in enumerate(_entries(content, "categories", source)):
        category = entry if isinstance(entry, dict) else {}
        key, name = category.get("id"), category.get("name")
        text = is_name(name) and name not in names
        if not text or not isinstance(key, int) or isinstance(key, bool) or key in ids:
            raise_data_error(
                "unusable category",
                f"{source}, categories[{position}]",
                found=entry,
                allowed="{'id': whole number, 'name': text}, both unique",
                advice="Correct the entry, and the category_id of the annotations that refer to it",
            )
        ids.append(key)
        names.append(str(name))
    if not ids:
        raise_data_error(
            "no category",
            source,
            found="'categories': []",
            allowed="at least one",
            advice="Add the classes; unlabeled images need no annotation file at all",
        )
    return {key: label for label, key in enumerate(ids)}, tuple(names)


def _records(
    entries: list[Any] | Items, source: Path, reading: Reading, gaps: Gaps
) -> list[ImageRecord]:
    records = []
    for position, entry in enumerate(entries):
        where = f"{source}, images[{position}] (id {_shown(entry)})"
        key = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(key, (int, str)) or isinstance(key, bool):
            reading.issues.leave_out(
                "image without an id",
                where,
                found=entry,
                allowed="'id': a whole number",
                advice="Give every image an id of its own",
            )
            continue
        name = tidy(entry.get("file_name"), where)
        record = ImageRecord(name, id=key, where=where)
        if _set_size(record, entry, reading):
            gaps.read(record, entry)
            records.append(record)
    if not records:
        reading.issues.raise_empty(
            "no image",
            source,
            found=f"{len(entries)} entries, none usable",
            allowed="at least one",
            advice="Check that this is the right annotation file",
        )
    return records


def _set_size(record: ImageRecord, entry: dict[str, Any], reading: Reading) -> bool:
    width, height = entry.get("width"), entry.get("height")
    if width is None and height is None and reading.images is not None:
        path = reading.root(reading.images).path(record.name, record.where)
        record.width, record.height = image_size(path, record.where)
        return True
    size = None if isinstance(width, str) or isinstance(height, str) else sides(width, height)
    if size is None:
        reading.issues.leave_out(
            "image without a usable size",
            record.where,
            found=f"width {width!r}, height {height!r}",
            allowed="whole numbers above 0, not text",
            advice="Correct the entry, or name the image folder to read sizes from the files: "
            + option("images"),
        )
        return False
    record.width, record.height = size
    return True


def _check_unique(records: list[ImageRecord], source: Path) -> None:
    for key in ("id", "name"):
        value, count = Counter(getattr(record, key) for record in records).most_common(1)[0]
        if count > 1:
            twins = [record.where for record in records if getattr(record, key) == value]
            what = "image id" if key == "id" else "file name"
            raise_data_error(
                f"{what} used twice",
                twins[1],
                found=f"{value!r}, as in {twins[0]}",
                allowed="one entry for each image",
                advice="Remove one of them, or give it an id of its own",
            )


def _target(
    entry: Any, records: dict[Any, ImageRecord], known: set[object], where: str, issues: Issues
) -> ImageRecord | None:
    """The image of an annotation, if its ids are in order."""
    if not isinstance(entry, dict):
        issues.leave_out(
            "annotation that is not an object",
            where,
            found=entry,
            allowed="{...}",
            advice="Remove it",
        )
        return None
    key, image = entry.get("id"), entry.get("image_id")
    usable = isinstance(key, (int, str))
    if not usable or key in known:
        issues.leave_out(
            "annotation id used twice" if usable else "annotation without an id",
            where,
            found=key if usable else f"id {short(key)}",
            allowed="an id of its own",
            advice="MMDetection refuses the file: give each annotation an id of its own",
        )
        return None
    known.add(key)
    record = records.get(image) if isinstance(image, (int, str)) else None
    if record is None:
        issues.leave_out(
            "annotation of an unknown image",
            where,
            found=f"image_id {image!r}",
            allowed="an id listed in 'images'",
            advice="Add the image, or remove the annotation",
            kind="unknown image",
        )
    return record


def _instance(
    entry: dict[str, Any], labels: dict[int, int], record: ImageRecord, where: str, reading: Reading
) -> Instance | None:
    issues = reading.issues
    category, crowd = entry.get("category_id"), entry.get("iscrowd", 0)
    label = labels.get(category) if isinstance(category, int) else None
    if label is None:
        issues.leave_out(
            "unknown category",
            where,
            found=f"category_id {category!r}",
            allowed=f"one of {short(list(labels))}",
            advice="Add it to 'categories' or correct it",
            kind="unknown category",
        )
        return None
    if crowd not in (0, 1):
        issues.leave_out(
            "iscrowd that is neither 0 nor 1",
            where,
            found=crowd,
            allowed="0 or 1",
            advice="Correct the entry",
        )
        return None
    score = entry.get("score")
    confidence = number(score)
    if score is not None and (confidence is None or not 0 <= confidence <= 1):
        issues.warn(
            "score that is no probability (left out)",
            where,
            found=score,
            allowed="0 ... 1",
            advice="Correct it, or remove the key",
        )
        confidence = None
    bbox = entry.get("bbox")
    box = check_box(_edges(bbox), record, where, issues, f"bbox {bbox!r}")
    good, outline = check_segmentation(entry.get("segmentation"), record, where, issues)
    if box is None or not good:
        return None
    difficult = bool(entry.get("difficult"))
    outline = outline if reading.outlines else None
    return Instance(label, box, outline, bool(crowd) and not difficult, difficult, confidence)


def _edges(bbox: object) -> list[float | None]:
    values = [number(value) for value in bbox] if isinstance(bbox, list) else []
    if len(values) != 4 or None in values:
        return [None] * 4
    x, y, width, height = (value or 0.0 for value in values)
    return [x, y, x + width, y + height]


def _shown(entry: Any) -> str:
    return short(repr(entry.get("id")), 40) if isinstance(entry, dict) else "none"
