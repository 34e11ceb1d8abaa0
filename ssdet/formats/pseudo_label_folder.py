"""Pseudo labels on disk: one file for each image, written whole or not at all.

    pseudo/maps/<image>.png     label map of the original image, uint8, 255 where nothing is known
    pseudo/boxes/<image>.json   boxes in pixels of the original image
    pseudo/meta/<image>.json    where it came from: image, iteration, share of known pixels, ...

`<image>` is the path of the image below `root`, without its ending, so the maps are an ordinary
`seg_map_path` folder of MMSegmentation.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np

from ..exits import writing
from ..labels import IGNORE
from .undo_log import UndoLog

MAPS, BOXES, META = "maps", "boxes", "meta"


class PseudoLabelFolder:
    """Stores label maps and boxes by image, within bounds.

    Several processes may use one folder: each writes whole files under names of its own and
    renames them. The bounds are divided among the processes; each keeps to its part and, beyond
    it, removes what it has not written for the longest time.

    Args:
        folder: Of the stored labels; made when something is written.
        root: The folder that all images lie in. None: images are known by their file name alone,
            and two of one name are an error.
        max_entries, max_bytes: The bounds; None for none.
        rank, world_size: Of this process.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        *,
        root: str | os.PathLike | None = None,
        max_entries: int | None = None,
        max_bytes: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        for name, value in dict(max_entries=max_entries, max_bytes=max_bytes).items():
            if value is not None and value < 1:
                raise ValueError(f"PseudoLabelFolder: {name}={value!r} must be above 0, or None")
        self.folder, self.root = Path(folder), root
        self.undo = UndoLog(self.folder)
        shares = [v and max(v // world_size, 1) for v in (max_entries, max_bytes)]
        self.max_entries, self.max_bytes = shares
        # What this process answers for: files by size, those written longest ago first.
        self._own: dict[Path, int] = {}
        self._images: dict[str, str] = {}
        files = [path for kind in (MAPS, BOXES) for path in self._files(kind)]
        for path in sorted(files, key=lambda p: (p.stat().st_mtime, p.name))[rank::world_size]:
            self._own[path] = path.stat().st_size

    def __len__(self) -> int:
        return sum(1 for kind in (MAPS, BOXES) for _ in self._files(kind))

    # ------------------------------------------------------------------ names

    def key(self, image: str | int) -> str:
        """The name of an image in the folder."""
        path = PurePath(str(image))
        if self.root is None:
            return path.stem
        relative = os.path.relpath(path, self.root)
        if relative.startswith(".."):
            raise ValueError(
                f"PseudoLabelFolder: the image {image} does not lie in root={str(self.root)!r}; "
                "set root to a folder that holds all images"
            )
        return PurePath(relative).with_suffix("").as_posix()

    def keys(self, kind: str) -> list[str]:
        """Names of the images that have a label map (`maps`) or boxes (`boxes`)."""
        base = self.folder / kind
        return sorted(p.relative_to(base).with_suffix("").as_posix() for p in self._files(kind))

    def path(self, kind: str, key: str) -> Path:
        """The file of an entry."""
        return self.folder / kind / (key + (".png" if kind == MAPS else ".json"))

    # ------------------------------------------------------------------ reading and writing

    def read_map(self, key: str) -> np.ndarray | None:
        """The label map (H, W) of an image, None if there is none."""
        content = self._read(self.path(MAPS, key))
        if content is None:
            return None
        labels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        if labels is None or labels.ndim != 2:
            raise ValueError(_damaged(self.path(MAPS, key), "a PNG with one channel"))
        return labels

    def read_boxes(self, key: str) -> dict[str, Any] | None:
        """`width, height, boxes, labels, scores` and perhaps `masks` of an image, or None."""
        return self._read_json(self.path(BOXES, key))

    def read_meta(self, key: str) -> dict[str, Any]:
        """What is known of an entry beside its labels."""
        return self._read_json(self.path(META, key)) or {}

    def write_map(self, key: str, labels: np.ndarray, meta: dict[str, Any]) -> None:
        """Store the label map of `meta["image"]`."""
        done, encoded = cv2.imencode(".png", labels.astype(np.uint8))
        if not done:
            raise ValueError(
                f"PseudoLabelFolder: cannot encode a map of shape {labels.shape} for {key}"
            )
        known = float((labels != IGNORE).mean())
        self._store(MAPS, key, encoded.tobytes(), {**meta, "known": round(known, 4)})

    def write_boxes(self, key: str, entry: dict[str, Any], meta: dict[str, Any]) -> None:
        """Store the boxes of `meta["image"]`."""
        self._store(BOXES, key, json.dumps(entry).encode(), {**meta, "boxes": len(entry["boxes"])})

    # ------------------------------------------------------------------ for other trainings

    def export_list(self) -> Path:
        """Write `images.txt`, the names of all images with a map: an `ann_file` for MMSegmentation.

        With `data_prefix=dict(img_path=<root>, seg_map_path=<folder>/maps)`, its datasets train
        on the stored labels.
        """
        names = "".join(f"{key}\n" for key in self.keys(MAPS))
        return self._place(self.folder / "images.txt", names.encode())

    def export_coco(self, classes: Sequence[str]) -> Path:
        """Write `coco.json` with all boxes; categories are numbered from 1 in order of classes."""
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, key in enumerate(self.keys(BOXES), start=1):
            entry = self.read_boxes(key) or {}
            name = os.path.abspath(self.read_meta(key).get("image", key))
            size = {"width": entry["width"], "height": entry["height"]}
            images.append({"id": number, "file_name": name, **size})
            annotations += _coco_boxes(entry, number, len(annotations) + 1)
        categories = [{"id": n, "name": name} for n, name in enumerate(classes, start=1)]
        content = dict(images=images, annotations=annotations, categories=categories)
        return self._place(self.folder / "coco.json", json.dumps(content).encode())

    # ------------------------------------------------------------------ files

    def _store(self, kind: str, key: str, content: bytes, meta: dict[str, Any]) -> None:
        image = str(meta.get("image", key))
        known = self._images.get(key) or self.read_meta(key).get("image", image)
        if known != image:
            raise ValueError(
                f"PseudoLabelFolder: {known} and {image} would both be stored as {key!r}; set root "
                "to the folder that all images lie in"
            )
        self._images[key] = image
        for part in (kind, META):
            self.undo.remember(self.path(part, key))
        path = self._place(self.path(kind, key), content)
        self._place(self.path(META, key), json.dumps(meta).encode())
        self._own.pop(path, None)
        self._own[path] = len(content)
        self._shrink()

    def _shrink(self) -> None:
        """Keep to the bounds, but never without the newest entry."""
        while len(self._own) > 1 and self._too_much():
            path = next(iter(self._own))
            del self._own[path]
            key = path.relative_to(self.folder / path.relative_to(self.folder).parts[0])
            for old in (path, (self.folder / META / key).with_suffix(".json")):
                self.undo.remember(old)
                old.unlink(missing_ok=True)

    def _too_much(self) -> bool:
        many = self.max_entries is not None and len(self._own) > self.max_entries
        return many or (self.max_bytes is not None and sum(self._own.values()) > self.max_bytes)

    def _files(self, kind: str) -> Iterator[Path]:
        ending = "*.png" if kind == MAPS else "*.json"
        return (path for path in (self.folder / kind).rglob(ending) if path.is_file())

    def _place(self, path: Path, content: bytes) -> Path:
        """Write a file whole or not at all, even if others write it at the same time."""
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                os.chmod(temporary, 0o644)
                os.replace(temporary, path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        return path

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def _read_json(self, path: Path) -> dict[str, Any] | None:
        content = self._read(path)
        if content is None:
            return None
        try:
            return json.loads(content)
        except ValueError:
            raise ValueError(_damaged(path, "JSON")) from None


def _coco_boxes(entry: dict[str, Any], image: int, first: int) -> list[dict[str, Any]]:
    rows = list(zip(entry["boxes"], entry["labels"], entry["scores"], strict=True))
    masks = entry.get("masks")
    outlines = [{"segmentation": m} for m in masks] if masks else [{} for _ in rows]
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": label + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "score": score,
            **outline,
        }
        for number, (((x1, y1, x2, y2), label, score), outline) in enumerate(
            zip(rows, outlines, strict=True), start=first
        )
    ]


def _damaged(path: Path, expected: str) -> str:
    return f"PseudoLabelFolder: {path} is not {expected}; delete it; it will be written again"
