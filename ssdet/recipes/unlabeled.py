"""Where the unlabeled images are, if the user does not say it: the labeled data may."""

from __future__ import annotations

from pathlib import Path

from ..exits import UsageError
from ..formats import Guess
from ..formats.options import option
from ..formats.yolo import unlabeled_of


def unlabeled_beside(labeled: Path, found: Guess, images: Path | None) -> tuple[str, str]:
    """(source, why it was taken) for labeled data, what that was taken for, and its images."""
    other = labeled.with_name(f"{labeled.stem}-unlabeled{labeled.suffix}")
    if labeled.is_file() and other.is_file():
        return str(other), "which lies beside the labeled ones"
    if found.format == "yolo" and found.source.is_file():
        stated = unlabeled_of(found.source, images)
        if stated is not None:
            return str(stated), f"which {found.source} names"
    raise UsageError(
        f"{option('unlabeled')}: no images without labels are named; give a folder, a glob in "
        f"quotes, a list or a COCO json. Is everything labeled? `ssdet split {labeled} --percent "
        f"10` divides it"
    )
