"""Images in tar archives (WebDataset shards): an index made once says where each of them lies."""

from __future__ import annotations

import json
import os
import re
import tarfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..exits import Exit, RunError, replacing
from ..messages import log
from .image_list import is_image
from .name_list import NameList
from .remote import TAR, file_system, retried, short_digest, user_cache

INDEX = ".ssdet-index"
VERSION = 1
_BLOCK = 1 << 16  # bytes that are read for a header
_LABEL = re.compile(r"\.(seg|mask|label|depth)\.\w+$")  # beside `key.jpg`
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


class TarError(RunError):
    """An archive in which no image can be found by its place."""

    exit_code = Exit.DATA


@dataclass
class TarIndex:
    """The images of several archives.

    Attributes:
        root: Folder or address that the archives lie in.
        shards: Their names.
        names: `shard.tar!key.jpg` of each image.
        members: Number of the archive, offset and size of each image (N, 3).
    """

    root: str
    shards: list[str]
    names: NameList
    members: np.ndarray

    def address(self, place: int) -> str:
        """What MMEngine reads."""
        shard, offset, size = self.members[place].tolist()
        archive = f"{_base(self.root)}/{self.shards[shard]}"
        key = self.names[place].partition("!")[2]
        return f"{TAR}{archive}!{offset}+{size}!{key}"


def open_tars(root: str, shards: Sequence[str], *, maps: bool = False) -> TarIndex:
    """The index of these archives: as it was stored, or made now where they have changed.

    With `maps`, label maps (`key.seg.png`) are indexed like the images.
    """
    for shard in shards:
        if shard.lower().endswith(COMPRESSED):
            raise TarError(
                f"{root}/{shard}: a compressed archive has no places to go to; unpack it: "
                f"gunzip {shard}"
            )
    about = {"version": VERSION, "shards": [[name, *_stamp(root, name)] for name in shards]}
    folder = _place(root, shards, "maps" if maps else "")
    file = folder / "index.json"
    if file.is_file():
        if json.loads(file.read_text(encoding="utf-8")) == about:
            return _stored(root, list(shards), folder)
        log(f"{root}: its archives have changed; the index is made again")
    made = _made(root, list(shards), maps)
    folder.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # what is half written has no index.json
    (folder / "names.bin").write_bytes(made.names.blob)
    np.save(folder / "ends.npy", made.names.ends)
    np.save(folder / "members.npy", made.members)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(about), encoding="utf-8")
    return made


def _stored(root: str, shards: list[str], folder: Path) -> TarIndex:
    ends, members = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ends", "members"))
    blob = (folder / "names.bin").read_bytes()
    return TarIndex(root, shards, NameList(blob, ends), members)


def _made(root: str, shards: list[str], maps: bool) -> TarIndex:
    rows = array("q")

    def names() -> Iterator[str]:
        for number, shard in enumerate(shards):
            with _opened(root, shard) as archive:
                for member in archive:
                    if _is_picture(member, maps):
                        rows.extend((number, member.offset_data, member.size))
                        yield f"{shard}!{member.name.removeprefix('./')}"

    listed = NameList.of(names())
    log(f"{root}: {len(listed):,} images in {len(shards):,} archives")
    members = np.frombuffer(rows, np.int64) if rows else np.zeros(0, np.int64)
    return TarIndex(root, shards, listed, members.reshape(-1, 3))


def _is_picture(member: tarfile.TarInfo, maps: bool) -> bool:
    """Not a link, what WebDataset says about the archive itself, or an unwanted label map."""
    name = member.name.removeprefix("./")
    top = name.partition("/")[0]
    own = (top.startswith("__") and top.endswith("__")) or "\n" in name
    wanted = is_image(name) and (maps or not _LABEL.search(name))
    return member.isreg() and not member.sparse and wanted and not own


@contextmanager
def _opened(root: str, shard: str) -> Iterator[tarfile.TarFile]:
    """Headers are read one by one; what lies between them is passed over."""
    fs, key = file_system(f"{_base(root)}/{shard}")
    file: Any = retried(lambda: fs.open(key, "rb", block_size=_BLOCK), shard)
    try:
        with file, tarfile.open(fileobj=file, mode="r:") as archive:
            yield archive
    except tarfile.TarError as error:
        raise TarError(f"{root}/{shard}: not a whole, uncompressed tar archive ({error})") from None


def _stamp(root: str, shard: str) -> list[Any]:
    """Size of an archive, and when it was written, as far as that is known."""
    fs, key = file_system(f"{_base(root)}/{shard}")
    info = retried(lambda: fs.info(key), shard)
    moment = info.get("mtime") or info.get("ETag") or info.get("etag")
    return [info["size"], moment if isinstance(moment, (int, float, str)) else None]


def _place(root: str, shards: Sequence[str], kind: str) -> Path:
    """Beside the archives; in the user's cache where that is not possible."""
    named = "\n".join([root, *shards, *filter(None, [kind])])
    if "://" not in root and os.access(root, os.W_OK):
        return Path(root) / INDEX / short_digest(named)
    return user_cache("index", named)


def _base(root: str) -> str:
    return root.rstrip("/") if "://" in root else f"file://{os.path.abspath(root)}"
