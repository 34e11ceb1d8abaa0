"""Ten million names in the memory of their letters: a Python list of them would need two GB."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

_PIECE = 1 << 24  # bytes that are looked through at a time


class NameList(Sequence[str]):
    """Names by number; each ends with a line feed in `blob`, and `ends` says where.

    Examples:
        >>> names = NameList.of(["a.jpg", "sub/b.jpg"])
        >>> len(names), names[1], list(names)
        (2, 'sub/b.jpg', ['a.jpg', 'sub/b.jpg'])
    """

    def __init__(self, blob: bytes | bytearray | memoryview, ends: np.ndarray) -> None:
        self.blob, self.ends = blob, ends

    @classmethod
    def of(cls, names: Iterable[str]) -> NameList:
        """The names of an iterator, of which only one is in memory at a time."""
        blob, ends = bytearray(), array("q")
        for name in names:
            blob += name.encode(errors="surrogateescape") + b"\n"
            ends.append(len(blob) - 1)
        return cls(blob, np.frombuffer(ends, np.int64) if ends else np.zeros(0, np.int64))

    @classmethod
    def of_lines(cls, data: bytes) -> NameList:
        """The lines of a file, which are names and nothing else."""
        blob = data if not data or data.endswith(b"\n") else data + b"\n"
        letters = np.frombuffer(blob, np.uint8)
        starts = range(0, len(letters), _PIECE)
        ends = [np.flatnonzero(letters[at : at + _PIECE] == 10) + at for at in starts]
        return cls(blob, np.concatenate(ends) if ends else np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, place: int) -> str:  # type: ignore[override]
        if not 0 <= place < len(self):
            raise IndexError(place)
        start = int(self.ends[place - 1]) + 1 if place else 0
        return bytes(self.blob[start : self.ends[place]]).decode(errors="surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self)))

    def checksum(self) -> str:
        """The sha256 of all names in their order."""
        return hashlib.sha256(self.blob).hexdigest()

    def save(self, path: Path) -> None:
        """Write the names, one a line."""
        path.write_bytes(self.blob)
