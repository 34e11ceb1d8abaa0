"""The malformed variants: what is changed, what the doctor says, what training says.

name -> (change(root, config), severity, text of the doctor, text of the training). The training's
text is None where it goes on as if nothing were wrong, and `Skipped(n)` where it leaves n images
out. A text of the doctor is a regular expression for `where: what: found ...`.
"""

import json
import os
import shutil
import struct
import zlib
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from .place import change, picture


class Skipped(NamedTuple):
    count: int


class Warned(NamedTuple):
    """Training goes on after a warning of the quick check."""

    text: str


def image(name, action):
    """Change one image file."""
    return lambda root, config: action(root / name)


def cut(share):
    def action(path):
        data = path.read_bytes()
        path.write_bytes(data[: share if share < 0 else int(len(data) * share)])

    return action


def as_png(path, array_or_image, **save):
    """Keep the name of the annotation, whatever the format."""
    picture_ = array_or_image
    if isinstance(picture_, np.ndarray):
        picture_ = Image.fromarray(picture_)
    picture_.save(path, format=save.pop("format", "PNG"), **save)


def exif(path, orientation, size=(64, 48)):
    tags = Image.Exif()
    tags[0x0112] = orientation
    picture(path, 7, size, exif=tags)


def converted(mode, format="PNG"):
    def action(path):
        as_png(path, Image.open(path).convert(mode), format=format)

    return action


def sixteen_colors(path):
    values = np.random.RandomState(0).randint(0, 65535, (48, 64, 3)).astype(np.uint16)
    path.write_bytes(cv2.imencode(".png", values)[1].tobytes())


def sixteen_tiff(path):
    values = np.random.RandomState(0).randint(0, 65535, (48, 64)).astype(np.uint16)
    path.write_bytes(cv2.imencode(".tif", values)[1].tobytes())


def header_only(path):
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\xff\xda")])


def two_bad(root, config):
    for n in range(2):
        (root / "unlabeled" / f"{200 + n}.jpg").write_bytes(b"")


def listed(root, config, line="unlabeled/999.jpg"):
    (root / "list.txt").write_text(f"unlabeled/200.jpg\n{line}\n")
    config.train_dataloader.dataset.datasets[1].source = str(root / "list.txt")


def ignoring_exif(root, config):
    exif(root / "labeled/000.jpg", 6, (48, 64))
    source = config.train_dataloader.dataset.datasets[0]
    source.pipeline[0].shared[0].color_type = "color_ignore_orientation"


def folder_as_image(path):
    path.unlink()
    path.mkdir()


def bomb(path):
    """30000 x 30000 pixels in a file of a few hundred bytes."""
    rows = zlib.compress(bytes(1000))
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


DEEP = r"002\.jpg: 16 bits in a channel.*LoadDeepImage.*labeled image 2"
LABELED, CUT_OFF = (
    "labeled/002.jpg",
    r"002\.jpg: truncated image: (found )?no \w+ marker in \d+ b",
)
FILES = {
    "missing": (image(LABELED, os.remove), "error", r"labeled/002\.jpg: missing file",
                r"002\.jpg.*[Nn]o such file.*labeled image 2"),
    "zero bytes": (image(LABELED, lambda p: p.write_bytes(b"")), "error",
                   r"002\.jpg: empty file: found 0 bytes", r"002\.jpg.*empty \(0 bytes\)"),
    "text as jpg": (image(LABELED, lambda p: p.write_text("not an image")), "error",
                    r"file that is not an image: found 12 bytes that start with b'not an image'",
                    r"002\.jpg.*does not decode as an image.*not an"),
    "header only": (image(LABELED, header_only), "error", CUT_OFF, CUT_OFF),
    "half a jpeg": (image(LABELED, cut(0.5)), "error", CUT_OFF, CUT_OFF),
    "jpeg without its last two bytes": (image(LABELED, cut(-2)), "error", CUT_OFF, CUT_OFF),
    "half a png": (image(LABELED, lambda p: (converted("RGB")(p), cut(0.5)(p))), "error",
                   CUT_OFF, CUT_OFF),
    "png without its end": (image(LABELED, lambda p: (converted("RGB")(p), cut(-6)(p))), "error",
                            CUT_OFF, CUT_OFF),
    "a folder with the name of an image": (image(LABELED, folder_as_image), "error",
                                           r"unreadable file: found Is a directory",
                                           r"002\.jpg.*Is a directory"),
    "unlabeled zero bytes": (image("unlabeled/203.jpg", lambda p: p.write_bytes(b"")), "warning",
                              r"203\.jpg: empty file: found 0 bytes\. Training skips", Skipped(1)),
    "unlabeled cut off": (image("unlabeled/203.jpg", cut(0.7)), "warning",
                           r"203\.jpg: truncated image", Skipped(1)),
    "unlabeled text": (image("unlabeled/203.jpg", lambda p: p.write_text("x")), "warning",
                        r"203\.jpg: file that is not an image", Skipped(1)),
    "many unlabeled damaged": (two_bad, "error", r"empty file.*2 of 8 images are damaged and "
                                r"training stops after 1", r"2 of 8 images cannot be read"),
    "listed and missing": (listed, "error", r"unlabeled/999\.jpg: missing file",
                           r"line 2: '.*999\.jpg' does not exist"),
    "validation cut off": (image("val/101.jpg", cut(0.5)), "error",
                           r"val/101\.jpg: truncated image",
                           r"101\.jpg: truncated image.*image 1 of the CocoDataset"),
    "validation zero bytes": (image("val/101.jpg", lambda p: p.write_bytes(b"")), "error",
                              r"val/101\.jpg: empty file", r"101\.jpg: the file is empty"),
    "another size": (image(LABELED, lambda p: picture(p, 2, (32, 24))), "error",
                     r"size differs from the annotations: found 32x24 as loaded; "
                     r"allowed: 64x48, as in .*labeled\.json, images\[2\]",
                     r"002\.jpg: the image is loaded as 32x24.*for 64x48"),
    "turned by EXIF": (image(LABELED, lambda p: exif(p, 6)), "error",
                       r"boxes of the image before its EXIF rotation: found 48x64 as loaded "
                       r"\(EXIF orientation 6\)", r"loaded as 48x64.*for 64x48.*EXIF"),
    "not turned by the loader": (ignoring_exif, "error",
                                 r"boxes of the image after its EXIF rotation: found 48x64",
                                 r"loaded as 48x64"),
    "turned, and so are the boxes": (image(LABELED, lambda p: exif(p, 6, (48, 64))), "info",
                                     r"EXIF orientation: found orientation 6, applied", None),
    "upside down": (image(LABELED, lambda p: exif(p, 3)), "warning",
                    r"EXIF orientation that the size cannot confirm: found orientation 3", None),
    "mirrored, unlabeled": (image("unlabeled/200.jpg", lambda p: exif(p, 2)), "info",
                             r"200\.jpg: EXIF orientation: found orientation 2", None),
    "gray": (image(LABELED, converted("L", "JPEG")), "info", r"gray image: found JPEG, mode L",
             None),
    "palette": (image(LABELED, converted("P")), "info", r"palette image: found PNG, mode P", None),
    "16 bits, gray": (image(LABELED, converted("I;16")), "error",
                      r"more than 8 bits per channel: found 16 bits \(PNG", DEEP),
    "16 bits, color": (image(LABELED, sixteen_colors), "error",
                        r"more than 8 bits per channel: found 16 bits \(PNG, mode RGB\)", DEEP),
    "16 bits, tiff": (image(LABELED, sixteen_tiff), "error",
                      r"more than 8 bits per channel: found 16 bits \(TIFF", DEEP),
    "16 bits, unlabeled": (image("unlabeled/203.jpg", sixteen_colors), "warning",
                            r"203\.jpg: more than 8 bits per channel", Skipped(1)),
    "a long strip": (image("unlabeled/203.jpg", lambda p: picture(p, 1, (3000, 1))), "warning",
                     r"tiny image: found 3000x1", Skipped(1)),
    "a long strip, labeled": (image(LABELED, lambda p: picture(p, 1, (30000, 12))), "error",
                              r"extremely long image: found 30000x12",
                              r"002\.jpg: extremely long image: 30000x12"),
    "too many pixels": (image(LABELED, bomb), "error", r"002\.jpg: image too large: found ",
                        r"002\.jpg: image too large: allowed: 178956970 pixels"),
    "too many pixels, unlabeled": (image("unlabeled/203.jpg", bomb), "warning",
                                    r"203\.jpg: image too large", Skipped(1)),
    "CMYK": (image(LABELED, converted("CMYK", "JPEG")), "warning",
             r"CMYK image: found JPEG, mode CMYK", None),
    "alpha": (image(LABELED, converted("RGBA")), "warning", r"alpha channel: found PNG, mode RGBA",
              None),
    "gray with alpha": (image(LABELED, converted("LA")), "warning", r"alpha channel.*mode LA",
                        None),
    "one pixel": (image("unlabeled/200.jpg", lambda p: picture(p, 1, (1, 1))), "warning",
                  r"tiny image: found 1x1", None),
    "a strip": (image("unlabeled/200.jpg", lambda p: picture(p, 1, (1000, 12))), "warning",
                r"extremely long image: found 1000x12", None),
    "a png called jpg": (image(LABELED, converted("RGB")), "info",
                         r"file extension does not match the format: found PNG named \.jpg", None),
}  # fmt: skip


def record(edit, name="labeled"):
    """Change the first annotation."""
    return lambda root, config: change(root, name, lambda c: edit(c["annotations"][0]))


def content(edit, name="labeled"):
    """Change a COCO file."""
    return lambda root, config: change(root, name, edit)


def only_cats(c):
    c["annotations"] = [a for a in c["annotations"] if a["category_id"] == 1]


def classes(*names):
    def action(root, config):
        for source in (config.train_dataloader.dataset.datasets[0], config.val_dataloader.dataset):
            source.metainfo.classes = names
        config.model.detector.bbox_head.num_classes = len(names)

    return action


def other_validation_classes(root, config):
    config.val_dataloader.dataset.metainfo = dict(classes=("dog", "cat"))


def unlabeled_json(**first):
    def action(root, config):
        images = [dict(id=1, file_name="unlabeled/200.jpg") | first]
        (root / "u.json").write_text(json.dumps(dict(images=images)))
        config.train_dataloader.dataset.datasets[1].source = str(root / "u.json")

    return action


def unlabeled_by_mmdetection(root, config):
    """An unlabeled source as MMDetection's own configs have it, annotations and all."""
    sources = config.train_dataloader.dataset.datasets
    pipeline = sources[1].pipeline
    sources[1] = dict(sources[0], ann_file="more.json", pipeline=pipeline)
    shutil.copytree(root / "unlabeled", root / "more")
    change_names = json.loads((root / "labeled.json").read_text())
    for n, entry in enumerate(change_names["images"]):
        entry["file_name"] = f"more/{200 + n}.jpg"
    (root / "more.json").write_text(json.dumps(change_names))


OUT = "file name leads out of the data folder: found '../../x.jpg'"
NO_NUMBERS = "box that is not four finite numbers: found bbox"
ANNOTATIONS = {
    "image id twice": (content(lambda c: c["images"][1].update(id=1)), "error",
                       r"images\[1\] \(id 1\): image id used twice", "image id used twice"),
    "annotation id twice": (record(lambda a: a.update(id=2)), "error",
                            r"annotations\[1\] \(id 2\): annotation id used twice",
                            "annotation id used twice"),
    "no image id": (content(lambda c: c["images"][1].pop("id")), "error",
                    r"images\[1\] \(id None\): image without an id", "image without an id"),
    "no annotation id": (record(lambda a: a.pop("id")), "error",
                         r"annotations\[0\] \(id None\): annotation without an id",
                         "annotation without an id"),
    "unknown category": (record(lambda a: a.update(category_id=9)), "error",
                         r"annotations\[0\].*unknown category: found category_id 9",
                         Warned(r"unknown category \(left out\)")),
    "dangling image": (record(lambda a: a.update(image_id=77)), "error",
                       r"annotation of an unknown image: found image_id 77",
                       Warned(r"annotation of an unknown image \(left out\)")),
    "NaN": (record(lambda a: a.update(bbox=[1, float("nan"), 3, 4])), "error",
            NO_NUMBERS + r" \[1, nan, 3, 4\]", NO_NUMBERS),
    "infinity": (record(lambda a: a.update(bbox=[1, 2, float("inf"), 4])), "error",
                 NO_NUMBERS + r" \[1, 2, inf, 4\]", NO_NUMBERS),
    "text for a number": (record(lambda a: a.update(bbox=["1", 2, 3, 4])), "error",
                          NO_NUMBERS + r" \['1', 2", NO_NUMBERS),
    "negative width": (record(lambda a: a.update(bbox=[9, 9, -5, 4])), "error",
                       r"box without area: found width -5, height 4",
                       Warned(r"box without area \(left out\)")),
    "no height": (record(lambda a: a.update(bbox=[9, 9, 5, 0])), "error",
                  r"box without area: found width 5, height 0", Warned("box without area")),
    "under one pixel": (record(lambda a: a.update(bbox=[9, 9, 5, 0.5])), "warning",
                        r"annotations\[0\] \(id 1\): box under one pixel: found bbox \[9, 9, 5, 0",
                        Warned("box under one pixel")),
    "tiny": (record(lambda a: a.update(bbox=[9, 9, 2, 3])), "info",
             r"tiny objects: found 1 of 12 with a side under 4 pixels; first 2x3", None),
    "outside": (record(lambda a: a.update(bbox=[70, 9, 5, 5])), "error",
                r"box outside its image: found \(70, 9, 75, 14\) in an image of 64x48",
                Warned(r"box outside its image \(left out\)")),
    "reaching out": (record(lambda a: a.update(bbox=[50, 9, 30, 5])), "warning",
                     r"box extends beyond its image", Warned("box extends beyond")),
    "size as text": (content(lambda c: c["images"][0].update(width="64")), "error",
                     r"images\[0\].*image without a usable size: found width '64'",
                     "image without a usable size"),
    "no area": (record(lambda a: a.pop("area")), "error",
                r"annotations\[0\] \(id 1\): annotation without an area: found area None",
                "annotation without an area"),
    "area 0": (record(lambda a: a.update(area=0)), "warning",
               r"annotation with area 0: found area 0", Warned("annotation with area 0")),
    "crowd 3": (record(lambda a: a.update(iscrowd=3)), "error", "iscrowd that is neither 0 nor 1",
                "iscrowd that is neither"),
    "no categories": (content(lambda c: c.pop("categories")), "error",
                      r"labeled\.json: COCO file without a list 'categories'",
                      "COCO file without a list 'categories'"),
    "cut off json": (lambda root, config: cut(0.5)(root / "labeled.json"), "error",
                     r"labeled\.json, line 1, column \d+: not a JSON file", "not a JSON file"),
    "no json": (lambda root, config: (root / "labeled.json").unlink(), "error",
                r"labeled\.json: missing file", r"labeled\.json: missing file"),
    "class never labeled": (content(only_cats), "warning",
                             r"labeled\.json: class never labeled: found dog",
                             Warned("class never labeled")),
    "class never validated": (content(only_cats, "val"), "warning",
                              r"val\.json: class never validated: found dog",
                              Warned("class never validated")),
    "no object": (content(lambda c: c.update(annotations=[])), "error",
                  r"no object of the configured classes: found 0 of 6 images",
                  "no object of the configured classes"),
    "order of the classes": (classes("dog", "cat"), "error",
                             r"classes in a different order than in the annotations: found config",
                             "classes in a different order"),
    "class that the file has not": (classes("cat", "owl", "dog"), "error",
                                    r"configured classes missing from the annotations: found "
                                    r"owl.*every later class", "missing from the annotations"),
    "no class in common": (classes("Cat", "Dog"), "error",
                           r"no configured class in the annotations: found classes cat, dog; "
                           r"allowed: Cat, Dog\. Names are case-sensitive",
                           "no configured class in the annotations"),
    "class that is not used": (classes("cat"), "info", r"classes that are not used: found dog",
                               None),
    "other classes in validation": (other_validation_classes, "error",
                                    r"classes that differ between data sets: found dog, cat",
                                    "classes that differ"),
    "path out": (content(lambda c: c["images"][0].update(file_name="../../x.jpg")), "error",
                 OUT, OUT),
    "absolute path": (content(lambda c: c["images"][0].update(file_name="/etc/x.jpg")), "error",
                      r"images\[0\] \(id 1\): file name is absolute", "file name is absolute"),
    "unlabeled path out": (unlabeled_json(file_name="../x.jpg"), "error",
                            r"u\.json, images\[0\]: '.*\.\./x\.jpg' leads out of", "leads out of"),
    "unlabeled list, path out": (lambda r, c: listed(r, c, "../x.jpg"), "error",
                                  r"list\.txt, line 2: .*leads out of", "leads out of"),
    "unlabeled without names": (unlabeled_json(file_name=None), "error",
                                 r"images\[0\] \(id 1\) has file_name=None", "file_name=None"),
    "unlabeled of another size": (unlabeled_json(width=99, height=48), "warning",
                                   r"size differs from the annotations: found 64x48 as loaded",
                                   None),
    "annotations of unlabeled images": (unlabeled_by_mmdetection, "warning",
                                         r"unlabeled source with annotations: found 12 annot",
                                         Warned("unlabeled source with annotations")),
}  # fmt: skip


def copy(source, target):
    return lambda root, config: shutil.copyfile(root / source, root / target)


def train_is_validation(root, config):
    config.val_dataloader.dataset.ann_file = "labeled.json"


SPLITS = {
    "labeled among unlabeled": (copy("labeled/001.jpg", "unlabeled/001.jpg"), "warning",
                                  r"labeled/001\.jpg: labeled image among the unlabeled ones: "
                                  r"found the same content as .*unlabeled/001\.jpg",
                                  Warned("labeled image among the unlabeled ones")),
    "the same, renamed": (copy("labeled/001.jpg", "unlabeled/new.jpg"), "warning",
                          r"found the same content as .*new\.jpg", None),
    "unlabeled in validation": (copy("val/100.jpg", "unlabeled/100.jpg"), "error",
                                 r"unlabeled image in the validation data: found the same cont",
                                 "unlabeled image in the validation data"),
    "labeled in validation": (copy("val/100.jpg", "labeled/001.jpg"), "error",
                               r"labeled/001\.jpg: labeled image in the validation data", None),
    "validation is training": (train_is_validation, "error",
                               r"labeled image in the validation data: found the same file",
                               "6 x labeled image in the validation data"),
    "unlabeled is everything": (
        lambda root, config: config.train_dataloader.dataset.datasets[1].update(source=str(root)),
        "error", r"unlabeled image in the validation data: found the same file",
        "unlabeled image in the validation data",
    ),
}  # fmt: skip


def settings(**values):
    """Set values of the config by dotted keys (dots are double underscores)."""
    return lambda root, config: config.merge_from_dict(
        {key.replace("__", "."): value for key, value in values.items()}
    )


def hooks(*names):
    def action(root, config):
        config.custom_hooks = [dict(type=name) for name in names]

    return action


def plain_model(root, config):
    config.model = dict(type="RetinaNet", bbox_head=dict(num_classes=2))


def never_ending(root, config):
    config.train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=4)


def shifting(root, config):
    steps = config.train_dataloader.dataset.datasets[1].pipeline[0]
    steps.shared.append(dict(type="LoadEmptyAnnotations"))
    steps.views.unsup_student.insert(0, dict(type="mmdet.RandomShift", prob=1.0, max_shift_px=16))


BATCH = "train_dataloader__sampler__batch"
SETTINGS = {
    "batch size": (settings(train_dataloader__batch_size=6), "error",
                   r"batch_size differs from the sampler's total: found 6; allowed: 4", "found 6"),
    "three shares": (settings(**{BATCH: (2, 1, 1)}), "error",
                     r"batch for a different number of data sets: found \(2, 1", r"\(2, 1, 1\)"),
    "share 0": (settings(**{BATCH: (4, 0)}), "error",
                r"data set with no images in the batch: found 0 of", "found 0 of"),
    "share above the images": (settings(**{BATCH: (8, 8)}, train_dataloader__batch_size=16,
                                        auto_scale_lr__base_batch_size=16), "warning",
                               r"batch with more images than the data set: found 8 of the 6",
                               Warned("batch with more images")),
    "burn-in too long": (settings(model__burn_in=400), "error",
                         r"burn-in as long as the training: found 400 of 400", "burn-in as long"),
    "burn-in long": (settings(model__burn_in=390), "warning",
                     r"burn-in of most of the training.*Only 10 iterations",
                     Warned("burn-in of most")),
    "late milestone": (settings(param_scheduler=[dict(type="MultiStepLR", by_epoch=False,
                                                      milestones=[300, 500])]), "warning",
                       r"learning rate schedule longer than the training: found MultiStepLR up to "
                       r"500", Warned("schedule longer than")),
    "schedule before burn-in": (settings(param_scheduler=[dict(type="CosineAnnealingLR",
                                                               by_epoch=False, end=90)]), "warning",
                                r"learning rate schedule ends before the burn-in: found end "
                                r"90, burn_in 100", Warned("ends before the burn-in")),
    "rate of another batch": (settings(auto_scale_lr__base_batch_size=32), "warning",
                              r"learning rate for another batch size: found 0\.005 for batches of "
                              r"32; allowed: about 0\.000625", Warned("for another batch size")),
    "rate too high": (settings(optim_wrapper__optimizer__lr=1.0), "warning",
                      r"unusual learning rate: found SGD with lr=1, batch 4",
                      Warned("unusual learning rate")),
    "rate 0": (settings(optim_wrapper__optimizer__lr=0.0), "error", r"unusual learning rate",
               "unusual learning rate"),
    "evaluated too late": (settings(train_cfg__val_interval=900), "warning",
                           r"evaluation interval longer than the training: found 900",
                           Warned("evaluation interval longer")),
    "evaluated too often": (settings(train_cfg__val_interval=1), "warning",
                            r"evaluated very often: found every 1 of 400 iterations, 400 times",
                            Warned("evaluated very often")),
    "few unlabeled images": (settings(**{BATCH: (5, 1)}, train_dataloader__batch_size=6),
                              "warning", r"few unlabeled images in a batch: found 5 labeled, 1",
                              Warned("few unlabeled images")),
    "two averages": (hooks("TeacherEMAHook", "MeanTeacherHook", "FixedThresholdHook"), "error",
                     r"two averages of the weights: found TeacherEMAHook, MeanTeacherHook",
                     "two averages of the weights"),
    "an average twice": (hooks("TeacherEMAHook", "TeacherEMAHook", "FixedThresholdHook"), "error",
                         r"found TeacherEMAHook, TeacherEMAHook", "two averages"),
    "no average": (hooks("FixedThresholdHook"), "warning", r"teacher that never moves",
                   Warned("teacher that never moves")),
    "no threshold": (hooks("TeacherEMAHook"), "warning", r"no threshold on pseudo labels: found Te",
                     Warned("no threshold on pseudo labels")),
    "no teacher": (plain_model, "warning",
                   r"unlabeled images, but no teacher-student model: found RetinaNet",
                   Warned("no teacher-student model")),
    "number of classes": (settings(model__detector__bbox_head__num_classes=80), "error",
                          r"model\.bbox_head\.num_classes: head and data differ in the number of "
                          r"classes: found 80; allowed: 2: cat, dog", "found 80"),
    "epoch without end": (never_ending, "error", r"epoch that never ends", "epoch that never ends"),
    "a view that shifts": (shifting, "error", r"transform does not record its geometry: found .*"
                           r"RandomShift.*without recording", None),
}  # fmt: skip


def mask(action):
    return lambda root, config: action(root / "seg" / "masks" / "301.png")


def of_size(width, height):
    return lambda path: Image.fromarray(np.zeros((height, width), np.uint8)).save(path)


def value(number):
    def action(path):
        labels = np.array(Image.open(path))
        labels[30, 30] = number
        Image.fromarray(labels).save(path)

    return action


def only_ground(root, config):
    for path in (root / "seg" / "masks").iterdir():
        of_size(64, 48)(path)


MASKS = {
    "unknown value": (mask(value(7)), "error",
                      r"301\.png: label map with an unknown value: found 7 in 1 pixels",
                      r"301\.png: label map with (the value 7|an unknown value: found 7)"),
    "cut off": (mask(cut(0.5)), "error", r"301\.png: unreadable label map", r"301\.png|truncated"),
    "another size": (mask(of_size(60, 48)), "error",
                     r"label map of another size than its image: found 60x48; allowed: 64x48",
                     r"301\.png: label map of (60x48|another size)"),
    "class never labeled": (only_ground, "warning", r"class never labeled: found cat", None),
    "image cut off": (image("seg/images/301.jpg", cut(0.5)), "error",
                      r"301\.jpg: truncated image", r"301\.jpg: truncated image"),
}  # fmt: skip
