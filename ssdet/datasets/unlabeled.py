"""Unlabeled images from a folder, a glob, a list or a COCO file; annotations are never kept."""

import os
from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset
from PIL import Image

from ..registry import DATASETS
from ..validation import check_range
from .image_list import ImageList


@DATASETS.register_module()
class UnlabeledImages(BaseDataset):
    """Images without annotations, for pipelines of MMDetection and of MMSegmentation.

    Only files inside `data_root` are used: a path that leads out of it (`../`, an absolute path, a
    symbolic link) is an error. Annotations in a COCO file are dropped while it is read.

    Args:
        source: A folder (searched recursively), a glob pattern (`**` included), a `.txt` list with
            one image in each line, a COCO `.json`, or a sequence of paths.
        data_root: Where relative paths start. None: the folder itself; the fixed part of a glob
            pattern; the folder of a list or a COCO file.
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
        root = "" if data_root is None else os.fspath(data_root)
        super().__init__(data_root=root, data_prefix={}, **options)

    def load_data_list(self) -> list[dict]:
        """One entry for each image, in the order of the source (sorted for folders and globs)."""
        prefixes = self.img_prefix, self.img_suffix
        listed = ImageList(self.source, self.data_root, *prefixes, max_share=self.max_share)
        images, self.root = listed.images(), listed.root
        constant: dict = {"instances": [], "seg_fields": [], "label_map": None}
        # A label that does not exist must not be shifted, even if the labeled source shifts.
        return [{**image, **constant, "reduce_zero_label": False} for image in images]

    def image_size(self, idx: int) -> tuple[int, int]:
        """(height, width) from the annotation file, or from the header of the image file."""
        info = self.get_data_info(idx)
        if "height" in info:
            return info["height"], info["width"]
        with Image.open(info["img_path"]) as image:
            return image.height, image.width
