"""A small sound experiment for the doctor, and what breaks it."""

import copy
import json
import shutil

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from ssdet import doctor
from ssdet.datasets.named_errors import name_bad_images

SIZE = (64, 48)  # width, height
CLASSES = ("cat", "dog")


def picture(path, seed, size=SIZE, **save):
    """A readable image; the seed makes its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(seed).randint(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **save)
    return path


def coco(folder, name, first, count):
    """A COCO file of `count` images, a cat and a dog in each."""
    images, annotations = [], []
    for n in range(count):
        file = f"{name}/{first + n:03}.jpg"
        picture(folder / file, first + n)
        images.append(dict(id=n + 1, file_name=file, width=SIZE[0], height=SIZE[1]))
        for category, x in ((1, 4), (2, 34)):
            record = dict(id=len(annotations) + 1, image_id=n + 1, category_id=category)
            annotations.append(record | dict(bbox=[x, 6, 20, 24], area=480, iscrowd=0))
    categories = [dict(id=n, name=c) for n, c in enumerate(CLASSES, start=1)]
    content = dict(images=images, annotations=annotations, categories=categories)
    (folder / f"{name}.json").write_text(json.dumps(content))


def build(folder):
    """labeled 0 ... 5, validation 100 ... 102, unlabeled 200 ... 207, and label maps."""
    coco(folder, "labeled", 0, 6)
    coco(folder, "val", 100, 3)
    for n in range(8):
        picture(folder / "unlabeled" / f"{200 + n}.jpg", 200 + n)
    for part, first in (("seg", 300), ("segval", 310)):
        for n in range(4):
            picture(folder / part / "images" / f"{first + n}.jpg", first + n)
            labels = np.zeros(SIZE[::-1], np.uint8)
            labels[5:20, 5:20] = 1
            labels[0, 0] = 255
            (folder / part / "masks").mkdir(exist_ok=True)
            Image.fromarray(labels).save(folder / part / "masks" / f"{first + n}.png")
    return folder


LOAD = dict(type="LoadImageFromFile")
FIT = dict(type="Resize", scale=SIZE, keep_ratio=True)
PACK = dict(type="PackDetInputs")


def _views(**views):
    return [dict(type="WeakStrongViews", shared=[LOAD], views=views)]


def detection(root):
    """The config of a training of detectors on the folder."""
    labeled = dict(
        type="CocoDataset", data_root=str(root), ann_file="labeled.json",
        data_prefix=dict(img=""), metainfo=dict(classes=CLASSES),
        pipeline=_views(sup=[dict(type="LoadAnnotations", with_bbox=True), PACK]),
    )  # fmt: skip
    unlabeled = dict(
        type="UnlabeledImages", source=str(root / "unlabeled"),
        pipeline=_views(unsup_teacher=[PACK], unsup_student=[PACK]),
    )  # fmt: skip
    val = dict(labeled, ann_file="val.json", test_mode=True, pipeline=[LOAD, FIT, PACK])
    return Config(copy.deepcopy(dict(
        default_scope="mmdet",
        train_dataloader=dict(
            batch_size=4, num_workers=0,
            sampler=dict(type="LabeledUnlabeledSampler", batch=(2, 2)),
            dataset=dict(type="LabeledUnlabeledDataset", datasets=[labeled, unlabeled]),
        ),
        val_dataloader=dict(batch_size=1, num_workers=0, dataset=val),
        model=dict(type="TeacherStudentDetector", burn_in=100,
                   detector=dict(type="RetinaNet", bbox_head=dict(num_classes=2))),
        train_cfg=dict(type="IterBasedTrainLoop", max_iters=400, val_interval=100),
        optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.005)),
        param_scheduler=[dict(type="MultiStepLR", by_epoch=False, milestones=[300], end=400)],
        auto_scale_lr=dict(base_batch_size=4),
        custom_hooks=[dict(type="TeacherEMAHook"), dict(type="FixedThresholdHook")],
    )))  # fmt: skip


def segmentation(root):
    """The config of a training of segmentors on the folder."""
    pack = dict(type="PackSegInputs")
    folders = dict(img_path="seg/images", seg_map_path="seg/masks")
    labeled = dict(
        type="BaseSegDataset", data_root=str(root), data_prefix=folders,
        metainfo=dict(classes=("ground", "cat")),
        pipeline=[dict(type="WeakStrongViews", shared=[LOAD, dict(type="LoadAnnotations")],
                       views=dict(sup=[pack]))],
    )  # fmt: skip
    config = detection(root)
    config.default_scope = "mmseg"
    config.model = dict(
        type="TeacherStudentSegmentor", segmentor=dict(decode_head=dict(num_classes=2))
    )
    unlabeled = config.train_dataloader.dataset.datasets[1]
    unlabeled.pipeline = _views(unsup_teacher=[pack], unsup_student=[pack])
    config.train_dataloader.dataset.datasets = [labeled, unlabeled]
    folders = dict(img_path="segval/images", seg_map_path="segval/masks")
    pipeline = [LOAD, dict(type="LoadAnnotations"), pack]
    config.val_dataloader.dataset = dict(
        labeled, data_prefix=folders, test_mode=True, pipeline=pipeline
    )
    return config


def by_reader(root):
    """The same with `LabeledMasks`, which checks more by itself."""
    config = segmentation(root)
    pack = dict(type="PackSegInputs")
    steps = dict(type="WeakStrongViews", shared=[LOAD, dict(type="LoadMask")],
                 views=dict(sup=[pack]))  # fmt: skip
    config.train_dataloader.dataset.datasets[0] = dict(
        type="LabeledMasks", source=str(root / "seg"), format="masks",
        classes=("ground", "cat"), pipeline=[steps],
    )  # fmt: skip
    return config


def change(root, name, edit):
    """Edit a COCO file."""
    path = root / f"{name}.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def train(config, *, strict=False):
    """What a training does with data: quick checks, every sample once; the skipped files."""
    if strict:
        doctor.make_strict(config)
    findings = doctor.quick_check(config, strict=strict)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        dataset = DATASETS.build(config.train_dataloader.dataset)
        for index in range(len(dataset)):
            dataset[index]
        val = DATASETS.build(config.val_dataloader.dataset)
        name_bad_images(val)
        for index in range(len(val)):
            val[index]
    return dataset.bad_files(), findings


def tree(folder):
    """Every file with its content, for before = after."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def copied(original, target):
    """A fresh copy of the folder."""
    return shutil.copytree(original, target)
