"""From the objects of many images to candidates for new classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...datasets.sources import Images, Source, open_source
from ...exits import UsageError
from ...thresholds.split_merge import LEAST, Change, reduced, split_merge
from ..network import Network, load_network
from .objects import Asked, Object, ObjectFinder, Reservoir


@dataclass(frozen=True)
class Candidate:
    """Objects that look alike and like no known class.

    Attributes:
        objects: Those nearest to the middle first.
        resembles: The known class that is nearest; "" without any.
        distance: Between both middles, in mean distances of the objects from theirs.
    """

    objects: list[Object]
    resembles: str
    distance: float

    @property
    def images(self) -> int:
        """In how many images they are."""
        return len({one.place for one in self.objects})


@dataclass(frozen=True)
class Discovery:
    """What was found.

    Attributes:
        network: That looked.
        source: Of the images.
        candidates: The largest first.
        steps: Splits and merges, in words.
        images: That were read.
        errors: Images that could not be read, each with the reason.
        seen: Objects without a name, of which `grouped` were kept and grouped.
        grouped: See above.
        known: Of these, how many look like each known class.
        rest: Of these, how many are in no group that is large enough.
    """

    network: Network
    source: Source
    candidates: list[Candidate]
    steps: list[str]
    images: int
    errors: list[tuple[str, str]]
    seen: int
    grouped: int
    known: dict[str, int]
    rest: int


def discover(
    checkpoint: str | Path,
    images: Images,
    *,
    config: str | None = None,
    model: str = "teacher",
    root: str | None = None,
    asked: Asked | None = None,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> Discovery:
    """Estimate which new classes unlabeled images show.

    Inspired by GPC (Zhao et al., ICCV 2023): features of objects are grouped; groups are split and
    merged until neither makes them more likely. Objects are the proposals of a two-stage detector
    that none of its detections explains; its detections stand for the known classes. Every image is
    read once, and a random sample of the objects is kept in memory.

    Args:
        checkpoint: A run folder, a checkpoint, or a folder of `ssdet export`.
        images: A folder, a list or a COCO file.
        config: Of the checkpoint. None: `config.py` of its run folder.
        model: "teacher" or "student".
        root: Folder that the names of a list are relative to.
        asked: How objects are found and grouped; None: the defaults of `Asked`.
        progress: Told how many of how many images are read.
    """
    asked = asked or Asked()
    network = load_network(checkpoint, config, model)
    source = open_source(images, root=root)
    generator = torch.Generator().manual_seed(asked.seed)
    unknown: Reservoir[Object] = Reservoir(asked.most, generator)
    named: list[Reservoir[Object]] = [
        Reservoir(asked.most_known, generator) for _ in network.classes
    ]
    errors = []
    for number, (record, found) in enumerate(ObjectFinder(network, asked).find(source), 1):
        if record.error:
            errors.append((record.name, record.error))
        for one in found:
            (unknown if one.label < 0 else named[one.label]).add(one)
        progress(number, len(source))
    if len(unknown.items) < LEAST:
        raise UsageError(
            f"{len(unknown.items)} objects without a name in {len(source)} images "
            f"({len(errors)} could not be read), and {LEAST} are needed. Lower objectness="
            f"{asked.objectness}, raise known={asked.known}, or give more images"
        )
    kept = [one for reservoir in named for one in reservoir.items]
    grouped = group(kept, unknown.items, asked)
    names = [network.classes[number] for number in grouped.classes]
    counts = torch.bincount(grouped.labels, minlength=len(names))[: len(names)].tolist()
    candidates = _candidates(unknown.items, grouped, names)
    return Discovery(
        network, source, candidates, told(grouped), len(source) - len(errors), errors,
        seen=unknown.seen, grouped=len(unknown.items), known=dict(zip(names, counts, strict=True)),
        rest=len(unknown.items) - sum(counts) - sum(len(one.objects) for one in candidates),
    )  # fmt: skip


@dataclass(frozen=True)
class Grouped:
    """Groups of objects.

    Attributes:
        classes: The known classes that the first groups are.
        features: Of the unknown objects (N, D).
        labels: Their groups (N,).
        centers: Of all groups.
        changes: As in `split_merge`.
    """

    classes: list[int]
    features: Tensor
    labels: Tensor
    centers: Tensor
    changes: list[Change]


def group(known: list[Object], unknown: list[Object], asked: Asked) -> Grouped:
    """Group the unknown objects, beside those of known classes."""
    labels = torch.tensor([one.label for one in known], dtype=torch.long)
    classes, numbers = labels.unique(return_inverse=True)
    every = [one.feature for one in (*known, *unknown)]
    features = reduced(torch.stack(every), asked.width)
    numbers = torch.cat([numbers, torch.full((len(unknown),), -1)])
    found = split_merge(features, numbers, start=asked.start, seed=asked.seed)
    new = slice(len(known), None)
    return Grouped(classes.tolist(), features[new], found.labels[new], found.centers, found.steps)


def _candidates(objects: list[Object], grouped: Grouped, classes: list[str]) -> list[Candidate]:
    """The new groups that are large enough."""
    centers, found = grouped.centers, []
    for number in range(len(classes), len(centers)):
        (rows,) = (grouped.labels == number).nonzero(as_tuple=True)
        if len(rows) < LEAST:
            continue
        away = (grouped.features[rows] - centers[number]).norm(dim=1)
        others = (centers[: len(classes)] - centers[number]).norm(dim=1)
        nearest = int(others.argmin()) if len(classes) else -1
        found.append(
            Candidate(
                [objects[row] for row in rows[away.argsort(stable=True)].tolist()],
                classes[nearest] if classes else "",
                float(others[nearest] / away.mean().clamp(min=1e-12)) if classes else 0.0,
            )
        )
    return sorted(found, key=lambda one: -len(one.objects))


def told(grouped: Grouped) -> list[str]:
    """What was split and merged, without the known classes."""
    known = len(grouped.classes)
    return [
        f"{kind}: {before - known} -> {after - known} groups"
        for kind, before, after in grouped.changes
    ]
