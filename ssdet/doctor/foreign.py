"""Unlabeled images that are not like the others, or not like the labeled ones.

Whoever can put images into a folder that is trained on can teach a model what he likes. Nothing
here proves that an image is harmless. It shows what stands out, so that a person can look at it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .findings import Findings
from .overlap import paths_of
from .pictures import STATISTICS, Picture
from .sources import Source

OUTLIER = 6.0  # robust standard deviations
DRIFT = 0.25  # population stability index that counts as a shift
_ENOUGH = 20  # images that say what is usual
_BINS = 10


def check_foreign(
    sources: Sequence[Source], pictures: Mapping[str, Picture], findings: Findings
) -> None:
    """Note patterns that few images have, and sources that look different from the labeled ones."""
    unlabeled = [source for source in sources if source.role == "unlabeled"]
    for source in unlabeled:
        _patterns(source, pictures, findings)
    labeled = [source for source in sources if source.role == "labeled"]
    for source in unlabeled if labeled else ():
        _drift(labeled, source, pictures, findings)


def _patterns(source: Source, pictures: Mapping[str, Picture], findings: Findings) -> None:
    paths = [path for path in paths_of(source) if path in pictures]
    for place, distance in patterned([pictures[path] for path in paths]):
        findings.add(
            "warning", "files", "repeated pattern that other images lack", paths[place],
            found=f"{distance:.1f} robust standard deviations above {source.name}",
            allowed=f"up to {OUTLIER:g}",
            advice="Look at it: a fabric or a screen is fine, a faint grid over the whole "
            "picture may have been put there to teach the model something",
        )  # fmt: skip


def _drift(
    labeled: Sequence[Source], source: Source, pictures: Mapping[str, Picture], findings: Findings
) -> None:
    known = _values([path for part in labeled for path in paths_of(part)], pictures)
    found = _values(list(paths_of(source)), pictures)
    for shift in drifts(known, found):
        findings.add(
            "warning", "files", f"unlabeled images of another {shift.name}", source.name,
            found=f"stability index {shift.index:.2f}; median {shift.found:.3g}, of the labeled "
            f"ones {shift.known:.3g}",
            allowed=f"up to {DRIFT} (and {shift.by_chance:.2f} by chance)",
            advice="The teacher knows the labeled images only: label some of these, or leave "
            "out what is foreign",
        )  # fmt: skip


def patterned(pictures: Sequence[Picture]) -> list[tuple[int, float]]:
    """(place, robust deviations) of pictures with a pattern that others of their format lack."""
    groups: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for place, picture in enumerate(pictures):
        if picture.pattern is not None:
            groups[picture.format].append((place, picture.pattern))
    return [
        (place, float(distance))
        for group in groups.values()
        for (place, _), distance in zip(group, outliers([p for _, p in group]), strict=True)
        if distance > OUTLIER
    ]


@dataclass(frozen=True)
class Drift:
    """A statistic whose distribution is another one in the unlabeled images.

    Attributes:
        name: Of the statistic.
        index, by_chance: Its stability index, and what two samples of one source reach.
        known, found: The medians.
    """

    name: str
    index: float
    by_chance: float
    known: float
    found: float


def drifts(known: np.ndarray, found: np.ndarray) -> list[Drift]:
    """What has drifted between rows of `STATISTICS`; nothing where there are few rows."""
    if min(len(known), len(found)) < _ENOUGH:
        return []
    changed = []
    for number, name in enumerate(STATISTICS):
        index, by_chance = drift(known[:, number], found[:, number])
        if index > DRIFT + by_chance:
            middle = (float(np.median(part[:, number])) for part in (known, found))
            changed.append(Drift(name, index, by_chance, *middle))
    return changed


def outliers(scores: Sequence[float]) -> np.ndarray:
    """How many robust standard deviations each score lies above the median; 0 for few scores."""
    values = np.asarray(scores, np.float64)
    if len(values) < _ENOUGH:
        return np.zeros(len(values))
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return (values - middle) / max(float(spread), 0.05)


def stability_index(first: np.ndarray, second: np.ndarray) -> float:
    """Population stability index of two histograms: the sum of (p - q) ln(p / q)."""
    p, q = (np.maximum(part / part.sum(), 1e-4) for part in (first, second))
    return float(((p - q) * np.log(p / q)).sum())


def drift(known: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """The index over tenths of the known values, and what two samples of one source reach."""
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    first, second = (
        np.bincount(np.searchsorted(edges, part, "right"), minlength=len(edges) + 1) + 0.5
        for part in (known, found)
    )
    # Chi-squared with a degree of freedom less than bins: its mean and three deviations.
    freedom = len(edges)
    by_chance = (freedom + 3 * (2 * freedom) ** 0.5) * (1 / len(known) + 1 / len(found))
    return stability_index(first, second), by_chance


def _values(paths: Sequence[str], pictures: Mapping[str, Picture]) -> np.ndarray:
    rows = [pictures[path].statistics for path in paths if path in pictures]
    return np.array(rows, np.float64).reshape(len(rows), len(STATISTICS))
