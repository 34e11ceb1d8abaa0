"""Images by number, wherever they lie; opening a source lists names and reads no image."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path

from ..exits import Exit, RunError
from ..formats.coco import open_coco
from ..formats.files import not_text
from ..formats.json_stream import Items
from ..formats.paths import Root, tidy
from .image_list import ImageList, UnlabeledError, first_image, is_image
from .name_list import NameList
from .remote import TAR, file_system, read_bytes, retried, tar_name
from .tar_index import COMPRESSED, TarIndex, open_tars

Images = str | os.PathLike | Sequence[str]
LONG = 64 << 20  # bytes of a list


@dataclass
class Source:
    """Images of a folder, of an address such as `s3://bucket/photos`, or of tar archives.

    Attributes:
        root: What the names are relative to.
        names: Of the images, with forward slashes.
        ids: What a COCO file calls them; None: they have no other names.
        categories: The classes of that file, by name.
        tars: Where the images lie in archives.
        places: Whole addresses of the images, where a list said them.
    """

    root: str
    names: NameList
    ids: list[int | str] | None = None
    categories: dict[str, int] = field(default_factory=dict)
    tars: TarIndex | None = None
    places: NameList | None = None

    def __post_init__(self) -> None:
        self._inside = Root(self.root)

    def __len__(self) -> int:
        return len(self.names)

    def id(self, place: int) -> int | str | None:
        """What the source calls an image."""
        return None if self.ids is None else self.ids[place]

    def address(self, place: int) -> str:
        """What MMEngine reads; a path that leads out of the folder is a `DataError`."""
        if self.tars is not None:
            return self.tars.address(place)
        if self.places is not None:
            return self.places[place]
        name, where = self.names[place], f"image {place + 1} of {self.root}"
        if is_remote(self.root):
            return f"{self.root.rstrip('/')}/{tidy(name, where)}"
        return str(self._inside.path(name, where))

    def checksum(self) -> str:
        """Changes when a name or the order of the names does."""
        return self.names.checksum()


def open_source(images: Images, *, root: str | None = None) -> Source:
    """The images of a folder, a glob pattern, a `.txt` list, a COCO `.json`, or a sequence.

    A folder, a list and an image may be addresses (`s3://...`). So may tar archives: one, a folder
    of them, or a pattern. A sequence may be of whole addresses.

    Args:
        images: As `UnlabeledImages` takes it.
        root: Folder or address that the names of a list or of a COCO file are relative to. None:
            its own.
    """
    if isinstance(images, (str, os.PathLike)) and is_remote(os.fspath(images)):
        source = _remote(os.fspath(images), root)
    else:
        source = _opened(images, root)
    if not len(source):
        raise UnlabeledError(f"no image in {images!r}; give a folder, a list or a COCO file")
    return source


def _opened(images: Images, root: str | None) -> Source:
    if not isinstance(images, (str, os.PathLike)):
        if any(map(is_remote, images)):
            return _addressed(images)
        return Source(root or ".", NameList.of(_relative(name, root or ".") for name in images))
    text = os.fspath(images)
    shards = _local_tars(text)
    if shards:
        return _archives(*shards)
    if os.path.isdir(text):
        return Source(text, NameList.of(_walk(text)))
    if glob.has_magic(text) and not os.path.exists(text):
        return _listed(ImageList(text, root or ""))
    path = Path(text)
    if not path.is_file():
        raise SourceError(
            f"images {text}: no such file or folder; give a folder, a glob pattern, a .txt list, a "
            "COCO .json or an image"
        )
    folder = root or str(path.parent)
    if path.suffix.lower() == ".json":
        return _coco(path, folder)
    if is_image(text):
        return Source(folder, NameList.of([path.name]))
    return Source(folder, _lines(path, folder))


def is_remote(text: str) -> bool:
    """Whether it is an address rather than a path."""
    return "://" in text


def lies_elsewhere(text: str, root: str | None = None) -> bool:
    """Whether images have addresses rather than paths: behind a network, or in archives.

    Args:
        text: A folder, a pattern, a list, a file, or an address.
        root: What the names in a list are relative to.
    """
    return is_remote(text) or is_remote(root or "") or _local_tars(text) is not None


def archives_of(text: str, *, inside: bool = True, maps: bool = False) -> TarIndex | None:
    """The archives that a path, a pattern or an address means; None where it means none.

    Args:
        inside: Whether an address may be that of a folder of archives; it is listed then.
        maps: Index label maps of images, too.
    """
    if not is_remote(text):
        found = _local_tars(text)
    elif _is_tar(text):
        parent, _, name = text.rpartition("/")
        found = parent, [name]
    else:
        names = [name for name in sorted(names_below(text)) if _is_tar(name)] if inside else []
        found = (text, names) if names else None
    return None if found is None else open_tars(*found, maps=maps)


def is_long(images: Images) -> bool:
    """Whether it is a list of about a million names or more."""
    if not isinstance(images, str) or not images.endswith(".txt") or is_remote(images):
        return False
    return os.path.isfile(images) and os.path.getsize(images) > LONG


def _is_tar(name: str) -> bool:
    return name.lower().endswith((".tar", *COMPRESSED))


def _local_tars(text: str) -> tuple[str, list[str]] | None:
    """(folder, names) of archives, if that is what a path or a pattern means."""
    if os.path.isdir(text):
        names = sorted(name for name in os.listdir(text) if not name.startswith("."))
        found = [name for name in names if _is_tar(name)]
        others = (n for n in names if is_image(n) or os.path.isdir(os.path.join(text, n)))
        return (text, found) if found and not any(others) else None
    if not _is_tar(text):
        return None
    paths = sorted(glob.glob(text)) if glob.has_magic(text) else [text]
    if not paths or not all(map(os.path.isfile, paths)):
        raise SourceError(f"images {text}: no such archive")
    root = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])
    return root, [os.path.relpath(os.path.abspath(path), root) for path in paths]


def _archives(root: str, shards: list[str]) -> Source:
    index = open_tars(root, shards)
    return Source(root, index.names, tars=index)


def _remote(address: str, root: str | None) -> Source:
    """What an address means: an archive, a list, an image, or all that is below it."""
    parent, _, name = address.rstrip("/").rpartition("/")
    if _is_tar(address):
        return _archives(parent, [name])
    if address.endswith(".txt"):
        lines = retried(lambda: read_bytes(address), address).decode("utf-8-sig").splitlines()
        listed = (first_image(line.strip()) for line in lines)
        return Source(root or parent, NameList.of(line for line in listed if line))
    if is_image(address):
        return Source(parent, NameList.of([name]))
    if address.endswith(".json"):
        raise SourceError(f"images {address}: copy it to this machine, and name {parent} with root")
    found = sorted(names_below(address))
    images = [entry for entry in found if is_image(entry)]
    if not images and any(map(_is_tar, found)):
        return _archives(address, [entry for entry in found if _is_tar(entry)])
    return Source(address, NameList.of(images))


def _addressed(images: Sequence[str]) -> Source:
    """Images by their whole addresses; one in an archive is called `shard.tar!key.jpg`."""
    names = [tar_name(image) if image.startswith(TAR) else image for image in images]
    folders = {name.partition("!")[0].rpartition("/")[0] for name in names}
    levels = zip(*(folder.split("/") for folder in folders), strict=False)
    root = "/".join(same[0] for same in takewhile(lambda level: len(set(level)) == 1, levels))
    if not is_remote(root):
        raise SourceError(
            f"images {images[0]}, ...: they have no folder in common; give a list of addresses in "
            "one bucket, or of paths"
        )
    listed = NameList.of(name[len(root) + 1 :] for name in names)
    return Source(root.removeprefix("file://") or "/", listed, places=NameList.of(images))


def names_below(address: str) -> Iterator[str]:
    """Names of the files below an address; of a bucket, one page is in memory at a time."""
    fs, top = file_system(address)
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            entries = retried(partial(fs.ls, folder, detail=True), address)
        except FileNotFoundError:
            raise SourceError(f"images {address}: nothing is there") from None
        for entry in entries:
            if entry["type"] == "directory":
                folders.append(entry["name"])
            else:
                yield entry["name"][len(top) :].lstrip("/")


class SourceError(RunError):
    """Images that are not where they should be."""

    exit_code = Exit.DATA


def _listed(listed: ImageList) -> Source:
    found = listed.images()
    names = (_relative(image["img_path"], listed.root) for image in found)
    return Source(listed.root, NameList.of(names))


def _lines(path: Path, root: str) -> NameList:
    """A list of names; one that is nothing but names is taken as it is, in a second."""
    data = path.read_bytes()
    plain = not any(mark in data for mark in (b"\r", b" ", b"\n\n", b"\n/")) and data.isascii()
    if plain and data[:1] not in (b"\n", b"/"):
        return NameList.of_lines(data)
    del data
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = (line.strip() for line in file)
            return NameList.of(_relative(first_image(line), root) for line in lines if line)
    except UnicodeDecodeError as error:
        not_text(path, 1, error.object[error.start], error.start)


def _coco(path: Path, root: str) -> Source:
    content = open_coco(path)
    ids: list[int | str] = []

    def names() -> Iterator[str]:
        entries = content.get("images")
        for number, entry in enumerate(entries if isinstance(entries, Items) else ()):
            name = entry.get("file_name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                raise SourceError(f"{path}, images[{number}]: no file_name")
            ids.append(entry.get("id", number))
            yield _relative(name, root)

    listed = NameList.of(names())
    entries = content.get("categories") or ()
    categories = {
        entry["name"]: entry["id"]
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), int) and "name" in entry
    }
    return Source(root, listed, ids, categories)


def _walk(folder: str, below: str = "", seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Names of the images, sorted folder by folder; where links lead to is a guard's matter."""
    real = os.path.realpath(folder)
    if real in seen:  # a link to a folder that this one lies in
        return
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    for name, is_folder in found:
        if is_folder and not name.startswith("."):
            yield from _walk(os.path.join(folder, name), f"{below}{name}/", seen | {real})
        elif is_image(name) and not is_folder:
            yield below + name


def _relative(name: str, root: str) -> str:
    """A path as a name below the root; what leads out of it is refused when it is read."""
    above = os.path.join(root, "")
    if root not in ("", ".") and name.startswith(above):
        name = name[len(above) :]
    elif os.path.isabs(name):
        name = os.path.relpath(name, root)
    if "//" in name or "./" in name:
        name = os.path.normpath(name)
    return name.replace(os.sep, "/")
