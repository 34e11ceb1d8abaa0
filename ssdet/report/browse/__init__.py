"""Pseudo labels in pictures: one page for chosen unlabeled images, and its files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from ...exits import UsageError, replacing, writing
from ...hooks._parts.drawing import class_colors, fit, save_jpeg
from ...hooks._parts.view_picture import as_rgb, view_picture
from ...teacher_student.step import PixelLabels, Step
from ..html import data_uri, fill
from .pair import Pair, load_pair
from .record import Record, box_record, pixel_record

__all__ = ["Pair", "browse", "check_folder", "choose", "load_pair"]

THUMB = 260  # longer side of a thumbnail
PAGE = "index.html"
# The folders beside the page, and what it names their files.
FILES = {
    "images": re.compile(r"\d{6,}_(original|weak|strong)\.jpg"),
    "thumbs": re.compile(r"\d{6,}\.jpg"),
    "maps": re.compile(r"\d{6,}\.js"),
}
Progress = Callable[[int, int], None]


@dataclass
class _Page:
    """What the page is made of, as it grows."""

    out: Path
    size: int
    reasons: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


def browse(
    pair: Pair,
    out: str | Path,
    *,
    number: int = 200,
    seed: int = 0,
    size: int = 640,
    about: dict[str, Any] | None = None,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Label images and write `out/index.html` with the pictures beside it; returns the page.

    Args:
        pair: Teacher, student and images, see `load_pair`.
        out: Folder, which may hold an earlier page and nothing else; its pictures are replaced.
        number: Images, spread evenly over all.
        seed: Of the random views; the same seed shows the same views.
        size: Longer side of a picture, in pixels.
        about: What the page says of itself: config, checkpoint, command, quality on labels.
        progress: Called with (done, total).
    """
    page = _Page(Path(out), size)
    for file in check_folder(page.out):
        file.unlink()
    for name in FILES:
        with writing(page.out):
            (page.out / name).mkdir(parents=True, exist_ok=True)
    chosen = choose(len(pair.images), number)
    with DefaultScope.overwrite_default_scope(pair.model.scope):
        for done, index in enumerate(chosen):
            page.records.append(_look(pair, page, index, seed))
            progress(done + 1, len(chosen))
    return _write(pair, page, {"of": len(pair.images), "seed": seed, **(about or {})})


def check_folder(out: Path) -> list[Path]:
    """The pictures of an earlier page; a folder that holds anything else is refused."""
    inside = sorted(out.iterdir()) if out.is_dir() else [out] if out.exists() else []
    parts = [path for path in inside if path.name in FILES and path.is_dir()]
    files = [file for part in parts for file in sorted(part.iterdir())]
    other = [path for path in inside if path not in parts and path.name != PAGE]
    other += [file for file in files if not FILES[file.parent.name].fullmatch(file.name)]
    if other:
        raise UsageError(
            f"{out}: it is not empty, and no page of `ssdet browse`: found {other[0]}. Give "
            "another folder (--out)"
        )
    return files


def choose(count: int, number: int) -> list[int]:
    """`number` of `count` indices, spread evenly."""
    number = min(count, number)
    return [index * count // number for index in range(number)]


def _look(pair: Pair, page: _Page, index: int, seed: int) -> Record:
    step, student = pair.look(index, seed)
    name = f"{index:06d}"
    if isinstance(step.pseudo, PixelLabels):
        record, map_ = pixel_record(step, student)
        _save_map(page.out / "maps" / f"{name}.js", name, map_)
    else:
        record = box_record(step, student, page.reasons)
    original = _original(pair, index)
    views = {
        "original": original,
        "weak": view_picture(pair.model, step.weak_views, 0),
        "strong": view_picture(pair.model, _strong(step), 0),
    }
    for view, picture in views.items():
        # Never enlarged: the browser does that, and the file stays small.
        side = min(page.size, max(picture.shape[:2]))
        save_jpeg(page.out / "images" / f"{name}_{view}.jpg", fit(picture, side)[0])
    thumb = views["weak"]
    save_jpeg(page.out / "thumbs" / f"{name}.jpg", fit(thumb, min(THUMB, max(thumb.shape[:2])))[0])
    path = pair.images.get_data_info(index).get("img_path") or f"image {index}"
    height, width = original.shape[:2]
    return {"n": Path(str(path)).name, "f": name, "o": [width, height], **record}


def _strong(step: Step) -> Any:
    return next(iter(step.strong.values()))


def _original(pair: Pair, index: int) -> np.ndarray:
    """The image as its pipeline loads it, before anything is changed."""
    results = pair.images.get_data_info(index)
    for transform in _transforms(pair.images.pipeline):
        results = transform(results)
        if "img" in results:
            return as_rgb(np.asarray(results["img"], dtype=np.float32))
    raise UsageError(
        "the pipeline of the unlabeled images loads no image: none of its transforms gives `img`. "
        "Begin it with LoadImageFromFile"
    )


def _transforms(part: Any) -> list[Any]:
    """The transforms of a pipeline from the first on, in the order in which they act."""
    if hasattr(part, "shared"):
        return _transforms(part.shared)
    if isinstance(part, Compose) or hasattr(part, "transforms"):
        return [one for inner in part.transforms for one in _transforms(inner)]
    return [getattr(part, "inner", part)]


def _save_map(path: Path, name: str, map_: np.ndarray) -> None:
    """Labels and scores as a script: a page from a disk may not read the pixels of a picture."""
    _, data = cv2.imencode(".png", map_[..., ::-1])
    source = data_uri(data.tobytes(), "image/png")
    with writing(path):
        path.write_text(f'ssdetMap("{name}","{source}");\n', encoding="utf-8")


def _write(pair: Pair, page: _Page, about: dict[str, Any]) -> Path:
    colors = class_colors(len(pair.classes), pair.palette)
    data = {
        "unit": "pixels" if any("q" in record for record in page.records) else "boxes",
        "classes": pair.classes,
        "colors": ["#{:02x}{:02x}{:02x}".format(*color) for color in colors],
        "reasons": page.reasons,
        "thresholds": pair.thresholds(),
        "images": page.records,
        "quality": about.pop("quality", None),
    }
    # Within a script element only "</" and "<!--" could end it.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    html = fill("browse.html.j2", data=text, about=about, pair=pair, unit=data["unit"])
    out = page.out / PAGE
    with replacing(out) as unfinished:
        unfinished.write_text(html, encoding="utf-8")
    return out
