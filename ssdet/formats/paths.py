"""Names of files that come from annotation files: checked before anything is opened."""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import Image

from .issues import DataError, Issue, raise_data_error
from .options import option

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp", ".jp2")
_EXIF_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)
_LONGEST = 255  # bytes of one part of a path, on every usual file system
_LONGEST_PATH = 800  # bytes; with the root before it, macOS takes 1024 and Linux 4096


class Root:
    """A folder that the files of a data set may not leave.

    Args:
        folder: The root itself may be a symbolic link.
        follow_links: Also accept symbolic links inside the root that lead out of it.
    """

    def __init__(self, folder: str | Path, *, follow_links: bool = False) -> None:
        self.folder = Path(folder)
        self.follow_links = follow_links
        self._real = os.path.realpath(folder)
        self._inside = lru_cache(maxsize=4096)(self._contains)

    def path(self, name: object, where: str | Path) -> Path:
        """The path of a name inside the root; whether it exists is not asked."""
        relative = tidy(name, where)
        path = self.folder / relative
        # Resolving costs a system call for each part of a path: folders are remembered.
        inside = self._inside(path.parent) and (not path.is_symlink() or self._contains(path))
        if not inside and not self.follow_links:
            raise_data_error(
                "symbolic link out of the data folder",
                where,
                found=f"{relative!r} -> {os.path.realpath(path)}",
                allowed=f"files inside {self._real}",
                advice="Copy the files into the data folder, or allow it: "
                + option("follow_links", True),
            )
        return path

    def relative(self, path: Path) -> str:
        """A path below the root as a name with forward slashes."""
        return path.relative_to(self.folder).as_posix()

    def _contains(self, path: Path) -> bool:
        return os.path.commonpath([self._real, os.path.realpath(path)]) == self._real


def tidy(name: object, where: str | Path) -> str:
    """A file name of an annotation as a relative path with forward slashes, or `DataError`."""
    problem = _problem(name)
    if problem:
        raise DataError(
            Issue(
                f"file name {problem}",
                str(where),
                ascii(name)[:120],
                "a path inside the data folder, such as 'train/0001.jpg'",
                "Correct the entry, or name a folder that holds everything as the source",
            )
        )
    return os.path.normpath(str(name).replace("\\", "/")).replace(os.sep, "/")


def _problem(name: object) -> str | None:
    if not isinstance(name, str):
        return "is not text"
    if not name.strip():
        return "is empty"
    if any(ord(letter) < 32 for letter in name):
        return "has control characters"
    try:
        name.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return "has letters that no file name has"
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or re.match(r"[A-Za-z]:", name):
        return "is absolute"
    if parts[0] == "~" or os.path.normpath("/".join(parts)).split(os.sep)[0] == "..":
        return "leads out of the data folder"
    if max(len(part.encode(errors="surrogateescape")) for part in parts) > _LONGEST:
        return f"is longer than {_LONGEST} bytes"
    if len(name.encode(errors="surrogateescape")) > _LONGEST_PATH:
        return f"is longer than {_LONGEST_PATH} bytes"
    return None


def is_image(name: str | Path) -> bool:
    """Whether a name ends as an image does."""
    return str(name).lower().endswith(SUFFIXES)


def find_images(folder: Path) -> list[Path]:
    """All images below a folder, sorted; hidden folders are not searched."""
    return sorted(path for path in _walk(folder) if is_image(path))


def find_files(folder: Path, suffix: str) -> list[Path]:
    """All files below a folder that end in `suffix`, sorted."""
    return sorted(path for path in _walk(folder) if path.name.lower().endswith(suffix))


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(base, name) for name in names if not name.startswith("."))


def need_folder(folder: Path, meaning: str) -> Path:
    """The folder, or `DataError` if there is none."""
    if not folder.is_dir():
        kind = "a file" if folder.exists() else "no such file"
        advice = "Check the path; docs/datasets.md shows the layout of each format"
        # A relative path is shown from the root, to say where it was looked for.
        place = folder.absolute()
        raise_data_error(f"no {meaning}", place, found=kind, allowed="a folder", advice=advice)
    return folder


def comparable(*paths: Path) -> list[Path]:
    """Paths that have a folder in common: absolute ones, where one of them is, or goes up."""
    if any(path.is_absolute() or ".." in path.parts for path in paths):
        return [Path(os.path.abspath(path)) for path in paths]
    return list(paths)


def image_size(path: Path, where: str | Path) -> tuple[int, int]:
    """(width, height) as loaders show the image (EXIF applied), from its header alone."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(_EXIF_ORIENTATION) in _TURNED
            return (image.height, image.width) if turned else (image.width, image.height)
    except FileNotFoundError:
        cause, advice = "no such file", "Restore it, or take it out of the annotations"
    except Exception as error:  # decoders fail in many ways
        size = path.stat().st_size if path.is_file() else 0
        cause = f"{size} bytes that are not a readable image ({type(error).__name__})"
        advice = "Replace it by a whole copy, or take it out of the annotations"
    place = f"{path} (named by {where})"
    raise DataError(Issue("unreadable image", place, cause, "an image", advice, left_out=True))
