"""Signs of labels that are boxes or outlines: xml, json, YOLO's text files, metadata tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..files import load_yaml, read_lines
from ..issues import DataError, raise_data_error
from ..parts import part_of
from ..yolo import CLASS_FILES, PARTS
from .contents import is_yolo_text, json_kind, kinds, xml_kind
from .found import Guess, of_parts
from .survey import Survey, sample

_MAIN = ("ImageSets", "Main")


def voc(survey: Survey) -> Guess | None:
    """xml files with the top element <annotation>, in a folder of their own or beside images."""
    files = survey.having(".xml")
    kind = kinds(files, xml_kind)
    if not files or not (kind["voc"] or kind["broken"]) or kind["cvat"]:
        return None
    root = survey.root
    lists = {p.stem: p for p in survey.having(".txt") if p.parent.parts[-2:] == _MAIN}
    home = next(iter(lists.values())).parent.parent.parent if lists else root
    layout = home / "Annotations"
    if layout.is_dir() and (home / "JPEGImages").is_dir():
        why = f"Annotations/ with {len(files)} VOC xml files, JPEGImages/"
        parts = {name: Guess("voc", home, why, {"split": name}) for name in _parts_of(lists)}
        # A list of images without labels is that of the unlabeled ones.
        whole = all(_all_labeled(lists[name], layout) for name in parts)
        return of_parts(parts) if "val" in parts and whole else Guess("voc", home, why)
    folders: dict[str, list[Path]] = {}
    for path in files:
        folders.setdefault(part_of(path.relative_to(root).parent) or "", []).append(path)
    if len(folders) < 2 or "" in folders:
        return _voc_part(survey, files)
    return of_parts({name: _voc_part(survey, paths) for name, paths in folders.items()})


def _parts_of(lists: dict[str, Path]) -> list[str]:
    """The lists of ImageSets/Main that divide the data; those of one class are longer names."""
    return [name for name in ("train", "trainval", "val", "test") if name in lists]


def _all_labeled(file: Path, folder: Path) -> bool:
    stems = [text.split()[0] for _, text in read_lines(file)]
    return all((folder / f"{stem}.xml").is_file() for stem in sample(stems, 200))


def _voc_part(survey: Survey, files: list[Path]) -> Guess:
    folder = Path(os.path.commonpath([path.parent for path in files]))
    stems = {path.stem for path in files}
    beside = folder in survey.images or any(folder in f.parents for f in survey.images)
    images = folder if beside else survey.folder_of(stems)
    broken = kinds(files, xml_kind)["broken"]
    where = "beside the images" if beside else f"in {folder}"
    why = f"{len(files)} VOC xml files {where}" + (", some of them damaged" if broken else "")
    reading = {} if beside or images is None else {"images": images}
    return Guess("voc", folder, why, reading)


def cvat(survey: Survey) -> Guess | None:
    """One xml file with the top element <annotations>."""
    files = [path for path in sample(survey.having(".xml"), 40) if xml_kind(path) == "cvat"]
    if not files:
        return None
    if len(files) > 1:
        _refuse_several("CVAT", files)
    images = files[0].parent / "images"
    reading = {} if images.is_dir() else _images_near(survey, files[0])
    return Guess("cvat", files[0], f"{files[0].name}, an xml file of CVAT", reading)


def _images_near(survey: Survey, file: Path) -> dict[str, Path]:
    folders = list(survey.images)
    return {"images": Path(os.path.commonpath(folders))} if folders else {}


def yolo(survey: Survey) -> Guess | None:
    """A data.yaml with names, or text files of YOLO lines that are named like the images."""
    for path in sorted(
        survey.having(".yaml", ".yml"), key=lambda p: (len(p.parts), p.stem != "data")
    ):
        try:
            content = load_yaml(path)
        except DataError:
            continue
        if "names" in content and any(content.get(key) for key in PARTS):
            why = f"{path.name} with {len(content['names'] or ())} class names"
            parts = {
                part: Guess("yolo", path, why, {"split": key})
                for part, key in (("train", "train"), ("val", "val"), ("test", "test"))
                if content.get(key)
            }
            return of_parts(parts)
    texts = [p for p in survey.having(".txt") if p.name not in CLASS_FILES]
    named = [path for path in texts if path.stem in survey.stems]
    looked_at = sample(named, 40)
    if (
        not named
        or not all(map(is_yolo_text, looked_at))
        or not any(p.stat().st_size for p in looked_at)
    ):
        return None
    why = f"{len(named)} text files with lines `class cx cy width height`, and no data.yaml"
    names = (part_of(path.relative_to(survey.root).parent) for path in named)
    parts = {
        part: Guess("yolo", survey.root, why, {"split": part})
        for part in dict.fromkeys(names) if part
    }  # fmt: skip
    return of_parts(parts) or Guess("yolo", survey.root, why)


def coco(survey: Survey) -> Guess | None:
    """json files of COCO: one, or one for each part."""
    files = [p for p in _few(survey.having(".json")) if json_kind(p) == "coco"]
    if len(files) > 1:
        # COCO's own captions, keypoints and panoptic maps stand beside its boxes.
        files = [path for path in files if path.name.startswith("instances")] or files
    if not files:
        return None
    parts: dict[str, list[Path]] = {}
    for path in files:
        parts.setdefault(part_of(path.relative_to(survey.root)) or "", []).append(path)
    for same in parts.values():
        if len(same) > 1:
            _refuse_several("COCO", same)
    why = f"{files[0].name}, COCO json" if len(files) == 1 else f"{len(files)} COCO json files"
    if len(parts) == 1:
        return Guess("coco", files[0], why)
    if "" in parts:
        _refuse_several("COCO", files)
    return of_parts({name: Guess("coco", paths[0], why) for name, paths in parts.items()})


def labelme(survey: Survey) -> Guess | None:
    """json files that LabelMe writes, one for each image."""
    files = survey.having(".json")
    if not kinds(files, json_kind)["labelme"]:
        return None
    parts: dict[str, list[Path]] = {}
    for path in files:
        parts.setdefault(part_of(path.relative_to(survey.root).parent) or "", []).append(path)
    why = f"{len(files)} json files of LabelMe"
    if len(parts) < 2 or "" in parts:
        return Guess("labelme", survey.root, why)
    roots = {
        name: Path(os.path.commonpath([p.parent for p in paths])) for name, paths in parts.items()
    }
    return of_parts({name: Guess("labelme", root, why) for name, root in roots.items()})


def labelstudio(survey: Survey) -> Guess | None:
    """The json export of Label Studio."""
    files = [p for p in _few(survey.having(".json")) if json_kind(p) == "labelstudio"]
    if len(files) > 1:
        _refuse_several("Label Studio", files)
    if not files:
        return None
    why = f"{files[0].name}, a json export of Label Studio"
    return Guess("labelstudio", files[0], why, _images_near(survey, files[0]))


def huggingface(survey: Survey) -> Guess | None:
    """metadata.jsonl or metadata.csv with objects."""
    files = [p for p in survey.having(".jsonl", ".csv") if p.stem == "metadata"]
    files = [p for p in files if "objects" in _start(p) or "_file_name" in _start(p)]
    why = f"{files[0].name} of a Hugging Face image folder" if files else ""
    if len(files) == 1:
        return Guess("huggingface", files[0].parent, why)
    parts = {part_of(p.relative_to(survey.root).parent): p.parent for p in files}
    if None in parts or len(parts) < len(files):
        return None
    return of_parts({str(k): Guess("huggingface", v, why) for k, v in parts.items()})


def named_list(path: Path) -> Guess:
    """A text file: lines `image mask`, or `image`."""
    lines = [text for _, text in read_lines(path)]
    return Guess("list", path, f"a list of {len(lines)} lines")


def _few(files: Sequence[Path]) -> Sequence[Path]:
    return files if len(files) <= 100 else sample(files, 40)


def _start(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(20_000)


def _refuse_several(tool: str, files: Sequence[Path]) -> None:
    raise_data_error(
        f"several annotation files of {tool}",
        files[0].parent,
        found=", ".join(path.name for path in files[:6]),
        allowed="one, or one for each of train, val and test",
        advice=f"Give the file itself, such as {files[0]}",
    )
