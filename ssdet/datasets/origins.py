"""Where unlabeled images come from, and how many of them one place may give."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence

HERE = "."  # images that lie in the root itself


def origin_of(path: str, root: str) -> str:
    """The first folder below the root that an image lies in."""
    below = os.path.relpath(path, root or ".").replace(os.sep, "/")
    first, _, rest = below.partition("/")
    return first if rest else HERE


def chosen(paths: Sequence[str], root: str, max_share: float) -> list[bool]:
    """Which images to use, so that no origin gives more than a share of them.

    As many as possible are used. Those left out have the highest SHA-256 of their path below the
    root: the choice is the same on every machine, and nobody who adds an image can make it certain
    to be used.
    """
    origins = [origin_of(path, root) for path in paths]
    cap = largest_cap(list(Counter(origins).values()), max_share)
    if cap < 1:
        count = len(set(origins))
        raise ValueError(
            f"max_share={max_share}: the images come from {count} "
            f"{'folder' if count == 1 else 'folders'} of {root!r}, so one gives at least "
            f"{1 / max(count, 1):.2g} of them; raise it, or add folders"
        )
    order = sorted(range(len(paths)), key=lambda n: _draw(paths[n], root))
    taken: Counter[str] = Counter()
    use = [False] * len(paths)
    for number in order:
        taken[origins[number]] += 1
        use[number] = taken[origins[number]] <= cap
    return use


def largest_cap(counts: Sequence[int], max_share: float) -> int:
    """The most images of one origin such that it gives no more than a share of all that are left.

    For a cap c there are sum(min(n, c)) images left. Their share of c only rises with c, so that
    the largest one can be found by halving.
    """
    low, high = 0, max(counts, default=0)
    while low < high:
        middle = (low + high + 1) // 2
        if middle <= max_share * sum(min(count, middle) for count in counts) + 1e-9:
            low = middle
        else:
            high = middle - 1
    return low


def _draw(path: str, root: str) -> bytes:
    name = os.path.relpath(path, root or ".").replace(os.sep, "/")
    return hashlib.sha256(name.encode(errors="surrogateescape")).digest()
