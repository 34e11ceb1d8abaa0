"""Unlabeled images from a folder, a glob, a list or a COCO file; annotations are never kept."""

import os
from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset
from PIL import Image

from ..registry import DATASETS
from ..validation import check_range
from .image_list import ImageList, UnlabeledError
from .remote import size_of_image
from .sources import Source, is_long, lies_elsewhere, open_source


@DATASETS.register_module()
class UnlabeledImages(BaseDataset):
    """Images without annotations, for pipelines of MMDetection and of MMSegmentation.

    Only files inside `data_root` are used: a path that leads out of it (`../`, an absolute path, a
    symbolic link) is an error. Annotations in a COCO file are dropped while it is read.

    Args:
        source: A folder (searched recursively), a glob pattern (`**` included), a `.txt` list with
            one image in each line, a COCO `.json`, or a sequence of paths. A folder, a list or an
            image may be an address (`s3://...`); so may tar archives: one, a folder of them, or
            a pattern. Of a list above 64 MiB, no file is looked at before it is needed.
        data_root: Where relative paths start; an address, too. None: the folder itself; the fixed
            part of a glob pattern; the folder of a list or a COCO file.
        img_prefix: Folder inside `data_root` in which the files of a list or COCO file lie.
        img_suffix: Ending of the names in a list that have none, such as '.jpg' for VOC's lists.
        max_share: How much of all images one folder directly below `data_root` may give.
            Of larger ones images are left out, and counted in the log.
        options: Further arguments of `BaseDataset`, such as `pipeline`.
    """

    unlabeled = True

    def __init__(
        self,
        source: str | os.PathLike | Sequence[str],
        *,
        data_root: str | os.PathLike | None = None,
        img_prefix: str = "",
        img_suffix: str = "",
        max_share: float = 1.0,
        **options: Any,
    ) -> None:
        self.source = os.fspath(source) if isinstance(source, (str, os.PathLike)) else list(source)
        self.img_prefix, self.img_suffix = img_prefix, img_suffix
        check_range("UnlabeledImages", "max_share", max_share)
        self.max_share = max_share
        self.root = ""  # that paths were found to lie in
        self._by_number: Source | None = None  # what is too long for a list of dicts
        root = "" if data_root is None else os.fspath(data_root)
        super().__init__(data_root=root, data_prefix={}, **options)

    def load_data_list(self) -> list[dict]:
        """One entry for each image, in the order of the source (sorted for folders and globs)."""
        if isinstance(self.source, str) and lies_elsewhere(self.source, self.data_root):
            self._only_files()
            source = open_source(self.source, root=self.data_root or None)
            self.root = source.root
            return [self._entry(source, place) for place in range(len(source))]
        prefixes = self.img_prefix, self.img_suffix
        listed = ImageList(self.source, self.data_root, *prefixes, max_share=self.max_share)
        images, self.root = listed.images(), listed.root
        return [_plain(**image) for image in images]

    def full_init(self) -> None:
        """List the images; a very long list stays as it is, in the memory of its letters."""
        whole = self.max_share == 1 and not self._indices and not self.filter_cfg
        names = self.img_prefix or self.img_suffix
        done: bool = self._fully_initialized  # type: ignore[has-type]
        if done or names or not whole or not is_long(self.source):
            super().full_init()
            return
        self._by_number = open_source(self.source, root=self.data_root or None)
        self.root, self._fully_initialized = self._by_number.root, True

    def __len__(self) -> int:
        return super().__len__() if self._by_number is None else len(self._by_number)

    def get_data_info(self, idx: int) -> dict:
        """What is known of an image."""
        if self._by_number is None:
            return super().get_data_info(idx)
        place = idx % len(self._by_number)
        return {**self._entry(self._by_number, place), "sample_idx": place}

    def _only_files(self) -> None:
        """Refuse what is done with paths only; nothing is left out silently."""
        given = dict(img_prefix=self.img_prefix, img_suffix=self.img_suffix)
        named = [key for key, value in given.items() if value]
        named += ["max_share"] if self.max_share < 1 else []
        if named:
            raise UnlabeledError(
                f"UnlabeledImages: {self.source!r}: {', '.join(named)} has no effect on images at "
                "addresses or in archives; leave it out, and name the images with source and "
                "data_root"
            )

    @staticmethod
    def _entry(source: Source, place: int) -> dict:
        return _plain(img_path=source.address(place), img_id=place)

    def image_size(self, idx: int) -> tuple[int, int]:
        """(height, width) from the annotation file, or from the header of the image file."""
        info = self.get_data_info(idx)
        if "height" in info:
            return info["height"], info["width"]
        if "://" in info["img_path"]:
            return size_of_image(info["img_path"])
        with Image.open(info["img_path"]) as image:
            return image.height, image.width


def _plain(**image: Any) -> dict[str, Any]:
    # A label that does not exist must not be shifted, even if the labeled source shifts.
    constant: dict[str, Any] = {"instances": [], "seg_fields": [], "label_map": None}
    return {**image, **constant, "reduce_zero_label": False}
