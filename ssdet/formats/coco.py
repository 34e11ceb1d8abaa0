"""COCO json: boxes, polygons, run lengths, crowds."""

from collections import Counter
from pathlib import Path
from typing import Any

from .annotations import Annotations, ImageRecord, Instance, Reading, check_box, number, sides
from .files import load_json
from .issues import Issues, raise_data_error, short
from .options import option
from .paths import image_size, tidy
from .segments import area, check_segmentation


def read_coco(source: Path, reading: Reading) -> Annotations:
    """Read an annotation file; `reading.images` is the folder of its images, if known."""
    content = load_json(source) if reading.content is None else reading.content
    return parse_coco(content, source, reading)


def parse_coco(content: dict[str, Any], source: Path, reading: Reading) -> Annotations:
    """The data set of a COCO object that is loaded already; `source` is for messages."""
    labels, classes = _categories(content, source)
    pictures = _pictures(_records(content, "images", source), source, reading)
    _check_unique(pictures, source)
    by_id = {picture.id: picture for picture in pictures}
    known: set[object] = set()
    for position, record in enumerate(_records(content, "annotations", source)):
        where = f"{source}, annotations[{position}] (id {_shown(record)})"
        picture = _target(record, by_id, known, where, reading.issues)
        instance = picture and _instance(record, labels, picture, where, reading.issues)
        if picture and instance:
            instance.record = position
            picture.instances.append(instance)
    return Annotations(
        source,
        reading.images,
        classes,
        pictures,
        category_ids=tuple(labels),
        issues=reading.issues.found,
    )


def coco_content(data: Annotations) -> dict[str, Any]:
    """A data set as a COCO object; difficult objects become crowds, which MMDetection ignores."""
    ids = data.category_ids or tuple(range(1, len(data.classes) + 1))
    own = [picture.id for picture in data.pictures]
    keep = all(isinstance(i, int) for i in own) and len(set(own)) == len(own)
    images: list[dict] = []
    annotations: list[dict] = []
    for number_, picture in enumerate(data.pictures, start=1):
        width, height = size_of(data, picture)
        image_id = picture.id if keep else number_
        entry = {"id": image_id, "file_name": picture.name, "width": width, "height": height}
        images.append(entry)
        for instance in picture.instances:
            record = _record(instance, height, width)
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, **record})
            annotations[-1]["category_id"] = ids[instance.label]
    categories = [{"id": i, "name": name} for i, name in zip(ids, data.classes, strict=True)]
    return {"images": images, "annotations": annotations, "categories": categories}


def size_of(data: Annotations, picture: ImageRecord) -> tuple[int, int]:
    """(width, height) from the annotations, or from the image file."""
    if picture.width is not None and picture.height is not None:
        return picture.width, picture.height
    return image_size(data.path(picture), picture.where)


def _record(instance: Instance, height: int, width: int) -> dict[str, Any]:
    x1, y1, x2, y2 = instance.box
    record: dict[str, Any] = {
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": area(instance.segmentation, instance.box, height, width),
        "iscrowd": int(instance.ignored),
    }
    if instance.difficult:
        record["difficult"] = 1
    if instance.segmentation is not None:
        record["segmentation"] = instance.segmentation
    return record


def _records(content: dict[str, Any], key: str, source: Path) -> list[Any]:
    records = content.get(key)
    if not isinstance(records, list):
        found = f"keys {', '.join(map(str, content))}" if key not in content else repr(records)[:60]
        raise_data_error(
            f"COCO file without a list {key!r}",
            source,
            found=short(found) or "an empty object",
            allowed="'images', 'annotations' and 'categories', each a list",
            advice="Unlabeled images need no such file: give their folder instead",
        )
    return records


def _categories(content: dict[str, Any], source: Path) -> tuple[dict[int, int], tuple[str, ...]]:
    ids: list[int] = []
    names: list[str] = []
    for position, record in enumerate(_records(content, "categories", source)):
        category = record if isinstance(record, dict) else {}
        key, name = category.get("id"), category.get("name")
        text = isinstance(name, str) and name and name not in names
        if not text or not isinstance(key, int) or isinstance(key, bool) or key in ids:
            raise_data_error(
                "unusable category",
                f"{source}, categories[{position}]",
                found=record,
                allowed="{'id': whole number, 'name': text}, both unique",
                advice="Correct the entry, and the category_id of the annotations that mean it",
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


def _pictures(records: list[Any], source: Path, reading: Reading) -> list[ImageRecord]:
    pictures = []
    for position, record in enumerate(records):
        where = f"{source}, images[{position}] (id {_shown(record)})"
        key = record.get("id") if isinstance(record, dict) else None
        if not isinstance(key, (int, str)) or isinstance(key, bool):
            reading.issues.leave_out(
                "image without an id",
                where,
                found=record,
                allowed="'id': a whole number",
                advice="Give every image an id of its own",
            )
            continue
        name = tidy(record.get("file_name"), where)
        picture = ImageRecord(name, id=key, where=where)
        if _set_size(picture, record, reading):
            pictures.append(picture)
    if not pictures:
        reading.issues.raise_empty(
            "no image",
            source,
            found=f"{len(records)} entries, none usable",
            allowed="at least one",
            advice="Check that this is the right annotation file",
        )
    return pictures


def _set_size(picture: ImageRecord, record: dict[str, Any], reading: Reading) -> bool:
    width, height = record.get("width"), record.get("height")
    if width is None and height is None and reading.images is not None:
        path = reading.root(reading.images).path(picture.name, picture.where)
        picture.width, picture.height = image_size(path, picture.where)
        return True
    size = None if isinstance(width, str) or isinstance(height, str) else sides(width, height)
    if size is None:
        reading.issues.leave_out(
            "image without a usable size",
            picture.where,
            found=f"width {width!r}, height {height!r}",
            allowed="whole numbers above 0, not text",
            advice="Correct the entry, or give the image folder to read the files: "
            + option("images"),
        )
        return False
    picture.width, picture.height = size
    return True


def _check_unique(pictures: list[ImageRecord], source: Path) -> None:
    for key in ("id", "name"):
        value, count = Counter(getattr(picture, key) for picture in pictures).most_common(1)[0]
        if count > 1:
            twins = [picture.where for picture in pictures if getattr(picture, key) == value]
            what = "image id" if key == "id" else "file name"
            raise_data_error(
                f"{what} used twice",
                twins[1],
                found=f"{value!r}, as in {twins[0]}",
                allowed="one entry for each image",
                advice="Remove one of them, or give it an id of its own",
            )


def _target(
    record: Any, pictures: dict[Any, ImageRecord], known: set[object], where: str, issues: Issues
) -> ImageRecord | None:
    """The picture of an annotation, if its ids are in order."""
    if not isinstance(record, dict):
        issues.leave_out(
            "annotation that is no object", where, found=record, allowed="{...}", advice="Remove it"
        )
        return None
    key, image = record.get("id"), record.get("image_id")
    if not isinstance(key, (int, str)) or key in known:
        what = "annotation id used twice" if key in known else "annotation without an id"
        issues.leave_out(
            what,
            where,
            found=key if key in known else f"id {key!r}",
            allowed="an id of its own",
            advice="MMDetection refuses the file: number the annotations anew",
        )
        return None
    known.add(key)
    picture = pictures.get(image) if isinstance(image, (int, str)) else None
    if picture is None:
        issues.leave_out(
            "annotation of an unknown image",
            where,
            found=f"image_id {image!r}",
            allowed="an id that 'images' has",
            advice="Add the image, or remove the annotation",
            kind="unknown image",
        )
    return picture


def _instance(
    record: dict[str, Any], labels: dict[int, int], picture: ImageRecord, where: str, issues: Issues
) -> Instance | None:
    category, crowd = record.get("category_id"), record.get("iscrowd", 0)
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
    bbox = record.get("bbox")
    box = check_box(_edges(bbox), picture, where, issues, f"bbox {bbox!r}")
    count = len(issues.found)
    segmentation = check_segmentation(record.get("segmentation"), picture, where, issues)
    if box is None or len(issues.found) > count:
        return None
    difficult = bool(record.get("difficult"))
    return Instance(label, box, segmentation, bool(crowd) and not difficult, difficult)


def _edges(bbox: object) -> list[float | None]:
    values = [number(value) for value in bbox] if isinstance(bbox, list) else []
    if len(values) != 4 or None in values:
        return [None] * 4
    x, y, width, height = (value or 0.0 for value in values)
    return [x, y, x + width, y + height]


def _shown(record: Any) -> str:
    return short(repr(record.get("id")), 40) if isinstance(record, dict) else "none"
