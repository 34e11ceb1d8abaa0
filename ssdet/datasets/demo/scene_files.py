"""The demo set on disk, laid out as COCO, Pascal VOC or Cityscapes: to try importers and configs.

Each writer takes the scene options of `DigitScenes` and makes the same scenes as it does, split
into labeled and unlabeled training images and validation images.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as rle

from .digit_scenes import DigitScenes, DigitScenesSeg, instances_of
from .scenes import Scene

PARTS = ("labeled", "unlabeled", "val")


def write_coco(
    root: str | os.PathLike, *, train: int = 200, val: int = 50, labeled: int = 20, **scenes: Any
) -> Path:
    """Write `train/`, `val/` and `annotations/instances_{train,labeled,val}.json`.

    The training images without labels are in `instances_train-unlabeled.json`, which has no
    annotations; `instances_train.json` has those of all training images.
    """
    folder = _new_folder(root)
    parts = _parts(DigitScenes, train, val, labeled, scenes)
    contents: dict[str, list[dict]] = {part: [] for part in PARTS}
    for part, info, scene in _all_scenes(parts):
        directory = folder / ("val" if part == "val" else "train")
        name = f"{info['img_id']:06d}.png"
        _write_image(directory / name, scene.image)
        image = {"id": info["img_id"], "file_name": name}
        image |= {"height": info["height"], "width": info["width"]}
        contents[part].append({"image": image, "instances": instances_of(scene)})
    everything = sorted(contents["labeled"] + contents["unlabeled"], key=lambda c: c["image"]["id"])
    files = {
        "instances_train": (everything, True),
        "instances_labeled": (contents["labeled"], True),
        "instances_train-unlabeled": (contents["unlabeled"], False),
        "instances_val": (contents["val"], True),
    }
    classes = parts["labeled"].metainfo["classes"]
    (folder / "annotations").mkdir()
    for name, (content, annotated) in files.items():
        text = json.dumps(_coco(content, classes, annotated))
        (folder / "annotations" / f"{name}.json").write_text(text)
    return folder


def write_voc(
    root: str | os.PathLike, *, train: int = 200, val: int = 50, labeled: int = 20, **scenes: Any
) -> Path:
    """Write JPEGImages, Annotations, SegmentationClass, SegmentationObject and ImageSets.

    `ImageSets/Main` and `ImageSets/Segmentation` have lists train, labeled, unlabeled and val;
    unlabeled images have no annotation files.
    """
    folder = _new_folder(root)
    parts = _parts(DigitScenesSeg, train, val, labeled, scenes)
    names: dict[str, list[str]] = {part: [] for part in PARTS}
    for part, info, scene in _all_scenes(parts):
        name = f"{'val' if part == 'val' else 'train'}_{info['img_id']:06d}"
        names[part].append(name)
        _write_image(folder / "JPEGImages" / f"{name}.jpg", scene.image)
        if part != "unlabeled":
            meta = parts[part].metainfo
            _write_xml(folder / "Annotations" / f"{name}.xml", scene, meta["classes"][1:])
            pixels = {"SegmentationClass": scene.label_map, "SegmentationObject": _objects(scene)}
            for kind, labels in pixels.items():
                _write_palette(folder / kind / f"{name}.png", labels, meta["palette"])
    names["train"] = sorted(names["labeled"] + names["unlabeled"])
    for kind in ("Main", "Segmentation"):
        for part, lines in names.items():
            _write_list(folder / "ImageSets" / kind / f"{part}.txt", lines)
    return folder


def write_cityscapes(
    root: str | os.PathLike, *, train: int = 200, val: int = 50, labeled: int = 20, **scenes: Any
) -> Path:
    """Write leftImg8bit and gtFine (`..._gtFine_labelTrainIds.png`) of one city, 'digits'.

    Unlabeled images have no label map; `labeled.txt`, `unlabeled.txt` and `val.txt` list the
    images without their suffix, as `ann_file` of MMSegmentation takes them.
    """
    folder = _new_folder(root)
    parts = _parts(DigitScenesSeg, train, val, labeled, scenes)
    names: dict[str, list[str]] = {part: [] for part in PARTS}
    for part, info, scene in _all_scenes(parts):
        split = "val" if part == "val" else "train"
        name = f"digits/digits_{info['img_id']:06d}_000000"
        names[part].append(name)
        _write_image(folder / "leftImg8bit" / split / f"{name}_leftImg8bit.png", scene.image)
        if part != "unlabeled":
            path = folder / "gtFine" / split / f"{name}_gtFine_labelTrainIds.png"
            _write_image(path, scene.label_map)
    for part, lines in names.items():
        _write_list(folder / f"{part}.txt", lines)
    return folder


def _parts(
    kind: type[DigitScenes], train: int, val: int, labeled: int, scenes: Mapping[str, Any]
) -> dict[str, DigitScenes]:
    counts = {"labeled": train, "unlabeled": train, "val": val}
    return {p: kind(split=p, count=counts[p], labeled=labeled, **scenes) for p in PARTS}


def _all_scenes(parts: Mapping[str, DigitScenes]) -> Iterable[tuple[str, dict, Scene]]:
    for part, dataset in parts.items():
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            yield part, info, info["scene"].open()


def _coco(content: list[dict], classes: tuple[str, ...], annotated: bool) -> dict:
    categories = [{"id": k, "name": name} for k, name in enumerate(classes, start=1)]
    coco = {"images": [entry["image"] for entry in content], "categories": categories}
    if not annotated:
        return coco
    annotations: list[dict] = []
    for entry in content:
        for instance in entry["instances"]:
            x1, y1, x2, y2 = instance["bbox"]
            annotation = {"id": len(annotations) + 1, "image_id": entry["image"]["id"]}
            annotation |= {"category_id": instance["bbox_label"] + 1, "iscrowd": 0}
            annotation |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "segmentation": instance["mask"]}
            annotations.append({**annotation, "area": float(rle.area(instance["mask"]))})
    return {**coco, "annotations": annotations}


def _write_xml(path: Path, scene: Scene, classes: tuple[str, ...]) -> None:
    """Corners in VOC count pixels from 1, the last one included."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{path.stem}.jpg"
    size = ElementTree.SubElement(root, "size")
    for name, side in zip(("height", "width", "depth"), scene.image.shape, strict=True):
        ElementTree.SubElement(size, name).text = str(side)
    for label, (x1, y1, x2, y2) in zip(scene.labels, scene.boxes.astype(int), strict=True):
        thing = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(thing, "name").text = classes[label]
        ElementTree.SubElement(thing, "difficult").text = "0"
        box = ElementTree.SubElement(thing, "bndbox")
        corners = {"xmin": x1 + 1, "ymin": y1 + 1, "xmax": x2, "ymax": y2}
        for name, value in corners.items():
            ElementTree.SubElement(box, name).text = str(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path)


def _objects(scene: Scene) -> np.ndarray:
    """Number of the object at each pixel, from 1; 0 is background."""
    numbers = np.arange(1, len(scene.masks) + 1, dtype=np.uint8)[:, None, None]
    return (scene.masks * numbers).sum(0, dtype=np.uint8)


def _write_palette(path: Path, labels: np.ndarray, palette: list[tuple[int, int, int]]) -> None:
    image = Image.fromarray(labels).convert("P")
    image.putpalette([channel for color in palette for channel in color])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def _write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), image, quality):
        raise OSError(f"{path}: the image cannot be written; is there space left on the device?")


def _write_list(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def _new_folder(root: str | os.PathLike) -> Path:
    folder = Path(root)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; choose a new folder for the demo set")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
