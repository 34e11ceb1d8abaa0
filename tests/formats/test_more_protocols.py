"""Cityscapes for detectors, Foggy Cityscapes, ADE20K and COCO for pixels: layout, batch, score."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import TRANSFORMS, DefaultScope
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools import mask as rle

from ssdet.datasets import FoggyCityscapes
from ssdet.doctor.config_sources import of_config
from ssdet.doctor.findings import Findings
from ssdet.engine.configs import load_config
from ssdet.formats import DataError

from . import miniature
from .protocol import branches, config, first_batch, score, ssdet, true_boxes, true_pixels

OFFICIAL = "data/cityscapes/annotations/instancesonly_filtered_gtFine"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield tmp_path


@pytest.fixture
def cityscapes(place):
    root = miniature.cityscapes(place / "data" / "cityscapes")
    for part in ("train", "val"):
        ssdet(
            f"convert cityscapes-instances data/cityscapes --split {part} --to coco "
            f"--out {OFFICIAL}_{part}.json"
        )
    return root


def test_the_json_of_cityscapes_is_the_official_one(cityscapes):
    """File names from the city on, labelIds as categories, groups as crowds, run lengths, areas."""
    content = json.loads((cityscapes.parents[1] / f"{OFFICIAL}_val.json").read_text())
    assert [c["id"] for c in content["categories"]] == [24, 25, 26, 27, 28, 31, 32, 33]
    assert content["categories"][2]["name"] == "car"
    image = content["images"][0]
    assert image["file_name"] == "aachen/aachen_000000_000019_leftImg8bit.png"
    assert (image["width"], image["height"]) == (64, 48)
    path = cityscapes / "gtFine/val/aachen/aachen_000000_000019_gtFine_instanceIds.png"
    values = np.asarray(Image.open(path))
    expected = []
    for value in (24, 26000, 26001):
        code = rle.encode(np.asfortranarray(values == value, dtype=np.uint8))
        box = [float(x) for x in rle.toBbox(code)]
        category = value // 1000 if value >= 1000 else value
        expected.append((category, int(value < 1000), box, float(rle.area(code))))
    found = [
        (a["category_id"], a["iscrowd"], a["bbox"], a["area"])
        for a in content["annotations"]
        if a["image_id"] == image["id"]
    ]
    assert found == expected


def test_boxes_of_cityscapes(cityscapes):
    ssdet(f"split coco {OFFICIAL}_train.json --percent 25 --out data/cityscapes/semi_anns")
    cfg = config("cityscapes_det_semi", percent=25, batch=(2, 3))
    dataset, batch = first_batch(cfg)
    assert [len(d) for d in dataset.datasets] == [4, 12]
    assert branches(batch) == {"sup": 2, "unsup_teacher": 3, "unsup_student": 3}
    sample = batch["data_samples"]["sup"][0]
    assert sample.gt_instances.labels.tolist() == [
        2,
        2,
    ]  # two cars; the group of persons is a crowd
    assert len(dataset.datasets[0].metainfo["classes"]) == 8
    assert score(cfg, true_boxes)["coco/bbox_mAP"] == 1.0


def test_instances_of_cityscapes_as_coco_and_as_the_official_scripts_score_them(cityscapes):
    pytest.importorskip("cityscapesscripts")
    ssdet(f"split coco {OFFICIAL}_train.json --percent 25 --out data/cityscapes/semi_anns")
    cfg = config("cityscapes_inst_semi", percent=25, batch=(2, 1))
    _, batch = first_batch(cfg)
    for sample in batch["data_samples"]["sup"][:2]:
        assert sample.gt_instances.masks.masks.any(axis=(1, 2)).all()

    def true_masks(sample, info):
        true_boxes(sample, info)
        counted = [i for i in info["instances"] if not i["ignore_flag"]]
        masks = torch.from_numpy(np.stack([rle.decode(i["mask"]) for i in counted]).astype(bool))
        sample.pred_instances = InstanceData(masks=masks, **dict(sample.pred_instances.items()))

    found = score(cfg, true_masks)
    assert found["coco/segm_mAP"] == found["coco/bbox_mAP"] == 1.0
    assert found["cityscapes/mAP"] == found["cityscapes/AP@50"] == 1.0


def test_from_cityscapes_to_foggy_cityscapes(cityscapes):
    miniature.foggy(cityscapes)
    cfg = config("cityscapes_foggy_semi", batch=(2, 2))
    dataset, batch = first_batch(cfg)
    assert [len(d) for d in dataset.datasets] == [16, 16]
    assert branches(batch) == {"sup": 2, "unsup_teacher": 2, "unsup_student": 2}
    for sample in batch["data_samples"]["sup"][:2]:
        assert "/leftImg8bit/train/" in sample.img_path and len(sample.gt_instances)
    for view in ("unsup_teacher", "unsup_student"):
        for sample in batch["data_samples"][view][2:]:
            assert "/leftImg8bit_foggy/train/" in sample.img_path
            assert sample.img_path.endswith("_leftImg8bit_foggy_beta_0.02.png")
            assert not len(sample.gt_instances)
    seen = []

    def remember(sample, info):
        seen.append(sample.img_path)
        true_boxes(sample, info)

    assert score(cfg, remember)["coco/bbox_mAP_50"] == 1.0
    assert len(seen) == 3 and all(path.endswith("foggy_beta_0.02.png") for path in seen)
    thin = config("cityscapes_foggy_semi", beta=0.005)
    assert thin.train_dataloader.dataset.datasets[1].source.endswith("foggy_beta_0.005.png")
    assert thin.val_dataloader.dataset.beta == 0.005


def test_the_doctor_looks_at_the_pictures_in_the_fog(cityscapes):
    miniature.foggy(cityscapes)
    findings = Findings()
    labeled, unlabeled, validation = of_config(config("cityscapes_foggy_semi"), findings)
    for source, folder in ((unlabeled, "train"), (validation, "val")):
        for image in source.images:
            assert f"/leftImg8bit_foggy/{folder}/" in image.path and Path(image.path).is_file()
    assert (len(labeled.images), len(unlabeled.images), len(validation.images)) == (16, 16, 3)
    assert not [f for f in findings.found if f.severity == "error"]


def test_fog_of_another_density_or_of_other_pictures_is_refused(cityscapes):
    with pytest.raises(ValueError, match=r"beta=0.03 is not one of \[0.005, 0.01, 0.02\]"):
        FoggyCityscapes(beta=0.03)
    content = json.loads((cityscapes.parents[1] / f"{OFFICIAL}_val.json").read_text())
    content["images"][0]["file_name"] = "aachen/other.png"
    file = miniature.write_json(cityscapes / "annotations" / "other.json", content)
    with pytest.raises(DataError, match=r"image without a foggy version: found .*other\.png"):
        FoggyCityscapes(ann_file=str(file), data_prefix=dict(img="val"), pipeline=[])


def test_ade20k(place):
    miniature.ade(place / "data/ade/ADEChallengeData2016")
    ssdet(
        "split ade data/ade/ADEChallengeData2016 --count 4 --name training "
        "--out data/ade/ADEChallengeData2016/semi_lists"
    )
    lists = place / "data/ade/ADEChallengeData2016/semi_lists"
    for kind in ("", "-unlabeled"):  # 1/64 of the real 20,210 are 316
        made = lists / f"training.1@4images{kind}.txt"
        made.rename(lists / f"training.1@316images{kind}.txt")
    with DefaultScope.overwrite_default_scope("mmseg"):
        cfg = config("ade20k_semi", split="1_64", crop_size=(32, 32))
        dataset, batch = first_batch(cfg)
        assert [len(d) for d in dataset.datasets] == [4, 12]
        assert branches(batch) == {"sup": 2, "unsup_teacher": 2, "unsup_student": 2}
        labels = torch.cat([s.gt_sem_seg.data for s in batch["data_samples"]["sup"][:2]]).unique()
        # The miniature has 1 ... 16 and 150; in training they are 0 ... 15 and 149.
        assert set(labels.tolist()) <= {*range(16), 149, 255} and len(labels) > 1
        found = score(cfg, true_pixels)
    assert found["mIoU"] == 100.0
    assert cfg.val_evaluator.protocol.data == "ADE20K 1_64 fold 1"


def test_published_lists_of_ade20k_are_read_as_they_are(place):
    root = miniature.ade(place / "data/ade/ADEChallengeData2016")
    names = [f"training/ADE_train_{n:08}" for n in range(1, 17)]
    lines = [f"images/{name}.jpg annotations/{name}.png" for name in names]
    miniature.write_list(place / "labeled.txt", lines[:5])
    miniature.write_list(place / "unlabeled.txt", lines[5:])
    for name in names[5:]:
        (root / f"annotations/{name}.png").unlink()
    with DefaultScope.overwrite_default_scope("mmseg"):
        cfg = config(
            "ade20k_two_views", crop_size=(32, 32),
            labeled_list="labeled.txt", unlabeled_list="unlabeled.txt",
        )  # fmt: skip
        dataset, batch = first_batch(cfg)
    assert [len(d) for d in dataset.datasets] == [5, 11]
    assert branches(batch)["unsup_student_2"] == 2


def test_label_maps_of_coco(place):
    miniature.coco(place / "data" / "coco", train=32)
    for part in ("train2017", "val2017"):
        ssdet(
            f"convert coco data/coco/annotations/instances_{part}.json --images data/coco/{part} "
            f"--split {part} --to masks --out data/coco/masks"
        )
    ssdet(
        "split list data/coco/masks/train2017.txt --images data/coco "
        "--classes data/coco/masks/classes.txt --fraction 1/4 --name train2017 "
        "--out data/coco/semi_lists"
    )
    lists = place / "data/coco/semi_lists"
    first = (lists / "train2017.1@1_4.txt").read_text().split("\n")[0]
    number = first.split()[0].removeprefix("train2017/").removesuffix(".jpg")
    assert first == f"train2017/{number}.jpg masks/{number}.png"  # as in the published lists
    for kind in ("", "-unlabeled"):
        (lists / f"train2017.1@1_4{kind}.txt").rename(lists / f"train2017.1@1_32{kind}.txt")
    with DefaultScope.overwrite_default_scope("mmseg"):
        cfg = config("coco_seg_two_views", split="1_32", crop_size=(32, 32), batch=(2, 1))
        dataset, batch = first_batch(cfg)
        assert [len(d) for d in dataset.datasets] == [8, 24]
        assert branches(batch) == {
            "sup": 2, "unsup_teacher": 1, "unsup_student": 1, "unsup_student_2": 1,
        }  # fmt: skip
        assert len(dataset.datasets[0].metainfo["classes"]) == 81
        assert score(cfg, true_pixels)["mIoU"] == 100.0


def test_classes_of_coco_are_numbered_as_the_published_label_maps_are():
    from mmdet.datasets import CocoDataset

    from ssdet.formats.benchmarks import preset_classes

    meta = preset_classes("coco")
    assert meta["classes"] == ("background", *CocoDataset.METAINFO["classes"])
    assert len(meta["palette"]) == len(meta["classes"]) == 81


LENGTHS = {  # of UniMatch V2
    "unimatch_v2/dpt_dinov2-b_ade20k.py": {
        "1_64": 149220, "1_32": 146820, "1_16": 142080, "1_8": 132600, "1_4": 113700, "1_2": 75780,
    },
    "unimatch_v2/dpt_dinov2-b_coco-seg.py": {
        "1_512": 147560, "1_256": 147280, "1_128": 146700, "1_64": 145540, "1_32": 143240,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "split", "length"), [(n, s, t) for n, x in LENGTHS.items() for s, t in x.items()]
)
def test_the_split_decides_the_length(name, split, length):
    cfg = load_config(name, {"split": split})
    assert cfg.train_cfg.max_iters == length
    assert cfg.param_scheduler[0].get("end") is None


@pytest.mark.parametrize(
    ("name", "classes", "batch"),
    [("unimatch_v2/dpt_dinov2-b_ade20k.py", 150, (2, 2)),
     ("unimatch_v2/dpt_dinov2-b_coco-seg.py", 81, (4, 4))],
)  # fmt: skip
def test_unimatch_v2_is_trained_as_published(name, classes, batch):
    """4 processes; AdamW 5e-6, the head 40 times as fast, decay of all weights, 0.95, EMA 0.996."""
    cfg = load_config(name)
    model = cfg.model.segmentor
    assert model.decode_head.num_classes == classes
    assert tuple(cfg.train_dataloader.sampler.batch) == batch
    assert cfg.total_batch == tuple(4 * images for images in batch)
    shared = cfg.train_dataloader.dataset.datasets[1].pipeline[0].shared
    assert [t.type for t in shared] == [
        "LoadImageFromFile", "RandomScale", "RandomCrop", "RandomFlip",
    ]  # fmt: skip
    assert shared[2].crop_size == model.data_preprocessor.size == (518, 518)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ("AdamW", 5e-6, 0.01)
    assert cfg.optim_wrapper.paramwise_cfg == dict(custom_keys=dict(head=dict(lr_mult=40.0)))
    assert model.decode_head.loss_decode.type == "CrossEntropyLoss"
    hooks = {hook.type: hook for hook in cfg.custom_hooks}
    assert hooks["FixedThresholdHook"].score == 0.95
    assert hooks["TeacherEMAHook"].momentum == 0.996
    assert (cfg.model.sup_weight, cfg.model.unsup_weight) == (0.5, 0.5)
    assert model.test_cfg.mode == "whole"


@pytest.mark.parametrize("size", [(48, 64), (30, 20)])
def test_random_scale_is_relative_to_the_image(size):
    """The long side is any whole number between half of it and twice of it; the shape is kept."""
    with DefaultScope.overwrite_default_scope("mmseg"):
        scale = TRANSFORMS.build(dict(type="RandomScale", ratio_range=(0.5, 2.0)))
    np.random.seed(0)
    seen = []
    for _ in range(400):
        results = dict(img=np.zeros((*size, 3), np.uint8), seg_fields=["gt_seg_map"])
        results["gt_seg_map"] = np.zeros(size, np.uint8)
        found = scale(results)
        assert found["img"].shape[:2] == found["gt_seg_map"].shape == found["img_shape"]
        height, width = found["img_shape"]
        side = max(height, width)
        assert min(height, width) == round(side * min(size) / max(size) + 1e-9)
        seen.append(side)
    assert (min(seen), max(seen)) == (max(size) // 2, max(size) * 2)
    with pytest.raises(ValueError, match="RandomScale: ratio_range"):
        TRANSFORMS.build(dict(type="RandomScale", ratio_range=(2.0, 0.5)))


def test_the_baseline_of_cityscapes_differs_in_the_unlabeled_images_alone():
    method = load_config("soft_teacher/faster-rcnn_r50_cityscapes.py")
    base = load_config("soft_teacher/faster-rcnn_r50_cityscapes_baseline.py")
    assert base.train_dataloader.dataset.datasets == method.train_dataloader.dataset.datasets[:1]
    assert base.train_dataloader.sampler.batch == method.train_dataloader.sampler.batch[:1]
    assert [hook.type for hook in base.custom_hooks] == ["TeacherEMAHook"]
    for key in ("model", "optim_wrapper", "param_scheduler", "train_cfg", "val_dataloader"):
        assert base[key] == method[key]
