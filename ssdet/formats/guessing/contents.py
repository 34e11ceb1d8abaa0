"""What a single json, xml or text file is, from as little of it as will do."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .survey import sample

_WHOLE = 4 * 2**20  # bytes of a json file that is parsed; of larger ones both ends are looked at
_END = 2**20
_SAMPLE = 40  # files of one kind that are looked at
JSON_NAMES = {
    "coco": "COCO",
    "coco-images": "a list of images in COCO's form, without labels",
    "coco-results": "COCO results (predictions)",
    "labelme": "LabelMe",
    "labelstudio": "Label Studio",
    "via": "VGG Image Annotator",
    "supervisely": "Supervisely",
    "createml": "CreateML",
    "broken": "not readable as json",
    "other": "json of an unknown kind",
}


def json_kind(path: Path) -> str:
    """A key of `JSON_NAMES`."""
    try:
        if path.stat().st_size > _WHOLE:
            return _of_ends(path)
        return _of_content(json.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError):
        return "broken"


def xml_kind(path: Path) -> str:
    """'voc', 'cvat', 'other', or 'broken'."""
    try:
        with path.open("rb") as file:
            start = file.read(4096).decode("utf-8", "replace")
    except OSError:
        return "broken"
    text = re.sub(r"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>]*>", "", start.lstrip("\ufeff"), flags=re.S)
    top = re.match(r"\s*<([\w:-]+)", text)
    if top is None:
        return "broken"
    return {"annotation": "voc", "annotations": "cvat"}.get(top[1], "other")


def kinds(paths: Sequence[Path], kind: Any) -> Counter[str]:
    """How often each kind occurs in a sample of files."""
    return Counter(kind(path) for path in sample(paths, _SAMPLE))


def is_yolo_text(path: Path) -> bool:
    """Whether a text file has lines `class x y ...` with numbers from 0 to 1; empty ones count."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = [line.split() for line, _ in zip(file, range(20), strict=False)]
    except (OSError, ValueError):
        return False
    return all(_is_yolo_line(words) for words in lines if words)


def _is_yolo_line(words: list[str]) -> bool:
    try:
        first, *rest = map(float, words)
    except ValueError:
        return False
    return first == int(first) >= 0 and len(rest) >= 4 and all(-0.1 <= v <= 1.1 for v in rest)


def _of_content(content: Any) -> str:
    if isinstance(content, list):
        return _of_list(content)
    if not isinstance(content, dict):
        return "other"
    keys = content.keys()
    if "images" in keys and isinstance(content["images"], list):
        return "coco-images" if not content.get("annotations") else "coco"
    if {"shapes", "imagePath"} <= keys:
        return "labelme"
    if "_via_img_metadata" in keys or _all_have(list(content.values()), {"filename", "regions"}):
        return "via"
    return "supervisely" if {"objects", "size"} <= keys else "other"


def _of_list(content: list[Any]) -> str:
    if _all_have(content, {"image_id", "category_id"}):
        return "coco-results"
    if _all_have(content, {"image", "annotations"}) and "data" not in content[0]:
        return "createml"
    if _all_have(content, {"data"}):
        return "labelstudio"
    return "other"


def _all_have(entries: list[Any], keys: set[str]) -> bool:
    return bool(entries) and all(isinstance(e, dict) and keys <= e.keys() for e in entries[:20])


def _of_ends(path: Path) -> str:
    """A large file, from its beginning and its end: the keys stand somewhere there."""
    with path.open("rb") as file:
        text = file.read(_END)
        file.seek(-_END, 2)
        text += file.read(_END)
    if text.lstrip()[:1] == b"[":
        return "coco-results" if b'"category_id"' in text[:4096] else "labelstudio"
    seen = {key for key in (b"images", b"annotations", b"categories", b"shapes")
            if re.search(rb'"%s"\s*:\s*\[' % key, text)}  # fmt: skip
    if b"shapes" in seen:
        return "labelme"
    if b"images" in seen and b"annotations" not in seen and b'"category_id"' not in text:
        return "coco-images"
    return "coco" if seen & {b"images", b"annotations"} else "other"
