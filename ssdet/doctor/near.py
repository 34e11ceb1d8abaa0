"""Images of one part of the data that look like images of another: saved again, or scaled.

Pictures whose 64 bits differ in up to four places look alike; they need not be the same picture.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from .findings import Findings
from .overlap import MEANING, paths_of
from .pictures import Picture
from .sources import Source

NEAR = 4  # bits
_BANDS = (0, 13, 26, 39, 52, 64)  # of five bands of bits, one is equal where four bits differ
_CHUNK = 1 << 20  # candidates that are compared at a time
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


def check_near(
    sources: Sequence[Source], pictures: Mapping[str, Picture], findings: Findings
) -> None:
    """Note images that look alike; those found to be equal are left out."""
    hashes = {path: p.bits for path, p in pictures.items() if p.bits is not None}
    known = {issue.where for issue in findings.found if issue.subject == "splits"}
    for first, second in combinations(sources, 2):
        meaning = MEANING.get(frozenset((first.role, second.role)))
        if meaning is None:
            continue
        ours = [p for p in paths_of(first) if p in hashes and p not in known]
        theirs = [p for p in paths_of(second) if p in hashes]
        bits = [np.array([hashes[p] for p in part], np.uint64) for part in (ours, theirs)]
        for one, other in near_pairs(*bits):
            if ours[one] == theirs[other]:
                continue
            findings.add(
                "warning", "splits", f"{meaning[1]}, by its looks", ours[one],
                found=f"looks like {theirs[other]}, in {first.name} and {second.name}",
                allowed="each image in only one of them",
                advice="Look at both: of a picture that was saved again or scaled, remove one; "
                "neighbors in a video belong into one part",
            )  # fmt: skip


def near_pairs(first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    """For each hash of `first` that has one, the most similar one of `second` within `NEAR`."""
    return _nearest(first, second, itself=False)


def near_twins(bits: np.ndarray) -> list[tuple[int, int]]:
    """(later, earlier) of hashes of one part: for each that has one, the most similar earlier."""
    return _nearest(bits, bits, itself=True)


def _nearest(first: np.ndarray, second: np.ndarray, *, itself: bool) -> list[tuple[int, int]]:
    best: dict[int, tuple[int, int]] = {}
    for one, other in _candidates(first, second):
        distance = _ONES[(first[one] ^ second[other])[:, None].view(np.uint8)].sum(axis=1)
        near = distance <= NEAR
        for place in np.flatnonzero(near & (other < one) if itself else near):
            key, found = int(one[place]), (int(distance[place]), int(other[place]))
            best[key] = min(best.get(key, found), found)
    return [(key, other) for key, (_, other) in sorted(best.items())]


def _candidates(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs that have a band of bits in common, a part of them at a time."""
    for start, end in pairwise(_BANDS):
        mask = np.uint64(((1 << (end - start)) - 1) << start)
        ours, theirs = first & mask, second & mask
        order = np.argsort(theirs, kind="stable")
        low = np.searchsorted(theirs[order], ours, "left")
        counts = np.searchsorted(theirs[order], ours, "right") - low
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        for begin in range(0, total, _CHUNK):
            flat = np.arange(begin, min(begin + _CHUNK, total))
            one = np.searchsorted(ends, flat, "right")
            yield one, order[low[one] + flat - (ends[one] - counts[one])]
