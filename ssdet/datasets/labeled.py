"""Labeled images of any format that the importers read, without converting anything."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets import BaseDetDataset
from mmengine import fileio
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from ..formats import Annotations, Instance, read, read_classes
from ..formats.benchmarks import PRESETS, preset_classes
from ..formats.class_values import encoding_of, settle, several
from ..formats.encoding import OTHER_SIZE, MaskEncoding
from ..formats.files import read_lines
from ..formats.issues import raise_data_error
from ..registry import DATASETS, TRANSFORMS
from .elsewhere import Pairs, addresses, local_copy, place_of_images, read_pairs
from .sources import lies_elsewhere
from .splits import match, source_checksum


@DATASETS.register_module()
class LabeledImages(BaseDetDataset):
    """Boxes and instance masks for MMDetection, from any format of `ssdet.formats.FORMATS`.

    A pipeline starts with `LoadImageFromFile` and MMDetection's `LoadAnnotations`. Crowds and
    difficult objects are ignored: neither positive nor negative examples. Where a COCO file says of
    which classes all objects are labeled in an image, its sample has them as `exhaustive`.

    Args:
        source: File or folder; see `ssdet.formats.FORMATS`. A COCO file may have an address
            (`s3://...`).
        format: A key of `FORMATS`.
        only: List of the images to use, as `ssdet split` writes it. None: all.
        images: Folder of the images, where the source does not say it. Those of a COCO file may
            also lie at an address, or in tar archives: one, a folder of them, or a pattern.
        split: Part of the data, where the source has several.
        names: Names of the classes in the order of their numbers, for a YOLO folder that has none.
        predictions: Of a task of Label Studio that nobody annotated, take the prediction.
        follow_links: Accept symbolic links out of the data folder.
        strict: A record that cannot be used is an error, not a counted skip.
        options: Further arguments of `BaseDetDataset`. `metainfo=dict(classes=...)` chooses classes
            and their order; by default it is that of the source.
    """

    def __init__(
        self,
        source: str,
        format: str = "coco",
        *,
        only: str | None = None,
        images: str | None = None,
        split: str | None = None,
        names: Sequence[str] = (),
        predictions: bool = False,
        follow_links: bool = False,
        strict: bool = False,
        **options: Any,
    ) -> None:
        at = place_of_images(source, images)
        if at is not None and format != "coco":
            raise_data_error(
                "labels at an address, or images in archives",
                source,
                found=f"format={format!r}",
                allowed="format='coco'",
                advice="Convert the labels where the images have paths: ssdet convert",
            )
        source = local_copy(source)
        self.source = only or source
        reading: dict[str, Any] = {"split": split, "follow_links": follow_links}
        reading |= {"classes": tuple(names), "predictions": predictions}
        data = read(source, format, strict=strict, images=None if at else images, **reading)
        self._data: Annotations | None = _chosen(data, only)
        self._addresses = {} if at is None else addresses(at, self._data.records)
        metainfo = {"classes": data.classes, **(options.pop("metainfo", None) or {})}
        super().__init__(metainfo=metainfo, **options)

    def load_data_list(self) -> list[dict]:
        """One entry for each image."""
        data, self._data = self._data, None
        if data is None:
            raise RuntimeError("LabeledImages: the data list was loaded already")
        classes = list(self.metainfo["classes"])
        labels = {n: classes.index(name) for n, name in enumerate(data.classes) if name in classes}
        counted = sum(i.label in labels for record in data.records for i in record.instances)
        if not counted and not self.test_mode:
            raise_data_error(
                f"0 of {len(data.records)} images have objects of the configured classes",
                data.source,
                found=f"classes {list(data.classes)}",
                allowed=f"classes {classes}",
                advice="Names are case-sensitive; correct metainfo.classes in the config",
            )
        # Where any image says what is labeled in it, the others are labeled completely.
        gaps, everything = any(r.exhaustive is not None for r in data.records), range(len(classes))
        entries: list[dict] = []
        for number, record in enumerate(data.records):
            kept = [_entry(i, labels[i.label]) for i in record.instances if i.label in labels]
            path = self._addresses.get(record.name) or str(data.path(record))
            image_id = number if record.id is None else record.id
            size = {"height": record.height, "width": record.width}
            entries.append({"img_path": path, "img_id": image_id, **size, "instances": kept})
            if gaps:
                own = record.exhaustive
                known = everything if own is None else (labels[n] for n in own if n in labels)
                entries[-1]["exhaustive"] = tuple(known)
        return entries

    def filter_data(self) -> list[dict]:
        """Leave out what `filter_cfg` says: `filter_empty_gt`, `min_size`."""
        config = {} if self.test_mode else self.filter_cfg or {}
        smallest, full = config.get("min_size", 0), config.get("filter_empty_gt", False)
        kept = [
            entry
            for entry in self.data_list
            if min(entry["height"], entry["width"]) >= smallest and (entry["instances"] or not full)
        ]
        if len(kept) < len(self.data_list):
            left_out = len(self.data_list) - len(kept)
            print_log(f"LabeledImages: filter_cfg left out {left_out} images", "current")
        return kept

    def checksum(self) -> str:
        """What a training logs, and compares when it is resumed."""
        return source_checksum(self)


@DATASETS.register_module()
class LabeledMasks(BaseSegDataset):
    """Images with label maps for MMSegmentation: a folder, or a list of pairs.

    A pipeline loads the label map with `LoadMask`, which also knows colors and mapped values.
    MMSegmentation's `LoadAnnotations` does where a value is its label.

    Args:
        source: A list with lines `image mask`, or a folder; see `FORMATS`. Both may be addresses
            (`s3://...`; a folder has `images/` and `masks/`). So may tar archives, in which
            `key.seg.png` is the map of `key.jpg`.
        format: A key of `FORMATS`: 'list', 'masks', 'voc-masks', 'cityscapes' or 'ade'.
        classes: 'voc', 'cityscapes', 'ade' or 'coco' (background and 80 things); a class file
            (lines `name` or `name red green blue`); or the names. None: what the source says.
        only: List of the images to use. None: all.
        images: For 'list', where its paths start (None: at the list); else folder of the images.
        masks: Folder of the label maps, where the source does not say it.
        split: Part of the data, where the source has several.
        values: Gray values of the classes, in their order; several for one class are a list.
        colors: The same for maps in RGB: [red, green, blue] of each class.
        ignore: Values (or colors) that are neither learned nor evaluated, like 255.
        follow_links: Accept symbolic links out of the data folder.
        strict: A pair that cannot be used is an error, not a counted skip.
        options: Further arguments of `BaseSegDataset`.
    """

    def __init__(
        self,
        source: str,
        format: str = "list",
        *,
        classes: str | Sequence[str] | None = None,
        only: str | None = None,
        images: str | None = None,
        masks: str | None = None,
        split: str | None = None,
        values: Sequence[Any] | None = None,
        colors: Sequence[Any] | None = None,
        ignore: Sequence[Any] = (),
        follow_links: bool = False,
        strict: bool = False,
        **options: Any,
    ) -> None:
        self.source = only or source
        reading: dict[str, Any] = {"images": images, "masks": masks, "split": split}
        reading["follow_links"] = follow_links
        if values is not None or colors is not None:
            reading["encoding"] = encoding_of(values, colors, ignore)
        else:
            reading["ignore"] = tuple(ignore)
        metainfo: dict[str, Any] = {}
        if isinstance(classes, str) and classes in PRESETS:
            metainfo = preset_classes(classes)
        elif isinstance(classes, str):
            names, table = read_classes(Path(classes))
            metainfo = {"classes": names, **({"palette": list(table)} if table else {})}
            reading["colors"] = table
        elif classes is not None:
            metainfo = {"classes": tuple(classes)}
        if colors is not None:
            metainfo.setdefault("palette", [several(entry)[0] for entry in colors])
        reading["classes"] = metainfo.get("classes", ())
        self._data: Annotations | None = _chosen(
            _pairs_elsewhere(source, reading)
            if lies_elsewhere(source, images)
            else read(source, format, strict=strict, **reading),
            only,
        )
        metainfo = {"classes": self._data.classes, **metainfo, **(options.pop("metainfo", {}))}
        super().__init__(metainfo=metainfo, **options)

    def load_data_list(self) -> list[dict]:
        """One entry for each pair."""
        data, self._data = self._data, None
        if data is None:
            raise RuntimeError("LabeledMasks: the data list was loaded already")
        shared = {"label_map": self.label_map, "reduce_zero_label": self.reduce_zero_label}
        places, maps = (data.places, data.maps) if isinstance(data, Pairs) else ({}, {})
        return [
            {
                "img_path": places.get(record.name) or str(data.path(record)),
                "seg_map_path": maps.get(record.name) or str(record.mask),
                "mask_encoding": data.encoding,
                "seg_fields": [],
                **shared,
            }
            for record in data.records
        ]

    def checksum(self) -> str:
        """What a training logs, and compares when it is resumed."""
        return source_checksum(self)


@TRANSFORMS.register_module()
class LoadMask(BaseTransform):
    """Loads the label map of a `LabeledMasks` sample; a value that is no class is an error."""

    def transform(self, results: dict) -> dict:
        """Add `gt_seg_map`, 255 where nothing is to be learned."""
        path = results["seg_map_path"]
        file = io.BytesIO(fileio.get(path)) if "://" in path else None
        labels: np.ndarray = results["mask_encoding"].decode(path, file)
        # After a `Resize`, as in an evaluation, the label map keeps the size of the image file.
        resized = "scale_factor" in results
        height, width = results["ori_shape"] if resized else results["img"].shape[:2]
        if labels.shape != (height, width):
            raise_data_error(
                "label map of another size than its image",
                results["seg_map_path"],
                found=f"{labels.shape[1]}x{labels.shape[0]}",
                allowed=f"{width}x{height}, as {results['img_path']}",
                advice=OTHER_SIZE,
            )
        results["gt_seg_map"] = labels
        results["seg_fields"].append("gt_seg_map")
        return results

    def __repr__(self) -> str:
        return "LoadMask()"


def _pairs_elsewhere(source: str, reading: Mapping[str, Any]) -> Pairs:
    classes = tuple(reading["classes"])
    encoding = reading.get("encoding") or MaskEncoding(
        len(classes), colors=reading.get("colors") or {}
    )
    classes, encoding = settle(classes, encoding, reading.get("ignore", ()))
    return read_pairs(source, reading["images"], classes, encoding)


def _chosen(data: Annotations, only: str | None) -> Annotations:
    if only is None:
        return data
    names = [record.name for record in data.records]
    return data.subset(match(read_lines(Path(only)), names, Path(only)))


def _entry(instance: Instance, label: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "bbox": list(instance.box),
        "bbox_label": label,
        "ignore_flag": int(instance.ignored),
    }
    if instance.segmentation is not None:
        entry["mask"] = instance.segmentation
    if instance.score is not None:
        entry["score"] = instance.score
    return entry
