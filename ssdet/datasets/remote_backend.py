"""MMEngine's way to files behind an address: what `remote` reads, as one of its backends."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mmengine.fileio import BaseStorageBackend, register_backend

from .byte_cache import ByteCache
from .remote import file_system, read_bytes, retried

PREFIXES = ("s3", "s3a", "gs", "gcs", "hf", "memory", "az", "abfs", "file")


class FsspecBackend(BaseStorageBackend):
    """Reads whole files, and parts of archives, with retries."""

    def get(self, filepath: str | Path) -> bytes:
        """The bytes of a file."""
        address = str(filepath)
        cache = ByteCache.from_environment()
        if cache is None:
            return read_bytes(address)
        return cache.get(address, lambda: read_bytes(address))

    def get_text(self, filepath: str | Path, encoding: str = "utf-8") -> str:
        """The text of a file."""
        return self.get(filepath).decode(encoding)

    def exists(self, filepath: str | Path) -> bool:
        """Whether there is a file or a folder."""
        fs, key = file_system(str(filepath))
        return bool(retried(lambda: fs.exists(key), str(filepath)))

    def isfile(self, filepath: str | Path) -> bool:
        """Whether there is a file."""
        fs, key = file_system(str(filepath))
        return bool(retried(lambda: fs.isfile(key), str(filepath)))

    def isdir(self, filepath: str | Path) -> bool:
        """Whether there is a folder."""
        fs, key = file_system(str(filepath))
        return bool(retried(lambda: fs.isdir(key), str(filepath)))

    def join_path(self, filepath: str | Path, *filepaths: str | Path) -> str:
        """An address below another one."""
        return "/".join(str(part).strip("/") if n else str(part).rstrip("/")
                        for n, part in enumerate((filepath, *filepaths)))  # fmt: skip

    @contextmanager
    def get_local_path(self, filepath: str | Path) -> Iterator[str]:
        """A copy on this machine, within the context."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / str(filepath).rpartition("/")[2]
            path.write_bytes(self.get(filepath))
            yield str(path)


def _register() -> None:
    # With it MMEngine itself reads s3://.
    own = {"s3"} if importlib.util.find_spec("petrel_client") else set()
    prefixes = [prefix for prefix in PREFIXES if prefix not in own]
    register_backend("ssdet-fsspec", FsspecBackend, prefixes=prefixes, force=True)


_register()
