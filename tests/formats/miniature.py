"""Miniature data sets in exactly the layouts of COCO, VOC, Cityscapes and the annotation tools."""

import json
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as rle

COCO_IDS = {"person": 1, "cat": 17, "dog": 18}  # with gaps, as in COCO
VOC_PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [0] * 756


def picture(path, size=(48, 64), seed=0):
    """A readable image of (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(seed).randint(0, 255, (*size, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)
    return path


def run_lengths(mask):
    code = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": code["counts"].decode()}


def coco_records(count, size=(48, 64), first=1):
    """Images from `first` on: a polygon each, a dog in every fifth, a crowd in every third."""
    height, width = size
    images, annotations = [], []

    def add(image, category, box, **more):
        w, h = box[2:]
        annotations.append(
            dict(id=len(annotations) + 1, image_id=image, category_id=COCO_IDS[category],
                 bbox=box, area=w * h, iscrowd=0) | more
        )  # fmt: skip

    for n in range(first, first + count):
        name = f"{n:012d}.jpg"
        images.append(dict(id=n, file_name=name, height=height, width=width, license=1))
        x = n % 10
        polygon = [[x, 4, x + 20, 4, x + 20, 30, x, 30]]
        add(n, "person" if n % 2 else "cat", [x, 4, 20, 26], segmentation=polygon)
        if n % 5 == 0:
            mask = np.zeros(size, bool)
            mask[10:30, 35:60] = True
            add(n, "dog", [35, 10, 25, 20], segmentation=run_lengths(mask))
        if n % 3 == 0:
            counts = [40 * height, 8 * height, (width - 48) * height]
            code = {"size": [height, width], "counts": counts}
            add(n, "person", [40, 0, 8, height], segmentation=code, iscrowd=1)
    categories = [dict(id=k, name=name, supercategory="x") for name, k in COCO_IDS.items()]
    return dict(
        info=dict(description="miniature"), licenses=[dict(id=1, name="none")],
        images=images, annotations=annotations, categories=categories,
    )  # fmt: skip


def coco(root: Path, train=20, val=6, unlabeled=6):
    """data/coco as MMDetection wants it."""
    for split, count, first in (("train2017", train, 1), ("val2017", val, 100001)):
        content = coco_records(count, first=first)
        write_json(root / "annotations" / f"instances_{split}.json", content)
        for image in content["images"]:
            picture(root / split / image["file_name"], seed=image["id"])
    extra = [dict(id=n, file_name=f"{n:012d}.jpg", height=48, width=64)
             for n in range(1, unlabeled + 1)]  # fmt: skip
    write_json(root / "annotations" / "image_info_unlabeled2017.json", dict(info={}, images=extra))
    for image in extra:
        picture(root / "unlabeled2017" / image["file_name"], seed=1000 + image["id"])
    return root


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


VOC_OBJECT = """  <object>
    <name>{name}</name><pose>Unspecified</pose><truncated>0</truncated>
    <difficult>{difficult}</difficult>
    <bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox>
    <part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part>
  </object>
"""


def voc_xml(path, objects, size=(48, 64)):
    """objects: (class, (xmin, ymin, xmax, ymax) from 1, difficult)."""
    text = "".join(VOC_OBJECT.format(name=n, box=b, difficult=d) for n, b, d in objects)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation>\n  <folder>VOC2007</folder>\n  <filename>{path.stem}.jpg</filename>\n"
        f"  <size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>\n"
        f"{text}</annotation>\n"
    )
    return path


def voc_detection(root: Path, lists):
    """VOC2007 or VOC2012: a cat each, a difficult dog in every second image."""
    for number, (name, count) in enumerate(lists.items()):
        stems = [f"{number:02}{n:04}" for n in range(count)]
        write_list(root / "ImageSets" / "Main" / f"{name}.txt", stems)
        for n, stem in enumerate(stems):
            picture(root / "JPEGImages" / f"{stem}.jpg", seed=n)
            objects = [("cat", (1, 1, 33, 40), 0), ("person", (36, 5, 64, 48), 0)]
            objects += [("dog", (10, 10, 30, 30), 1)] if n % 2 else []
            voc_xml(root / "Annotations" / f"{stem}.xml", objects)
    return root


def voc_masks(root: Path, train=16, extra=16, val=4):
    """VOC 2012: palette masks of VOC for train and val, of SBD for the others."""
    stems = {
        "train": [f"2007_{n:06}" for n in range(train)],
        "aug": [f"2008_{n:06}" for n in range(extra)],
        "val": [f"2009_{n:06}" for n in range(val)],
    }
    for part, names in stems.items():
        write_list(root / "ImageSets" / "Segmentation" / f"{part}.txt", names)
        for n, name in enumerate(names):
            picture(root / "JPEGImages" / f"{name}.jpg", seed=n + 100 * (part == "val"))
            labels = np.zeros((48, 64), np.uint8)
            labels[5:30, 5:30] = 1 + n % 20
            labels[5:30, 30] = 255  # the border of an object
            folder = "SegmentationClassAug" if part == "aug" else "SegmentationClass"
            palette_png(root / folder / f"{name}.png", labels)
    write_list(root / "ImageSets" / "Segmentation" / "trainaug.txt", stems["train"] + stems["aug"])
    return root


def palette_png(path, labels):
    image = Image.fromarray(labels)
    image.putpalette(VOC_PALETTE)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def gray_png(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)
    return path


def cityscapes(root: Path, train=16, val=3):
    """leftImg8bit and gtFine as they are downloaded: labelIds, instanceIds, color, polygons.

    Road (labelId 7) below, sky (23) above, two cars (26), a group of persons (24), and the ego
    vehicle (1), which is no class.
    """
    for split, count in (("train", train), ("val", val)):
        for n in range(count):
            city = ("aachen", "bochum")[n % 2]
            stem = f"{city}/{city}_{n:06}_000019"
            seed = n + 100 * (split == "val")
            picture(root / "leftImg8bit" / split / f"{stem}_leftImg8bit.png", seed=seed)
            instances = np.full((48, 64), 23, np.int32)
            instances[24:] = 7
            instances[30:40, 5:20] = 26000
            instances[30:40, 25:40] = 26001
            instances[20:30, 45:60] = 24
            instances[44:] = 1
            labels = np.where(instances >= 1000, instances // 1000, instances).astype(np.uint8)
            base = root / "gtFine" / split / f"{stem}_gtFine"
            gray_png(base.with_name(f"{base.name}_labelIds.png"), labels)
            gray_png(base.with_name(f"{base.name}_instanceIds.png"), instances.astype(np.uint16))
            polygon = [[5, 30], [20, 30], [20, 40], [5, 40]]
            objects = [dict(label="car", polygon=polygon)]
            write_json(
                base.with_name(f"{base.name}_polygons.json"),
                dict(imgHeight=48, imgWidth=64, objects=objects),
            )
    return root


def foggy(root: Path, betas=(0.005, 0.01, 0.02)):
    """leftImg8bit_foggy beside leftImg8bit: each picture in three densities of fog."""
    for path in sorted((root / "leftImg8bit").rglob("*.png")):
        folder = root / "leftImg8bit_foggy" / path.parent.relative_to(root / "leftImg8bit")
        for beta in betas:
            file = folder / f"{path.stem}_foggy_beta_{beta}.png"
            picture(file, seed=crc32(str(file.relative_to(root)).encode()))
    return root


def ade(root: Path, training=16, validation=3):
    """ADEChallengeData2016: 0 is nothing, 1 the first of 150 classes."""
    for split, count in (("training", training), ("validation", validation)):
        for n in range(count):
            stem = f"{split}/ADE_{split[:5].removesuffix('i')}_{n + 1:08}"
            size = (48 + 8 * (n % 3), 64)
            picture(root / "images" / f"{stem}.jpg", size, seed=n)
            labels = np.full(size, 1 + n % 150, np.uint8)
            labels[:20] = 150
            labels[20:24] = 0
            gray_png(root / "annotations" / f"{stem}.png", labels)
    return root


def write_list(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def voc_data(root: Path, count=4):
    """A VOC folder with classes cat, dog (difficult), person."""
    return voc_detection(root, {"train": count})


def yolo_data(root: Path, count=4):
    """images/train and labels/train; the last image has no objects; one polygon."""
    for n in range(count):
        picture(root / "images" / "train" / f"{n:03}.jpg", seed=n)
        lines = [f"{n % 3} 0.5 0.5 0.25 0.5", "1 0.125 0.25 0.5 0.25 0.5 0.75"]
        if n < count - 1 or count < 2:
            write_list(root / "labels" / "train" / f"{n:03}.txt", lines)
    (root / "data.yaml").write_text("train: images/train\nnc: 3\nnames: [cat, dog, owl]\n")
    return root / "data.yaml"


def labelme_data(root: Path, count=4):
    """One json beside each image: polygon, rectangle (drawn upwards), circle, a group of two."""
    shapes = [
        dict(label="cat", shape_type="polygon", points=[[2, 2], [20, 2], [20, 20], [2, 20]]),
        dict(label="dog", shape_type="rectangle", points=[[40, 30], [30, 10]], group_id=None),
        dict(label="owl", shape_type="circle", points=[[50, 24], [50, 30]]),
        dict(label="cat", points=[[30, 40], [36, 40], [36, 46]], group_id=7),
        dict(label="cat", points=[[40, 40], [46, 40], [46, 46]], group_id=7),
    ]
    for n in range(count):
        picture(root / f"{n:03}.jpg", seed=n)
        content = dict(version="5.4", flags={}, shapes=shapes, imagePath=f"{n:03}.jpg",
                       imageData=None, imageHeight=48, imageWidth=64)  # fmt: skip
        write_json(root / f"{n:03}.json", content)
    return root


CVAT_IMAGE = """  <image id="{n}" name="{n:03}.jpg" width="64" height="48">
    <box label="cat" source="manual" occluded="0" xtl="2.0" ytl="3.0" xbr="20.5" ybr="30.0"/>
    <box label="dog" xtl="20" ytl="10" xbr="40" ybr="20" rotation="90.0"/>
    <polygon label="dog" points="30.0,5.0;50.0,5.0;50.0,25.0" occluded="0"/>
    <ellipse label="owl" cx="50" cy="36" rx="6" ry="4"/>
    <mask label="owl" rle="1, 2, 3, 2, 1" left="10" top="20" width="3" height="3"/>
    <points label="cat" points="1,1"/>
  </image>
"""


def cvat_data(root: Path, count=4):
    """annotations.xml and images/."""
    for n in range(count):
        picture(root / "images" / f"{n:03}.jpg", seed=n)
    labels = "".join(f"<label><name>{name}</name></label>" for name in ("owl", "cat", "dog"))
    images = "".join(CVAT_IMAGE.format(n=n) for n in range(count))
    (root / "annotations.xml").write_text(
        f"<?xml version='1.0' encoding='utf-8'?>\n<annotations>\n  <version>1.1</version>\n"
        f"  <meta><task><labels>{labels}</labels></task></meta>\n{images}</annotations>\n"
    )
    return root / "annotations.xml"


def labelstudio_data(root: Path, count=4):
    """export.json of uploaded images: a rectangle, a polygon, a brush stroke; one task skipped."""
    # One pixel (row 0, column 1) of a mask of 2x3, and all of one of 2x2, as the tool packs them.
    brush = [0, 0, 0, 24, 57, 27, 252, 96, 17, 255, 223, 0, 0]
    tasks = []
    for n in range(count):
        size = (2, 3) if n == 0 else (48, 64)
        picture(root / "media" / f"{n:03}.png", size, seed=n)
        values = [
            dict(x=12.5, y=25, width=50, height=12.5, rotation=0, rectanglelabels=["dog"]),
            dict(points=[[0, 0], [50, 0], [50, 50]], polygonlabels=["cat"]),
            dict(choices=["sunny"]),
        ]
        if n == 0:
            values = [dict(format="rle", rle=brush, brushlabels=["cat"])]
        result = [dict(id=f"{n}-{i}", type="x", value=v) for i, v in enumerate(values)]
        old = dict(result=[], was_cancelled=False, updated_at="2024-01-01")
        new = dict(result=result, was_cancelled=False, updated_at="2025-01-01")
        address = f"/data/upload/7/0a1b2c3d-{n:03}.png"
        tasks.append(dict(id=n, data=dict(image=address), annotations=[new, old]))
    tasks.append(dict(id=99, data=dict(image="x.png"), annotations=[dict(was_cancelled=True)]))
    return write_json(root / "export.json", tasks)


def huggingface_data(root: Path, count=4):
    """metadata.jsonl beside the images, names of the classes in README.md."""
    rows = []
    for n in range(count):
        picture(root / f"{n:03}.jpg", seed=n)
        objects = dict(bbox=[[2, 3, 20, 10], [30, 5, 10, 40]], categories=[1, 0])
        rows.append(json.dumps(dict(file_name=f"{n:03}.jpg", objects=objects)))
    write_list(root / "metadata.jsonl", rows)
    (root / "README.md").write_text(
        "---\ndataset_info:\n  features:\n  - name: objects\n    sequence:\n"
        "    - name: categories\n      dtype:\n        class_label:\n          names:\n"
        "            '0': dog\n            '1': cat\n---\n# Pets\n"
    )
    return root


def camvid(root: Path, counts=(("train", 6), ("val", 2), ("test", 3))):
    """Label maps beside the images, in train/ and trainannot/; 3 is the void."""
    for part, count in counts:
        for n in range(count):
            picture(root / part / f"{part}{n}.png", seed=n + 100 * len(part))
            labels = np.zeros((48, 64), np.uint8)
            labels[:, 10:30], labels[:, 30:40], labels[:, 60:] = 1, 2, 3
            gray_png(root / f"{part}annot" / f"{part}{n}.png", labels)
    return root
