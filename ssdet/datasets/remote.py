"""Files behind an address: `s3://`, `gs://`, `hf://`, `memory://`, and parts of tar archives.

Importing this module lets MMEngine, and so every transform that loads an image, read them through
fsspec (`remote_backend`), as soon as MMEngine is there. A part of an archive is
`tar:file:///shards/000.tar!512+7000!key.jpg`: its place and size stand in the address, so reading
it needs no index.

`SSDET_CACHE` names a folder that keeps what was read, up to `SSDET_CACHE_GB` (10).
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from PIL import Image, UnidentifiedImageError

from ..exits import Exit, RunError, UsageError
from ..extras import load
from ..imports import when_imported

TRIES, FIRST_WAIT, LONGEST_WAIT = 5, 0.5, 30.0  # seconds
HEAD = 1 << 16  # bytes in which the size of an image stands
TAR = "tar:"
_ORIENTATION = 0x0112
T = TypeVar("T")
# What another try will not change.
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_file_systems: dict[tuple[int, str], Any] = {}


class RemoteError(RunError):
    """A file behind an address could not be read."""

    exit_code = Exit.DATA


def read_bytes(address: str, start: int = 0, length: int | None = None) -> bytes:
    """The bytes of a file or of a part of an archive, from `start` on."""
    place = address
    if address.startswith(TAR):
        place, offset, size = tar_part(address)
        end = offset + (size if length is None else min(start + length, size))
        start += offset
    else:
        end = None if length is None else start + length  # type: ignore[assignment]
    fs, key = file_system(place)
    whole = start == 0 and end is None
    return retried(lambda: fs.cat_file(key) if whole else fs.cat_file(key, start, end), address)


def size_of_image(address: str) -> tuple[int, int]:
    """(height, width) from the first bytes of a file; the whole file where they do not say it."""
    try:
        return _size(read_bytes(address, length=HEAD))
    except UnidentifiedImageError:
        return _size(read_bytes(address))


def _size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        turned = image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
        return (image.width, image.height) if turned else (image.height, image.width)


def tar_part(address: str) -> tuple[str, int, int]:
    """(archive, offset, size) of the address of a part."""
    archive, place, _ = address.removeprefix(TAR).split("!", 2)
    offset, _, size = place.partition("+")
    return archive, int(offset), int(size)


def tar_name(address: str) -> str:
    """The address of a part without its place: `file:///shards/000.tar!key.jpg`."""
    archive, _, key = address.removeprefix(TAR).split("!", 2)
    return f"{archive}!{key}"


def file_system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    Each process has its own: connections do not survive a fork.
    """
    fsspec = load("fsspec", extra="remote")
    protocol = address.partition("://")[0]
    key = os.getpid(), protocol
    try:
        if key not in _file_systems:
            options = {} if protocol in ("memory", "file") else {"use_listings_cache": False}
            _file_systems[key] = fsspec.filesystem(protocol, **options)
    except ImportError as error:
        raise UsageError(f"{address}: {error}; pip install 'ssdet[remote]'") from None
    except ValueError as error:
        raise UsageError(f"{address}: {error}") from None
    fs = _file_systems[key]
    return fs, fs._strip_protocol(address)


def user_cache(kind: str, what: str) -> Path:
    """The folder of this user in which something is kept that is made of an address."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ssdet" / kind / short_digest(what)


def short_digest(text: str) -> str:
    """A name for something with a long one."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def retried(call: Callable[[], T], what: str, sleep: Callable[[float], Any] = time.sleep) -> T:
    """The result of a call that a network may break: up to five tries, with growing pauses."""
    for attempt in range(TRIES):
        try:
            return call()
        except _FINAL:
            raise
        except Exception as error:
            if not _passes(error):
                raise
            if attempt == TRIES - 1:
                raise RemoteError(
                    f"{what}: not read in {TRIES} tries: {type(error).__name__}: {error}"
                ) from error
            wait = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
            sleep(wait * random.random())
    raise RemoteError(what)


def _passes(error: Exception) -> bool:
    """Whether an error may be gone at the next try."""
    clients = ("botocore.", "aiohttp.", "gcsfs.", "huggingface_hub.", "httpx")
    return isinstance(error, (OSError, EOFError)) or type(error).__module__.startswith(clients)


def _offer(_: ModuleType) -> None:
    import_module(".remote_backend", __package__)


# Commands that only list images, such as `ssdet doctor DATA`, do without MMEngine.
when_imported("mmengine.fileio", _offer)
