"""Boxes of several models fused into one data set, each weighed by what it is worth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..formats.issues import raise_data_error
from ..formats.options import option
from ..formats.write import may_write
from ..formats.writers.files import text_file
from .fuse_boxes import Boxes, Mode, fuse_boxes, iou
from .fuse_folders import MapResult, fuse_folders
from .fuse_sources import BoxSource, Size, read_source

__all__ = ["FuseResult", "MapResult", "Worth", "fuse", "fuse_boxes", "fuse_folders", "measure"]
TRUE_IOU = 0.5


@dataclass
class Worth:
    """What a source is worth on images whose truth is known.

    Attributes:
        right, boxes, objects: Of each class (C,): right boxes, all of them, and objects.
        images: Images that both have.
    """

    right: np.ndarray
    boxes: np.ndarray
    objects: np.ndarray
    images: int

    @property
    def precision(self) -> float:
        """Share of its boxes that are right."""
        return float(self.right.sum() / max(self.boxes.sum(), 1))

    @property
    def recall(self) -> float:
        """Share of the objects that it found."""
        return float(self.right.sum() / max(self.objects.sum(), 1))

    @property
    def reliability(self) -> np.ndarray:
        """Precision (C,), drawn to that of all classes where a class was seldom seen."""
        import torch

        from ..thresholds.reliability import shrunken

        counts = (torch.from_numpy(one)[:, None] for one in (self.right, self.boxes))
        return np.asarray(shrunken(*counts)[:, 0])


@dataclass
class FuseResult:
    """What was written.

    Attributes:
        images, boxes: Their numbers.
        classes: Names.
        sources: What was read.
        worth: Of each source; empty without truth.
    """

    images: int
    boxes: int
    classes: tuple[str, ...]
    sources: list[BoxSource]
    worth: list[Worth]


def fuse(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    mode: Mode = "wbf",
    min_iou: float = 0.55,
    votes: int = 2,
    min_score: float = 0.0,
    truth: str | Path | None = None,
    like: str | Path | None = None,
    force: bool = False,
) -> FuseResult:
    """Fuse the boxes of several data sets into a COCO file.

    Classes and images go by their names. An image that a source does not have is no vote of this
    source against anything in it.

    Args:
        sources: Data sets with boxes in any format, or lists of COCO results. The boxes' scores
            count; a box without one has 1.
        out: The COCO file to write, with scores.
        mode, min_iou, votes: See `fuse_boxes`.
        min_score: Fused boxes below it are left out.
        truth: Labeled images: they say how reliable each source is. None: all are alike.
        like: COCO file with the images and categories of lists of results.
        force: Overwrite `out`.
    """
    out = Path(out)
    may_write(out, force=force)
    read_ones = [read_source(Path(path), Path(like) if like else None) for path in sources]
    classes = tuple(dict.fromkeys(name for source in read_ones for name in source.classes))
    _share_images(read_ones)
    _same_sizes(read_ones)
    worth = [] if truth is None else _worth(read_ones, classes, Path(truth))
    trust = np.stack([one.reliability for one in worth]) if worth else (
        np.ones((len(read_ones), len(classes)))
    )  # fmt: skip
    names = list(dict.fromkeys(name for source in read_ones for name in source.rows))
    maps = [np.array([classes.index(n) for n in source.classes]) for source in read_ones]

    def fused() -> Iterator[tuple[str, list[dict[str, Any]]]]:
        for name in names:
            yield name, _of_image(
                name, read_ones, maps, trust,
                mode=mode, min_iou=min_iou, votes=votes, min_score=min_score,
            )  # fmt: skip

    boxes = _write(out, names, read_ones, classes, fused())
    return FuseResult(len(names), boxes, classes, read_ones, worth)


def _of_image(
    name: str, sources: list[BoxSource], maps: list[np.ndarray], trust: np.ndarray, **how: Any
) -> list[dict[str, Any]]:
    """The fused annotations of an image."""
    min_score = how.pop("min_score")
    stretches = [source.of(name) for source in sources]
    places = [(n, part) for n, part in enumerate(stretches) if part is not None]
    gathered = Boxes(
        np.concatenate([sources[n].corners[part] for n, part in places]).astype(float),
        np.concatenate([maps[n][sources[n].labels[part]] for n, part in places]).astype(int),
        np.concatenate([sources[n].scores[part] for n, part in places]).astype(float),
        np.concatenate([np.full(part.stop - part.start, n) for n, part in places]).astype(int),
    )
    origin = [(n, row) for n, part in places for row in range(part.start, part.stop)]
    present = np.array([part is not None for part in stretches])
    found = fuse_boxes(gathered, trust, present=present, **how)
    entries = []
    for box, label, score, votes, leader in zip(
        found.corners, found.labels, found.scores, found.votes, found.leaders, strict=True
    ):
        if score < min_score:
            continue
        x1, y1, x2, y2 = (round(float(edge), 3) for edge in box)
        source, row = origin[leader]
        entry = {
            "bbox": [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)],
            "area": round((x2 - x1) * (y2 - y1), 3),
            "iscrowd": 0,
            "category_id": int(label) + 1,
            "score": round(float(score), 5),
            "votes": int(votes),
        }
        outline = sources[source].outlines.get(row)
        entries.append(entry if outline is None else {**entry, "segmentation": outline})
    return entries


def _write(
    out: Path,
    names: list[str],
    sources: list[BoxSource],
    classes: tuple[str, ...],
    fused: Iterator[tuple[str, list[dict[str, Any]]]],
) -> int:
    """Write the file whole or not at all, one image in memory at a time; the number of boxes."""
    count = 0
    with text_file(out) as write:
        write('{"images": [')
        for number, name in enumerate(names, start=1):
            source = next(one for one in sources if name in one.rows)
            width, height = source.sizes[source.rows[name]]
            image = {"id": number, "file_name": name, "width": width, "height": height}
            write(("" if number == 1 else ",\n") + json.dumps(image))
        write('],\n"annotations": [')
        for image_id, (_, entries) in enumerate(fused, start=1):
            for entry in entries:
                count += 1
                line = json.dumps({"id": count, "image_id": image_id, **entry})
                write(("" if count == 1 else ",\n") + line)
        categories = [{"id": n, "name": name} for n, name in enumerate(classes, start=1)]
        write(f'],\n"categories": {json.dumps(categories)}}}\n')
    return count


def _share_images(sources: list[BoxSource]) -> None:
    """Refuse sources that name their images differently."""
    for source in sources[1:]:
        if not any(set(source.rows) & set(other.rows) for other in sources if other is not source):
            raise_data_error(
                "sources without a common image",
                source.name,
                found=f"images such as {next(iter(source.rows), None)!r}",
                allowed=f"names as in {sources[0].name}: {next(iter(sources[0].rows), None)!r}",
                advice="Names go below the folder of the images; write both from the same folder",
            )


def _same_sizes(sources: list[BoxSource]) -> None:
    """Refuse an image that has another size in another source: its boxes do not fit together."""
    sizes: dict[str, tuple[Size, str]] = {}
    for source in sources:
        for name, row in source.rows.items():
            size = source.sizes[row]
            known, where = sizes.setdefault(name, (size, source.name))
            if known != size and all(known) and all(size):
                raise_data_error(
                    "image of two sizes",
                    f"{source.name}, {name}",
                    found=f"{size[0]}x{size[1]}",
                    allowed=f"{known[0]}x{known[1]}, as in {where}",
                    advice="Its boxes are of a resized or turned copy; label the same files",
                )


def _worth(sources: list[BoxSource], classes: tuple[str, ...], path: Path) -> list[Worth]:
    truth = read_source(path)
    if not set(truth.classes) & set(classes):
        raise_data_error(
            "truth of other classes",
            path,
            found=", ".join(truth.classes),
            allowed=f"some of {', '.join(classes)}",
            advice="Names are case-sensitive",
        )
    _same_sizes([truth, *sources])
    if truth.exhaustive and not any(known is None or known for known in truth.exhaustive):
        raise_data_error(
            "truth with gaps",
            path,
            found="images of which no class is labeled exhaustively",
            allowed="images in which every object is labeled, at least of some classes",
            advice="A box beside such labels may be right",
        )
    known = [classes.index(name) if name in classes else -1 for name in truth.classes]
    truth.labels = np.array(known)[truth.labels]
    truth.exhaustive = [
        None if labels is None else tuple(known[label] for label in labels)
        for labels in truth.exhaustive
    ]
    found = [measure(source, truth, classes) for source in sources]
    for source, worth in zip(sources, found, strict=True):
        if not worth.images:
            raise_data_error(
                "source without a labeled image",
                source.name,
                found=f"images such as {next(iter(source.rows), None)!r}",
                allowed=f"some of {option('truth', str(path))}: {next(iter(truth.rows), None)!r}",
                advice="Let the source label those images, too; else leave the option out",
            )
    return found


def measure(source: BoxSource, truth: BoxSource, classes: Sequence[str]) -> Worth:
    """Compare a source with the truth, whose labels are positions in `classes`.

    Where not every object is labeled, only the classes count of which every object is.
    """
    own = np.array([classes.index(name) for name in source.classes])
    right, boxes, objects = np.zeros((3, len(classes)))
    images = 0
    for name in truth.rows.keys() & source.rows.keys():
        known = truth.exhaustive_in(name)
        judged: np.ndarray = np.ones(len(classes), dtype=bool)
        if known is not None:
            judged = np.isin(np.arange(len(classes)), known)
        images += bool(judged.any())
        theirs, there = source.of(name) or slice(0, 0), truth.of(name) or slice(0, 0)
        labels, real = own[source.labels[theirs]], truth.labels[there]
        counted = (real >= 0) & judged[real]
        corners, real = truth.corners[there][counted], real[counted]
        np.add.at(boxes, labels[judged[labels]], 1)
        np.add.at(objects, real, 1)
        free = np.ones(len(real), dtype=bool)
        for row in np.argsort(-source.scores[theirs], kind="stable"):
            overlap = iou(corners, source.corners[theirs][row]) * (free & (real == labels[row]))
            if len(overlap) and overlap.max() >= TRUE_IOU:
                free[overlap.argmax()] = False
                right[labels[row]] += 1
    return Worth(right, boxes, objects, images)
