"""PASCAL VOC xml: `Annotations/`, `JPEGImages/`, `ImageSets/Main/`, or xml files beside images."""

from dataclasses import replace
from pathlib import Path

from .annotations import Annotations, ImageRecord, Instance, Names, Reading, check_box, parse, sides
from .files import Node, load_xml, read_lines
from .issues import DataError, Issues, raise_data_error
from .paths import SUFFIXES, Root, find_files, image_size, need_folder


def read_voc(source: Path, reading: Reading) -> Annotations:
    """Read the xml files of a folder; `reading.split` names a list in `ImageSets/Main`.

    VOC counts pixels from 1 and includes the last one, so (xmin, ymin, xmax, ymax) becomes
    (xmin - 1, ymin - 1, xmax, ymax). `difficult` objects are kept and marked.
    """
    need_folder(source, "VOC data")
    sub = source / "Annotations"
    xml_folder = sub if sub.is_dir() else source
    jpeg = source / "JPEGImages"
    images = reading.images or (jpeg if jpeg.is_dir() else xml_folder)
    files = _listed(source, xml_folder, reading) or find_files(xml_folder, ".xml")
    if not files:
        raise_data_error(
            "no VOC annotation",
            source,
            found="no .xml file",
            allowed="Annotations/*.xml",
            advice="docs/datasets.md shows the layout",
        )
    root, names = reading.root(images), Names(reading.classes, reading.issues)
    records = []
    for path in files:
        try:
            top = load_xml(path)
        except DataError as error:  # one image's file: the others can be used
            reading.issues.found.extend(replace(issue, left_out=True) for issue in error.issues)
            continue
        record = _record(top, path, xml_folder, root, reading.issues)
        if record:
            _add_objects(record, top, path, names, reading.issues)
            records.append(record)
    classes = names.finish(records)
    return Annotations(source, images, classes, records, issues=reading.issues.found)


def _listed(source: Path, xml_folder: Path, reading: Reading) -> list[Path]:
    if reading.split is None:
        return []
    path = source / "ImageSets" / "Main" / f"{reading.split}.txt"
    root = reading.root(xml_folder)
    files = []
    for line, text in read_lines(path):
        where = f"{path}, line {line}"
        file = root.path(f"{text.split()[0]}.xml", where)
        if file.is_file():
            files.append(file)
            continue
        reading.issues.leave_out(
            "listed image without annotation",
            where,
            found=f"no file {file}",
            allowed=f"a file in {xml_folder}",
            advice="Restore it, or remove the line",
        )
    return files


def _record(
    top: Node, path: Path, xml_folder: Path, root: Root, issues: Issues
) -> ImageRecord | None:
    where = f"{path}, line {top.line}"
    stem = path.relative_to(xml_folder).with_suffix("")
    candidates = [stem.with_suffix(suffix).as_posix() for suffix in SUFFIXES]
    name = next((name for name in candidates if (root.folder / name).is_file()), None)
    stated = top.value("filename")
    if name is None and stated:
        file = root.path(stated, where)
        name = root.relative(file) if file.is_file() else None
    if name is None:
        issues.leave_out(
            "annotation without its image",
            where,
            found=f"neither {stem}.* nor {stated!r}",
            allowed=f"an image in {root.folder}",
            advice="Restore the image, or remove the xml",
        )
        return None
    record = ImageRecord(name, id=stem.as_posix(), where=str(path))
    stated_size = [top.value(f"size/{side}") for side in ("width", "height")]
    size = sides(*stated_size)
    if size is None:
        return _measured(record, root, stated_size, issues)  # several tools write 0 or nothing
    record.width, record.height = size
    return record


def _measured(record: ImageRecord, root: Root, stated: list, issues: Issues) -> ImageRecord | None:
    try:
        record.width, record.height = image_size(root.folder / record.name, record.where)
    except DataError as error:
        issues.found.extend(error.issues)
        return None
    issues.warn(
        "annotation without a size (read from the image)",
        record.where,
        found=f"size {stated}",
        allowed="<size> with <width> and <height> above 0",
        advice="Nothing to do",
    )
    return record


def _add_objects(record: ImageRecord, top: Node, path: Path, names: Names, issues: Issues) -> None:
    for item in top.all("object"):
        where = f"{path}, line {item.line}"
        texts = [item.value(f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax")]
        x1, y1, x2, y2 = (parse(text) for text in texts)
        corner = [None if edge is None else edge - 1 for edge in (x1, y1)]
        box = check_box([*corner, x2, y2], record, where, issues, f"bndbox {texts}")
        label = names.index(item.value("name"), where)
        if box is not None and label is not None:
            difficult = item.value("difficult") not in (None, "", "0", "Unspecified")
            record.instances.append(Instance(label, box, difficult=difficult))
