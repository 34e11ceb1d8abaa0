"""What a data set was taken for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Guess:
    """A format, what its reader takes, and why.

    Attributes:
        format: A key of `ssdet.formats.FORMATS`, or 'images': images without labels.
        source: What the reader of the format takes; not always what was looked at.
        why: What was seen, in a line.
        reading: Fields of `ssdet.formats.Reading` that go with it.
        parts: Parts of the data by name: 'train', 'val', 'test'. The guess itself is then the part
            to train on.
        also: What was seen too and is not read.
        only: List of the images to use.
    """

    format: str
    source: Path
    why: str
    reading: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Guess] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    only: Path | None = None

    @property
    def told(self) -> str:
        """What it was taken for, why, and what else is there."""
        parts = f"; parts: {', '.join(self.parts)}" if self.parts else ""
        also = f"; not read: {', '.join(self.also)}" if self.also else ""
        return f"{self.why}{parts}{also}"

    def part(self, name: str | None) -> Guess:
        """The part of a name; a name that is not known is left to the reader."""
        if name is None:
            return self
        known = {**self.parts, **{str(p.reading.get("split")): p for p in self.parts.values()}}
        if name in known:
            return known[name]
        return replace(self, reading={**self.reading, "split": name}, parts={})

    @property
    def validation(self) -> Guess | None:
        """The part to validate on, if the data has one."""
        return self.parts.get("val")


def of_parts(parts: Mapping[str, Guess]) -> Guess | None:
    """One guess for all parts; without a part to train on the only one, or None."""
    if not parts:
        return None
    first = parts.get("train") or parts.get("trainval") or next(iter(parts.values()))
    several = parts if len(parts) > 1 else {}
    return replace(first, parts=several)
