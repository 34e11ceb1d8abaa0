"""From the downloaded layout to a batch and a score, with the commands of docs/datasets.md."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from . import miniature
from .protocol import BASES, branches, config, first_batch, score, ssdet, true_boxes, true_pixels


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield tmp_path


def mini_classes(cfg):
    """The miniature has three of COCO's classes."""
    meta = dict(classes=tuple(miniature.COCO_IDS))
    for dataset in (*cfg.train_dataloader.dataset.datasets[:1], cfg.val_dataloader.dataset):
        dataset.metainfo = meta
    return cfg


def test_coco(place):
    miniature.coco(place / "data" / "coco")
    before = {path: path.stat().st_mtime_ns for path in (place / "data").rglob("*")}
    ssdet(
        "split coco data/coco/annotations/instances_train2017.json --percent 10 30 --fold 1 2 "
        "--out data/coco/semi_anns"
    )
    assert {path: path.stat().st_mtime_ns for path in before if path.is_file()} == {
        path: time for path, time in before.items() if path.is_file()
    }
    folder = place / "data" / "coco" / "semi_anns"
    assert len(list(folder.iterdir())) == 8
    labeled = json.loads((folder / "instances_train2017.2@30.json").read_text())
    unlabeled = json.loads((folder / "instances_train2017.2@30-unlabeled.json").read_text())
    assert len(labeled["images"]) == 6 and len(unlabeled["images"]) == 14
    assert labeled["images"][0]["license"] == 1 and labeled["licenses"][0]["name"] == "none"
    assert unlabeled["annotations"] == []
    assert unlabeled["categories"] == labeled["categories"]
    ids = {image["id"] for image in labeled["images"]}
    source = json.loads((place / "data/coco/annotations/instances_train2017.json").read_text())
    assert labeled["annotations"] == [a for a in source["annotations"] if a["image_id"] in ids]

    cfg = mini_classes(config("coco_semi", percent=30, fold=2, batch=(1, 2)))
    dataset, batch = first_batch(cfg)
    assert [len(d) for d in dataset.datasets] == [6, 14]
    assert branches(batch) == {"sup": 1, "unsup_teacher": 2, "unsup_student": 2}
    assert len(batch["data_samples"]["sup"][0].gt_instances) > 0
    for sample in batch["data_samples"]["unsup_student"][1:]:
        assert len(sample.gt_instances) == 0
    assert score(cfg, true_boxes)["coco/bbox_mAP"] == 1.0


def test_coco_with_masks(place):
    miniature.coco(place / "data" / "coco")
    ssdet(
        "split coco data/coco/annotations/instances_train2017.json --percent 50 "
        "--out data/coco/semi_anns"
    )
    cfg = mini_classes(config("coco_semi", percent=50, with_mask=True, batch=(4, 1)))
    _, batch = first_batch(cfg)
    for sample in batch["data_samples"]["sup"][:4]:
        assert sample.gt_instances.masks.masks.any(axis=(1, 2)).all()
    assert cfg.val_evaluator.metric == ["bbox", "segm"]


def test_full_coco_with_unlabeled2017(place):
    miniature.coco(place / "data" / "coco")
    dataset, batch = first_batch(mini_classes(config("coco_full_semi", batch=(1, 1))))
    assert [len(d) for d in dataset.datasets] == [20, 6]
    assert "unlabeled2017" in batch["data_samples"]["unsup_teacher"][1].img_path


def test_voc07_to_voc12(place):
    miniature.voc_detection(place / "data/VOCdevkit/VOC2007", {"trainval": 6, "test": 4})
    miniature.voc_detection(place / "data/VOCdevkit/VOC2012", {"trainval": 8, "test": 3})
    cfg = config("voc07_voc12_semi", batch=(2, 2))
    dataset, batch = first_batch(cfg)
    assert [len(d) for d in dataset.datasets] == [6, 8]
    assert branches(batch) == {"sup": 2, "unsup_teacher": 2, "unsup_student": 2}
    found = score(cfg, true_boxes)
    assert found["pascal_voc/AP50"] == pytest.approx(1.0, abs=1e-3)
    assert found["coco/bbox_mAP"] == 1.0  # the difficult dogs are not missed


def test_cityscapes(place):
    miniature.cityscapes(place / "data" / "cityscapes")
    for part in ("train", "val"):
        ssdet(
            f"convert cityscapes data/cityscapes --split {part} --to masks "
            f"--out data/cityscapes/gtFine"
        )
    ssdet("split cityscapes data/cityscapes --fraction 1/4 --out data/cityscapes/semi_lists")
    lines = (place / "data/cityscapes/semi_lists/train.1@1_4.txt").read_text().split("\n")
    assert len(lines) == 5
    image, mask = lines[0].split()
    assert image.endswith("_leftImg8bit.png") and mask.endswith("_gtFine_labelTrainIds.png")
    with DefaultScope.overwrite_default_scope("mmseg"):
        cfg = config("cityscapes_semi", split="1_4", crop_size=(32, 32))
        dataset, batch = first_batch(cfg)
        assert [len(d) for d in dataset.datasets] == [4, 12]
        assert branches(batch) == {"sup": 2, "unsup_teacher": 2, "unsup_student": 2}
        labels = torch.cat([s.gt_sem_seg.data for s in batch["data_samples"]["sup"][:2]]).unique()
        assert set(labels.tolist()) <= {0, 10, 11, 13, 255}  # road, sky, person, car
        assert score(cfg, true_pixels)["mIoU"] == 100.0


def test_cityscapes_as_its_own_scripts_evaluate_it(place):
    pytest.importorskip("cityscapesscripts")
    miniature.cityscapes(place / "data" / "cityscapes")
    ssdet("convert cityscapes data/cityscapes --split val --to masks --out data/cityscapes/gtFine")
    with DefaultScope.overwrite_default_scope("mmseg"):
        metric = dict(type="CityscapesMetric", output_dir=str(place / "format"))
        found = score(config("cityscapes_semi"), true_pixels, metric)
    assert found["averageScoreCategories"] == 1.0


@pytest.mark.parametrize(
    ("protocol", "options", "sizes"),
    [("classic", "--labeled-from data/VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt", (4, 28)),
     ("blender", "", (8, 24))],
)  # fmt: skip
def test_voc12(place, protocol, options, sizes):
    miniature.voc_masks(place / "data/VOCdevkit/VOC2012")
    ssdet(
        f"split voc-masks data/VOCdevkit/VOC2012 --split trainaug --fraction 1/4 "
        f"--name {protocol} --out data/VOCdevkit/VOC2012/semi_lists {options}"
    )
    with DefaultScope.overwrite_default_scope("mmseg"):
        cfg = config("voc12_semi", protocol=protocol, split="1_4", crop_size=(32, 32))
        dataset, batch = first_batch(cfg)
        assert tuple(len(d) for d in dataset.datasets) == sizes
        assert branches(batch)["sup"] == 4
        assert score(cfg, true_pixels)["mIoU"] == 100.0


def test_published_lists_are_read_as_they_are(place):
    """Lists of UniMatch: `image mask` for both, and nothing of the masks of unlabeled images."""
    root = miniature.voc_masks(place / "data/VOCdevkit/VOC2012")
    lines = [f"JPEGImages/2007_{n:06}.jpg SegmentationClass/2007_{n:06}.png" for n in range(16)]
    miniature.write_list(place / "lists" / "labeled.txt", lines[:4])
    miniature.write_list(place / "lists" / "unlabeled.txt", lines[4:])
    for n in range(4, 16):
        (root / f"SegmentationClass/2007_{n:06}.png").unlink()
    with DefaultScope.overwrite_default_scope("mmseg"):
        cfg = config(
            "voc12_semi", crop_size=(32, 32),
            labeled_list="lists/labeled.txt", unlabeled_list="lists/unlabeled.txt",
        )  # fmt: skip
        dataset, batch = first_batch(cfg)
    assert [len(d) for d in dataset.datasets] == [4, 12]
    assert branches(batch)["unsup_teacher"] == 4


def test_every_protocol_names_its_variables_on_top():
    for path in sorted(BASES.glob("*_semi.py")):
        cfg = Config.fromfile(path)
        assert cfg.batch[0] >= 1, path
        assert cfg.data_root.startswith("data/"), path
