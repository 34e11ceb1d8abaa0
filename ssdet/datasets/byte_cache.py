"""What was read from a network, on this machine's disk, up to a limit."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FOLDER, LIMIT = "SSDET_CACHE", "SSDET_CACHE_GB"
KEPT = 0.9  # share of the limit that an eviction leaves
_STALE = 60.0  # seconds after which the lock of a dead process is broken
_LOOK_EVERY = 64  # writes of a process between two looks at the size


class ByteCache:
    """Files by address; several processes may use one folder.

    Args:
        folder: Made when something is written.
        limit: Bytes. What was not used for the longest time goes first.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._written = 0

    @classmethod
    def from_environment(cls) -> ByteCache | None:
        """The cache that `SSDET_CACHE` names; None without it."""
        folder = os.environ.get(FOLDER)
        if not folder:
            return None
        limit = int(float(os.environ.get(LIMIT, 10)) * 2**30)
        known = _known.get((folder, limit))
        return known or _known.setdefault((folder, limit), cls(Path(folder), limit))

    def get(self, address: str, read: Callable[[], bytes]) -> bytes:
        """The bytes of an address, from the disk or else read."""
        name = hashlib.sha256(address.encode()).hexdigest()
        path = self.folder / name[:2] / name
        with suppress(OSError):
            data = path.read_bytes()
            os.utime(path)
            return data
        data = read()
        with suppress(OSError):  # a full disk slows down; it stops nothing
            self._write(path, data)
        return data

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._written += 1
        if self._written % _LOOK_EVERY == 1 or len(data) > self.limit // _LOOK_EVERY:
            self._shrink()

    def _shrink(self) -> None:
        """Remove the oldest files until there is room; one process at a time does it."""
        lock = self.folder / "lock"
        with suppress(FileNotFoundError):
            if time.time() - lock.stat().st_mtime > _STALE:
                lock.unlink()
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        try:
            files = [(e.stat(), e) for e in self.folder.glob("??/*")]
            used = sum(stat.st_size for stat, _ in files)
            if used <= self.limit:
                return
            for stat, path in sorted(files, key=lambda entry: entry[0].st_mtime):
                path.unlink(missing_ok=True)
                used -= stat.st_size
                if used <= KEPT * self.limit:
                    return
        finally:
            lock.unlink(missing_ok=True)


_known: dict[tuple[str, int], ByteCache] = {}
