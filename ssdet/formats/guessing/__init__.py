"""The one guesser: what a file or folder of data is, by what lies in it.

`guess(path)` is what `ssdet init`, `doctor`, `split` and `convert` ask. It reads names and a few
small files; whether all of the data is sound is for the reader of the format. Not here: reading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from ..issues import DataError, raise_data_error
from ..made_lists import data_of, whole_of
from ..options import option
from . import maps, objects
from .contents import JSON_NAMES, json_kind, xml_kind
from .found import Guess
from .maps import label_maps
from .survey import Survey

__all__ = ["Guess", "Survey", "guess", "label_maps"]

Finder = Callable[[Survey], Guess | None]
_OBJECTS: tuple[Finder, ...] = (
    objects.yolo, objects.voc, objects.coco, objects.cvat, objects.labelme, objects.labelstudio,
    objects.huggingface,
)  # fmt: skip
_MAPS: tuple[Finder, ...] = (maps.cityscapes, maps.ade, maps.voc_masks, maps.masks)
_LAYOUTS = ("cityscapes", "ade", "voc-masks")
_SUPPORTED = "COCO, VOC, YOLO, LabelMe, CVAT, Label Studio, Hugging Face, images and label maps"


def guess(path: Path, task: str | None = None) -> Guess:
    """What data is; `DataError` says what was seen, if it is nothing known.

    Args:
        path: A file or a folder.
        task: 'detection' or 'segmentation', where a folder has both boxes and label maps.
    """
    if path.is_file():
        return _file(path)
    if not path.is_dir():
        raise_data_error(
            "missing file",
            path,
            found="no such file or folder",
            allowed="a file or folder",
            advice="Check the path; it starts in the current folder",
        )
    survey = Survey.of(path)
    wanted = [*_MAPS, *_OBJECTS] if task == "segmentation" else [*_MAPS[:2], *_OBJECTS, *_MAPS[2:]]
    found: list[Guess] = []
    refused: list[DataError] = []
    for finder in wanted:
        if finder is maps.masks and any(guessed.format in _LAYOUTS for guessed in found):
            continue  # the folders of a known layout look like plain ones, too
        try:
            found += filter(None, [finder(survey)])
        except DataError as error:  # several files of a tool: perhaps another format is meant
            refused.append(error)
    if refused and not found:
        raise refused[0]
    if found:
        first = found[0]
        also = first.also + tuple(f"{other.why} ({other.format})" for other in found[1:])
        if task == "detection" and first.format == "cityscapes":
            first = _renamed(first, "cityscapes-instances")
        return replace(first, also=also)
    if not survey.images:
        _refuse(path, survey)
    count = sum(len(files) for files in survey.images.values())
    return Guess("images", path, f"{count} images without labels", also=tuple(survey.label_files()))


def _file(path: Path) -> Guess:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _json(path)
    if suffix in (".yaml", ".yml"):
        survey = Survey(path.parent, {suffix: [path]})
        return objects.yolo(survey) or Guess("yolo", path, f"{path.name}, a yaml file")
    if suffix == ".xml":
        return _xml(path)
    if suffix == ".txt":
        return _made(path) or objects.named_list(path)
    if path.stem == "metadata" and suffix in (".jsonl", ".csv"):
        return Guess("huggingface", path.parent, f"{path.name} of a Hugging Face image folder")
    _unknown(path, f"a file {path.name}")


def _made(path: Path) -> Guess | None:
    """The data that a list of `ssdet split` was made of, with the list as a choice from it."""
    found = data_of(path)
    if found is None:
        return None
    form, source, reading = found
    why = f"a list that `ssdet split` made of {source}"
    return _with_validation(Guess(form, source, why, reading, only=path), path)


def _with_validation(guessed: Guess, path: Path) -> Guess:
    """The other parts of what was split: one of them may be to validate on."""
    aside = path.with_name(f"{path.stem.rpartition('.')[0]}.val{path.suffix}")
    whole = whole_of(path)
    if whole is None or whole == path or aside == path:
        return guessed
    try:
        put_aside = {"val": guess(aside)} if aside.is_file() else {}
        others = put_aside or guess(whole).parts
    except DataError:
        return guessed
    same = {k: guessed.reading[k] for k in ("classes", "encoding") if k in guessed.reading}
    parts = {n: replace(part, reading={**part.reading, **same}) for n, part in others.items()}
    return replace(guessed, parts=parts)


def _json(path: Path) -> Guess:
    kind = json_kind(path)
    if kind == "labelme":
        return Guess("labelme", path.parent, "json of LabelMe")
    if kind == "labelstudio":
        survey = Survey.of(path.parent)
        return objects.labelstudio(replace_json(survey, path)) or Guess("labelstudio", path, "")
    if kind in ("coco", "coco-images", "broken", "other"):  # the reader says what is wrong
        return _with_validation(Guess("coco", path, f"{path.name}, COCO json"), path)
    _unknown(path, JSON_NAMES[kind])


def replace_json(survey: Survey, path: Path) -> Survey:
    """The survey with this json file alone."""
    return Survey(survey.root, {**survey.files, ".json": [path]})


def _xml(path: Path) -> Guess:
    if xml_kind(path) == "voc":
        raise_data_error(
            "one xml file of VOC",
            path,
            found="<annotation>",
            allowed="the folder of all of them",
            advice=f"Give the folder: {path.parent}",
        )
    return Guess("cvat", path, f"{path.name}, an xml file")


def _renamed(guessed: Guess, form: str) -> Guess:
    parts = {name: replace(part, format=form) for name, part in guessed.parts.items()}
    return replace(guessed, format=form, parts=parts)


def _refuse(path: Path, survey: Survey) -> NoReturn:
    for json_file in survey.having(".json")[:1]:
        if (kind := json_kind(json_file)) not in ("coco", "labelme", "labelstudio"):
            _unknown(path, f"{survey.told()}; {json_file.name} is {JSON_NAMES[kind]}")
    _unknown(path, survey.told())


def _unknown(path: Path, found: str) -> NoReturn:
    raise_data_error(
        "labeled data of an unknown format",
        path,
        found=found,
        allowed=f"{_SUPPORTED} (docs/datasets.md)",
        advice=f"Name it with {option('format')}; if it is another format, export it as COCO json",
    )
