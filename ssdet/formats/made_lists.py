"""Lists that `ssdet split` made: what they are lists of stands in the record beside them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .annotations import Annotations
from .class_values import encoding_of, encoding_settings

_FOLDERS = ("images", "masks")


def record_path(path: Path) -> Path:
    """Where the checksums of a pair of lists stand: beside them, since lists have no comments."""
    return path.with_name(f"{path.stem.removesuffix('-unlabeled')}.split.json")


def read_record(path: Path) -> dict[str, Any]:
    """The record of a list; empty if there is none."""
    record = record_path(path)
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def data_note(
    data: Annotations, source: Path, form: str, reading: dict[str, Any], beside: Path
) -> dict[str, Any]:
    """What was split, in words of a record; paths start in the folder `beside`.

    Args:
        data: As it was read.
        source, form, reading: Source, format and options of the reader.
        beside: Folder of the lists.
    """
    note: dict[str, Any] = {"format": form, "source": _relative(source, beside)}
    if data.images is not None:
        note["root"] = _relative(data.images, beside)
    for key in _FOLDERS:
        if reading.get(key):
            note[key] = _relative(Path(reading[key]), beside)
    for key in ("split", "follow_links"):
        if reading.get(key):
            note[key] = reading[key]
    if reading.get("classes") or data.encoding is not None:
        note["classes"] = list(data.classes)
    if data.encoding is not None:
        note["encoding"] = encoding_settings(data.encoding)
    return note


def data_of(path: Path) -> tuple[str, Path, dict[str, Any]] | None:
    """(format, source, fields of `Reading`) of what a list was made of, if that is still there."""
    note = read_record(path).get("data")
    if not isinstance(note, dict) or not isinstance(note.get("source"), str):
        return None
    source = _absolute(note["source"], path.parent)
    if not source.exists():
        return None
    reading: dict[str, Any] = {k: _absolute(note[k], path.parent) for k in _FOLDERS if k in note}
    reading |= {key: note[key] for key in ("split", "follow_links") if key in note}
    if "classes" in note:
        reading["classes"] = tuple(note["classes"])
    if note.get("encoding"):
        reading["encoding"] = encoding_of(**note["encoding"])
    return str(note["format"]), source, reading


def root_of(path: Path) -> Path | None:
    """The folder in which the paths of a list begin, as its record says."""
    note = read_record(path).get("data")
    stated = note.get("root") if isinstance(note, dict) else None
    folder = _absolute(stated, path.parent) if isinstance(stated, str) else None
    return folder if folder is not None and folder.is_dir() else None


def whole_of(path: Path) -> Path | None:
    """The data that `ssdet split` was given when it made a file, if it is still there."""
    note = _coco_note(path) if path.suffix == ".json" else read_record(path).get("data")
    stated = note.get("part_of") if isinstance(note, dict) else None
    whole = _absolute(stated, path.parent) if isinstance(stated, str) else None
    return whole if whole is not None and whole.exists() else None


def _coco_note(path: Path) -> Any:
    """What stands at the beginning of a COCO file that `ssdet split` wrote."""
    with path.open(encoding="utf-8", errors="replace") as file:
        start = file.read(2**16)
    head = '{"info": '
    try:
        info = json.JSONDecoder().raw_decode(start, len(head))[0] if start.startswith(head) else {}
    except ValueError:
        return None
    return info.get("split") if isinstance(info, dict) else None


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _absolute(text: str, folder: Path) -> Path:
    """The path as the user would write it: from the current folder."""
    return Path(os.path.normpath(folder / text))
