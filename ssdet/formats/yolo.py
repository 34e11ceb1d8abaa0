"""YOLO: `data.yaml`, `images/` and `labels/` with one text file for each image."""

from pathlib import Path
from typing import Any

from .annotations import Annotations, ImageRecord, Instance, Reading, check_box, parse
from .files import load_yaml, read_lines
from .issues import DataError, Issues, raise_data_error, short
from .options import option
from .parts import part_of
from .paths import Root, find_images, image_size, is_image
from .segments import bounds

_ROUNDING = 1e-3  # by which tools write numbers outside 0 ... 1
PARTS = ("train", "val", "test")  # keys of a data.yaml
# Names of the classes where there is no data.yaml: of Label Studio, LabelImg, darknet, Roboflow.
CLASS_FILES = ("classes.txt", "obj.names", "predefined_classes.txt", "_darknet.labels")


def read_yolo(source: Path, reading: Reading) -> Annotations:
    """Read one split ('train' unless `reading.split` says otherwise) of a data.yaml.

    A line is `class cx cy width height` or `class x1 y1 x2 y2 x3 y3 ...`, relative to the image. An
    image without a text file has no objects. In a folder without data.yaml, all images that have a
    text file are read, and a split is the part of them whose path says so.
    """
    file = _yaml_of(source)
    if file is None:
        images, root, classes = _tree(source, reading)
        file = source
    else:
        content = load_yaml(file)
        classes = _classes(content, file)
        root = _root(content, file, reading)
        images = _images(content, reading.split or "train", file, root)
    records = []
    for path in images:
        record = ImageRecord(root.relative(path), where=str(path))
        try:
            record.width, record.height = image_size(path, file)
        except DataError as error:
            reading.issues.found.extend(error.issues)
            continue
        labels = _label_file(path)
        if labels.is_file():
            _add_lines(record, labels, classes, reading.issues)
        records.append(record)
    return Annotations(source, root.folder, classes, records, issues=reading.issues.found)


def _yaml_of(source: Path) -> Path | None:
    """The data.yaml of a folder; None if there is no yaml file, but labels."""
    if not source.is_dir():
        return source
    found = sorted([*source.glob("*.yaml"), *source.glob("*.yml")])
    named = [path for path in found if path.stem == "data"]
    if not found and any(_label_file(path).is_file() for path in find_images(source)):
        return None
    if len(named or found) != 1:
        raise_data_error(
            "no data.yaml",
            source,
            found=", ".join(path.name for path in found) or "no .yaml file",
            allowed="one data.yaml",
            advice="Give the file itself, path/to/data.yaml",
        )
    return (named or found)[0]


def _tree(source: Path, reading: Reading) -> tuple[list[Path], Root, tuple[str, ...]]:
    """Images with labels below a folder, and the names of the classes, or their numbers."""
    root = reading.root(reading.images or source)
    images = [path for path in find_images(root.folder) if _label_file(path).is_file()]
    if reading.split:
        wanted = part_of(Path(reading.split)) or reading.split
        of = {path: path.relative_to(root.folder).parent for path in images}
        images = [p for p in images if part_of(of[p]) == wanted or reading.split in of[p].parts]
    if not images:
        raise_data_error(
            "no image with labels",
            source,
            found=f"none of the part {reading.split!r}" if reading.split else "none",
            allowed="images/ and labels/ with files of the same names",
            advice=f"Check the folder, and {option('split')}",
        )
    files = [folder / name for folder in (source, source / "labels") for name in CLASS_FILES]
    named = next((file for file in files if file.is_file()), None)
    if reading.classes or named:
        return (
            images,
            root,
            reading.classes or tuple(text for _, text in read_lines(named or source)),
        )
    lines = (line for path in images for _, line in read_lines(_label_file(path)))
    numbers = [int(first) for line in lines if (first := line.split()[0]).isdigit()]
    return images, root, tuple(map(str, range(max(numbers, default=0) + 1)))


def _classes(content: dict[str, Any], file: Path) -> tuple[str, ...]:
    names: Any = content.get("names")
    if isinstance(names, dict):
        names = [names.get(i) for i in range(len(names))]
    good = isinstance(names, list) and names and all(isinstance(n, (str, int)) for n in names)
    if not good or len(set(map(str, names))) < len(names):
        raise_data_error(
            "data.yaml without usable names",
            f"{file}, key 'names'",
            found=content.get("names"),
            allowed="a list of different names, or {0: name, 1: name, ...}",
            advice="Write the class names in the order of their numbers",
        )
    if content.get("nc", len(names)) != len(names):
        raise_data_error(
            "nc differs from the number of names",
            f"{file}, key 'nc'",
            found=content["nc"],
            allowed=f"{len(names)}, the number of names",
            advice="Correct one of them",
        )
    return tuple(map(str, names))


def unlabeled_of(file: Path, images: Path | None = None) -> Path | None:
    """What `unlabeled:` of a data.yaml names; it is ours, beside the keys of Ultralytics."""
    content = load_yaml(file)
    stated = content.get("unlabeled")
    if not stated:
        return None
    return _root(content, file, Reading(images=images)).path(stated, f"{file}, key 'unlabeled'")


def _root(content: dict[str, Any], file: Path, reading: Reading) -> Root:
    """The folder that `path:` names, if it lies here; else the folder of data.yaml."""
    folder = reading.images or file.parent
    stated = content.get("path")
    if reading.images is None and isinstance(stated, str):
        # Ultralytics resolves it against a setting of the machine, so it often leads elsewhere.
        below = [folder / stated, folder.parent / Path(stated).name]
        inside = [path for path in below if path.is_dir() and _is_below(path, folder)]
        folder = inside[0] if inside else folder
    return reading.root(folder)


def _where_else(content: dict[str, Any], file: Path) -> str:
    """What to do where `path:` is right and lies outside; data may not choose folders by itself."""
    stated = content.get("path")
    if not isinstance(stated, str) or not (folder := file.parent / stated).is_dir():
        return ""
    return (
        f"`path: {stated}` leads out of the folder of {file.name}, so it is not followed; if it is "
        f"right: {option('images', str(folder))}"
    )


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _images(content: dict[str, Any], split: str, file: Path, root: Root) -> list[Path]:
    entries = content.get(split)
    if not entries:
        parts = [key for key in ("train", "val", "test") if content.get(key)]
        raise_data_error(
            f"data.yaml without the split {split!r}",
            file,
            found=", ".join(parts) or "no split",
            allowed="a folder, a .txt list, or a list of them",
            advice=f"Choose one with {option('split')}",
        )
    where = f"{file}, key {split!r}"
    paths: list[Path] = []
    for entry in entries if isinstance(entries, list) else [entries]:
        paths += _images_of(entry, where, root)
    if not paths:
        raise_data_error(
            "no image",
            where,
            found=entries,
            allowed="a folder or list with images",
            advice=_where_else(content, file)
            or f"Check the path; it starts in {root.folder} (another one: {option('images')})",
        )
    return paths


def _images_of(entry: object, where: str, root: Root) -> list[Path]:
    if isinstance(entry, str) and entry.startswith("../"):
        # Roboflow writes '../train/images' for a folder beside data.yaml.
        entry = entry.removeprefix("../")
    path = root.path(entry, where)
    if path.suffix != ".txt":
        return find_images(path)
    listed = [(number, line) for number, line in read_lines(path) if is_image(line)]
    return [root.path(line, f"{path}, line {number}") for number, line in listed]


def _label_file(image: Path) -> Path:
    """`labels` in place of the last `images` of the path, or beside the image."""
    parts = list(image.parts)
    if "images" in parts[:-1]:
        last = len(parts) - 1 - parts[::-1].index("images")
        parts[last] = "labels"
    return Path(*parts).with_suffix(".txt")


def _add_lines(record: ImageRecord, path: Path, classes: tuple[str, ...], issues: Issues) -> None:
    seen: set[str] = set()
    for number, line in read_lines(path):
        where = f"{path}, line {number}"
        if line in seen:
            issues.warn(
                "line written twice",
                where,
                found=line,
                allowed="each object once",
                advice="Remove one of the lines",
            )
            continue
        seen.add(line)
        instance = _instance(line, record, classes, where, issues)
        if instance:
            record.instances.append(instance)


def _instance(
    line: str, record: ImageRecord, classes: tuple[str, ...], where: str, issues: Issues
) -> Instance | None:
    first, *rest = line.split()
    values = [value for text in rest if (value := parse(text)) is not None]
    count = len(rest)
    if len(values) != count or count < 4 or count == 5 or count % 2:
        issues.leave_out(
            "malformed line",
            where,
            found=line,
            allowed="'class cx cy width height' or 'class x1 y1 x2 y2 x3 y3 ...'",
            advice="Correct or remove the line",
        )
        return None
    label = parse(first)
    if label is None or label != int(label) or not 0 <= label < len(classes):
        issues.leave_out(
            "unknown class",
            where,
            found=f"class {first}",
            allowed=f"0 ... {len(classes) - 1} ({short(', '.join(classes))})",
            advice="Correct the number, or complete 'names' in data.yaml",
        )
        return None
    if min(values) < -_ROUNDING or max(values) > 1 + _ROUNDING:
        issues.leave_out(
            "coordinates outside 0 ... 1",
            where,
            found=line,
            allowed="fractions of width and height",
            advice="Divide pixels by the image's width and height",
        )
        return None
    return _scaled(int(label), values, record, where, issues)


def _scaled(
    label: int, values: list[float], record: ImageRecord, where: str, issues: Issues
) -> Instance | None:
    width, height = record.width or 0, record.height or 0
    if len(values) == 4:
        cx, cy, w, h = (v * s for v, s in zip(values, (width, height) * 2, strict=True))
        edges = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]
        # Text has few digits: a box over the whole image must not end at 639.9999.
        box = check_box([round(edge, 3) for edge in edges], record, where, issues, values)
        return None if box is None else Instance(label, box)
    polygon = [round(v * (height if i % 2 else width), 3) for i, v in enumerate(values)]
    box = check_box(list(bounds([polygon], height, width) or []), record, where, issues, values)
    return None if box is None else Instance(label, box, [polygon])
