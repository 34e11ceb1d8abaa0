"""Files and folders of labels: whole or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ...exits import TEMPORARY, replacing, writing
from ...messages import warn
from ..issues import raise_data_error
from ..labeled import LabeledImage, LabelSet


@contextmanager
def text_file(path: Path) -> Iterator[Callable[[str], object]]:
    """What writes text into a file, which is there once the context ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield file.write
        file.flush()


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `target` once the context ends."""
    temporary = target.with_name(target.name + TEMPORARY)
    shutil.rmtree(temporary, ignore_errors=True)
    with writing(target):
        temporary.mkdir(parents=True)
        try:
            yield temporary
            if target.exists():
                shutil.rmtree(target)
            os.replace(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def link_images(data: LabelSet, folder: Path, name: str) -> None:
    """A link to the images where a reader looks for them; they are not copied."""
    if "://" in data.images or not os.path.isdir(data.images):
        return
    try:
        os.symlink(os.path.abspath(data.images), folder / name, target_is_directory=True)
    except OSError as error:  # some systems allow it to an administrator only
        warn(f"{folder / name}: no link to {data.images} ({error}); copy or move the images there")


def file_of(record: LabeledImage, folder: Path, suffix: str) -> Path:
    """The file of an image, named as it is; two images of one stem are an error."""
    path = folder / PurePosixPath(record.name).with_suffix(suffix)
    if path.exists():
        raise_data_error(
            "two images of one name",
            record.name,
            found=f"another image's labels in {path.name}",
            allowed="names that differ by more than their ending",
            advice="Rename one of them, or write COCO",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def boxes_only(record: LabeledImage, form: str) -> None:
    """Refuse label maps, which are no objects."""
    if record.map is not None:
        raise_data_error(
            f"label maps as {form}",
            record.name,
            found="a label map of a segmentor",
            allowed="objects with boxes",
            advice="Write masks, coco, cvat, labelstudio or labelme",
        )
