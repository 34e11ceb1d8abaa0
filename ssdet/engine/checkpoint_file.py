"""One checkpoint file: written whole or not at all, read as data and never as code.

`write_checkpoint` writes to a temporary name in the same folder, flushes to the disk, and renames.
A process killed at any moment leaves the old file, or the new one, and perhaps a `*.tmp`.
`read_checkpoint` compares checksums, and accepts tensors, numbers and text, plus the few harmless
classes that MMEngine and numpy put into older checkpoints. Importing this module makes MMEngine's
own loader (which falls back to unrestricted unpickling) use it too, so `load_from`,
`init_cfg=dict(type="Pretrained")` and MMDetection's own tools are covered.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, cast

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint

from ..exits import TEMPORARY, CheckpointError, replacing, writing
from .download import fetch
from .weight_names import SCHEMES

ZIP, PICKLE = b"PK\x03\x04", b"\x80"  # how the files of PyTorch start
TORCH_VERSION = tuple(int(part) for part in torch.__version__.split(".")[:2])


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> tuple[str, int]:
    """Write `checkpoint` to `path`, whole or not at all; return its sha256 and its size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        with temporary.open("wb") as file:
            hashing = _HashingFile(file)
            try:
                torch.save(checkpoint, cast(IO[bytes], hashing))
            except (OSError, RuntimeError) as error:
                # PyTorch's writer turns a full disk into a RuntimeError about stream positions.
                raise hashing.error or error from None
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointError(_cannot_write(path, error, checkpoint)) from error
    return hashing.digest.hexdigest(), hashing.size


def write_text(text: str, path: Path) -> None:
    """Replace the text file `path`, whole or not at all (see `replacing`)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def append_line(path: Path, text: str) -> None:
    """Add a line to a file: whole, or not at all where the disk is full."""
    with writing(path):
        before = path.stat().st_size if path.exists() else 0
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError:
            if path.is_file():  # (and no device)
                os.truncate(path, before)
            raise


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Load `path` as data; refuse, without running it, a file that holds code or is damaged.

    Every part of the file is compared with its checksum, which travels in the file; PyTorch does
    not do that.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: no such file")
    try:
        with path.open("rb") as file:
            check_parts(file)
        return torch.load(path, map_location=map_location, weights_only=True)
    except UnpicklingError as error:
        reason = str(error).split("Please file an issue")[0].splitlines()
        detail = next((line.strip() for line in reason if "GLOBAL" in line or "class" in line), "")
        raise CheckpointError(_holds_code(path, detail or reason[0])) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()
        raise CheckpointError(
            f"checkpoint {path} ({path.stat().st_size} bytes) is damaged: "
            f"{reason[0] if reason else type(error).__name__}. Take another checkpoint, or copy "
            f"it again from where it is whole"
        ) from None


def check_parts(file: IO[bytes]) -> None:
    """Raise a `ValueError` unless every part of a checkpoint has the checksum written beside it.

    Files from before PyTorch 1.6 are plain pickles, which have no checksums.
    """
    start = file.read(4)
    file.seek(0)
    if start[:1] == PICKLE:
        return
    if start != ZIP:
        raise ValueError(f"it starts with {start!r}, as no checkpoint does")
    try:
        with zipfile.ZipFile(file) as archive:
            bad = archive.testzip()
    except Exception as error:  # a flipped bit can make anything of a header
        raise ValueError(str(error) or type(error).__name__) from None
    finally:
        file.seek(0)
    if bad is not None:
        raise ValueError(f"the checksum of its part {bad} does not match")


def sha256(path: Path) -> str:
    """Return the checksum of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut (where the system can)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _HashingFile:
    """A binary file that hashes what passes through, so that nothing is read back."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.size = 0
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            self.file.write(data)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        self.file.flush()


def _cannot_write(path: Path, error: OSError, checkpoint: Any) -> str:
    needed = sum(tensor.numel() * tensor.element_size() for tensor in _tensors(checkpoint))
    free = shutil.disk_usage(path.parent).free
    return (
        f"checkpoint {path} could not be written: {error.strerror or error}; "
        f"needed about {needed} bytes, free {free} bytes; earlier checkpoints are untouched. "
        f"Free space or set another --work-dir, then continue with --resume"
    )


def _tensors(value: Any) -> Iterable[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _holds_code(path: Path, reason: str) -> str:
    return (
        f"checkpoint {path} holds more than tensors, numbers and text ({reason}); reading it could "
        f"run code that came with the file, so it was not read. If you trust its source, convert "
        f"it once, on a machine without anything of value:\n"
        f'  python -c "import torch; c = torch.load({str(path)!r}, weights_only=False); '
        f"torch.save({{'state_dict': c.get('state_dict', c)}}, 'weights.pth')\""
    )


def load_from_ssdet(name: str, map_location: Any = None, **_: Any) -> dict[str, Any]:
    """The weights of a name, an address or a file, read as data; all processes must call it.

    MMEngine logs what follows "load_from_" as the place where weights come from.
    """
    checkpoint = read_checkpoint(fetch(name), map_location)
    if name.startswith("mmcls://"):
        return mmengine_checkpoint._process_mmcls_checkpoint(checkpoint)
    return checkpoint


def _history_method(owner: Any, name: str) -> Any:
    """What `getattr` may do in a checkpoint: pickled history buffers ask for their statistics."""
    if owner is HistoryBuffer and name in ("min", "max", "mean", "current"):
        return getattr(owner, name)
    raise UnpicklingError(f"GLOBAL getattr of {owner!r}, {name!r}")


def _use_everywhere() -> None:
    """Make MMEngine's checkpoint loader read with this module, for every scheme."""
    core: Any = importlib.import_module(
        "numpy._core.multiarray" if hasattr(np, "_core") else "numpy.core.multiarray"
    )
    harmless: list[Any] = [HistoryBuffer, np.ndarray, np.dtype]
    harmless += {type(np.dtype(code)) for code in "?bBhHiIlLqQefd"}
    for function in (core._reconstruct, core.scalar):
        harmless.append(function)
        if TORCH_VERSION >= (2, 6):
            # Files name the module as the numpy that wrote them did: 1.x or 2.x.
            harmless.append((function, f"numpy.core.multiarray.{function.__name__}"))
            harmless.append((function, f"numpy._core.multiarray.{function.__name__}"))
    if TORCH_VERSION >= (2, 6):
        harmless.append((_history_method, "builtins.getattr"))
    torch.serialization.add_safe_globals(harmless)

    def load(file: Any, map_location: Any = None, weights_only: Any = None) -> dict[str, Any]:
        if hasattr(file, "read"):
            check_parts(file)
            return torch.load(file, map_location=map_location, weights_only=True)
        return read_checkpoint(file, map_location)

    # What is not ours, such as a bucket, ends here.
    mmengine_checkpoint._safe_torch_load = load
    mmengine_checkpoint.load_from_http = load_from_ssdet
    prefixes = ["", "http://", "https://", *(f"{scheme}://" for scheme in SCHEMES)]
    mmengine_checkpoint.CheckpointLoader.register_scheme(prefixes, load_from_ssdet, force=True)


_use_everywhere()
