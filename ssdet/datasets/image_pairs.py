"""Pairs of images of one place at two times, with or without a map of what changed."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets import BaseSegDataset

from ..formats.encoding import MaskEncoding
from ..formats.files import read_lines
from ..formats.issues import Issues, raise_data_error
from ..formats.masks import split_line
from ..formats.paths import Root, find_images, need_folder
from ..registry import DATASETS, TRANSFORMS
from .bad_images import unfit
from .splits import source_checksum


@DATASETS.register_module()
class ImagePairs(BaseSegDataset):
    """Pairs for change detection, in the layout of LEVIR-CD: files of the same name in folders.

    A pipeline starts with `LoadImagePair`, followed by `LoadMask` where there are labels. A pair
    that is not whole is left out, counted and logged.

    Args:
        data_root: Holds the folders.
        only: A list of the pairs to use, one in a line: `name`, or what `ssdet split` writes
            (`A/name.png label/name.png`). None: all of the first folder.
        folders: Of the earlier images, the later images, and the label maps.
        labeled: Whether there are label maps. If not, none is looked for.
        classes: In the order of their labels.
        values: The number in a label map that stands for each class, such as (0, 255). None: a
            value is its label, and 255 is ignored.
        suffix: Ending of the names in a list that have none.
        strict: A pair that is not whole is an error.
        options: Further arguments of `BaseSegDataset`.
    """

    def __init__(
        self,
        data_root: str,
        *,
        only: str | None = None,
        folders: Sequence[str] = ("A", "B", "label"),
        labeled: bool = True,
        classes: Sequence[str] = ("unchanged", "changed"),
        values: Sequence[int] | None = None,
        suffix: str = ".png",
        strict: bool = False,
        **options: Any,
    ) -> None:
        if len(folders) < 2 + labeled or len(classes) != len(values or classes):
            raise ValueError(
                f"ImagePairs: folders={tuple(folders)}, classes={tuple(classes)}, values={values}: "
                "give the folders of earlier images, later images and label maps, and as many "
                "values as classes"
            )
        self.source, self.folders, self.suffix = only or data_root, list(folders), suffix
        self.unlabeled, self.strict = not labeled, strict
        mapped = {value: label for label, value in enumerate(values or ())}
        self.encoding = MaskEncoding(len(classes), mapped)
        metainfo = {"classes": tuple(classes), **(options.pop("metainfo", None) or {})}
        prefix = {"img_path": "", "seg_map_path": ""}
        super().__init__(data_root=data_root, data_prefix=prefix, metainfo=metainfo, **options)

    def load_data_list(self) -> list[dict]:
        """One entry for each pair that is whole."""
        root, issues = Root(self.data_root), Issues()
        entries: list[dict] = []
        used = self.folders[: 2 if self.unlabeled else 3]
        for name, where in self._names():
            paths = [self._file(root, folder, name, where) for folder in used]
            missing = [path for path in paths if not path.is_file()]
            if missing:
                issues.leave_out(
                    "pair that is not whole",
                    where,
                    found=f"no {os.path.relpath(missing[0], self.data_root)}",
                    allowed=f"a file of the same name in each of {used}",
                    advice="Restore it; pairs without label map are unlabeled ones",
                )
                continue
            entries.append(self._entry(len(entries), *map(str, paths)))
        if not entries:
            issues.raise_empty(
                "no pair of images",
                self.source,
                found="none",
                allowed="at least one",
                advice=f"The folders {used} of {self.data_root} hold files of the same names",
            )
        issues.finish(strict=self.strict)
        return entries

    def _names(self) -> Iterator[tuple[str, str]]:
        """Names below the first folder, and where they come from."""
        first = self.folders[0]
        if self.source == self.data_root:
            folders = [
                need_folder(Path(self.data_root, f), "folder of pairs") for f in self.folders[:2]
            ]
            names = {str(path.relative_to(base)) for base in folders for path in find_images(base)}
            yield from ((name, f"{folders[0]}/{name}") for name in sorted(names))
            return
        for line, text in read_lines(Path(self.source)):
            where = f"{self.source}, line {line}"
            name = split_line(text, where)[0].removeprefix(f"{first}/")
            yield name if Path(name).suffix else name + self.suffix, where

    def _file(self, root: Root, folder: str, name: str, where: str) -> Path:
        path = root.path(f"{folder}/{name}", where)
        # The images may be JPEGs; label maps never are.
        return path if folder in self.folders[:2] else path.with_suffix(".png")

    def _entry(self, number: int, earlier: str, later: str, labels: str | None = None) -> dict:
        entry: dict[str, Any] = {"img_path": earlier, "img_path2": later, "img_id": number}
        entry |= {"seg_fields": [], "label_map": None, "reduce_zero_label": False}
        if labels is not None:
            entry |= {"seg_map_path": labels, "mask_encoding": self.encoding}
        return entry

    def checksum(self) -> str:
        """What a training logs, and compares when it is resumed."""
        return source_checksum(self)


@TRANSFORMS.register_module()
class LoadImagePair(BaseTransform):
    """Loads `img_path` and `img_path2` (MMSegmentation's names) as one image of six channels.

    First the earlier image, in BGR, then the later one. What moves pixels moves both; what changes
    colors belongs into `PerImage`.
    """

    def transform(self, results: dict) -> dict:
        """Add `img` and its shapes."""
        earlier, later = (_read(results[key]) for key in ("img_path", "img_path2"))
        if earlier.shape != later.shape:
            raise_data_error(
                "images of a pair differ in size",
                results["img_path2"],
                found=f"{later.shape[1]}x{later.shape[0]}",
                allowed=f"{earlier.shape[1]}x{earlier.shape[0]}, as {results['img_path']}",
                advice="Bring both onto the same pixels: a pair is compared pixel by pixel",
            )
        results["img"] = np.concatenate([earlier, later], axis=2)
        results["img_shape"] = results["ori_shape"] = earlier.shape[:2]
        return results

    def __repr__(self) -> str:
        return "LoadImagePair()"


def _read(path: str) -> np.ndarray:
    """An image in BGR; an OSError that names it if it is not whole."""
    cause = unfit(path, deep=False)
    image = None if cause else mmcv.imfrombytes(Path(path).read_bytes(), flag="color")
    if image is None:
        raise OSError(f"{path}: {cause or 'does not decode as an image'}")
    return image
