"""Names by which folders and files say which part of the data they are."""

import re
from pathlib import Path

_PART = re.compile(
    r"(?P<part>trainval|train|valid|val|dev|test)(ing|ation|set)?"
    r"(imgs?|images?|masks?|labels?|annots?|annotations?|gt)?"
)
_SAME = {"valid": "val", "dev": "val"}


def part_of(path: Path) -> str | None:
    """'train', 'trainval', 'val' or 'test', if a name or a folder above it says so.

    The nearest name counts, and its last word: `train/val_images` is 'val'.
    """
    for name in reversed(path.parts):
        words = re.findall(r"[a-z]+", name.lower())
        for match in filter(None, map(_PART.fullmatch, reversed(words))):
            return _SAME.get(match["part"], match["part"])
    return None
