"""Images that are in two parts of the data: by path, by name, by content."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

from ..formats.issues import Severity
from .findings import Findings
from .parallel import Progress, each, silent
from .sources import Source

# What it means if an image is in both parts.
MEANING: dict[frozenset[str], tuple[Severity, str, str]] = {
    frozenset(("labeled", "validation")): (
        "error", "labeled image in the validation data",
        "The score would include images that were trained on: take it out of one of them",
    ),
    frozenset(("unlabeled", "validation")): (
        "error", "unlabeled image in the validation data",
        "Training would see the images it is scored on: take it out of the unlabeled ones",
    ),
    frozenset(("labeled", "unlabeled")): (
        "warning", "labeled image among the unlabeled ones",
        "It is trained on twice, with its label and with a pseudo label: take it out of the "
        "unlabeled ones",
    ),
}  # fmt: skip


def check_overlap(
    sources: Sequence[Source],
    findings: Findings,
    *,
    content: bool = True,
    workers: int | None = None,
    progress: Progress = silent,
) -> None:
    """Note images of one part in another.

    Without `content`, an image is identified by its path, or by its name and its size in bytes.
    """
    keys = _keys(sources, content, workers, progress)
    for first, second in combinations(sources, 2):
        meaning = MEANING.get(frozenset((first.role, second.role)))
        if meaning is None:
            continue
        severity, what, advice = meaning
        others: dict[object, str] = {}
        for path in paths_of(second):
            for key in keys[path]:
                others.setdefault(key, path)
        for path in paths_of(first):
            twin = next((others[key] for key in keys[path] if key in others), None)
            if twin is not None:
                how = _how(path, twin, content)
                findings.add(
                    severity, "splits", what, path,
                    found=f"{how}, in {first.name} and {second.name}",
                    allowed="each image in only one of them", advice=advice,
                )  # fmt: skip
    if len({source.role for source in sources}) > 1:
        findings.looked_at["splits"] = "names and contents" if content else "names and sizes"


def _how(path: str, twin: str, content: bool) -> str:
    if os.path.realpath(path) == os.path.realpath(twin):
        return "the same file"
    return f"the same content as {twin}" if content else f"name and size in bytes of {twin}"


def paths_of(source: Source) -> Iterable[str]:
    """The files of a source, each once."""
    return dict.fromkeys(image.path for image in source.images)


def _keys(
    sources: Sequence[Source], content: bool, workers: int | None, progress: Progress
) -> dict[str, list[object]]:
    """What an image is identified by: its real path, and its content where another may have it."""
    parts: dict[str, set[int]] = defaultdict(set)
    for number, source in enumerate(sources):
        for path in paths_of(source):
            parts[path].add(number)
    sizes = {path: _size(path) for path in parts}
    shared: dict[object, set[int]] = defaultdict(set)
    paths: dict[object, int] = defaultdict(int)
    for path, size in sizes.items():
        group = size if content else (os.path.basename(path), size)
        shared[group] |= parts[path]
        paths[group] += 1
    keys: dict[str, list[object]] = {path: [os.path.realpath(path)] for path in parts}
    twins = []
    for path, size in sizes.items():
        group = size if content else (os.path.basename(path), size)
        # Files of another size have another content: few need to be read.
        if size and len(shared[group]) > 1 and paths[group] > 1:
            if content:
                twins.append(path)
            else:
                keys[path].append(group)
    digests = each(_digest, twins, what="contents", workers=workers, progress=progress)
    for path, digest in zip(twins, digests, strict=True):
        keys[path].append(digest or path)
    return keys


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _digest(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while piece := file.read(1 << 20):
                digest.update(piece)
            return digest.digest()
    except OSError:
        return b""
