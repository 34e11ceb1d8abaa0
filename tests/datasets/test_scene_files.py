"""The demo set on disk is read by the data sets of MMDetection and MMSegmentation as they are."""

import json

import cv2
import numpy as np
import pytest
from mmdet.datasets import CocoDataset, VOCDataset
from mmseg.datasets import BaseSegDataset, CityscapesDataset
from PIL import Image

from ssdet.datasets import DigitScenes, UnlabeledImages, write_cityscapes, write_coco, write_voc
from ssdet.datasets.demo.scenes import draw

COUNTS = {"train": 8, "val": 3, "labeled": 3}
SCENES = {"image_size": (64, 80), "digits": (4, 7, 9), "seed": 2}


def truth(split):
    count = COUNTS["val" if split == "val" else "train"]
    dataset = DigitScenes(split=split, count=count, labeled=COUNTS["labeled"], **SCENES)
    return dataset.numbers, [draw(dataset.scenes, number) for number in dataset.numbers]


def test_coco(tmp_path):
    root = write_coco(tmp_path / "coco", **COUNTS, **SCENES)
    classes = {"classes": ("4", "7", "9")}
    for name, folder in (("labeled", "train"), ("val", "val"), ("train", "train")):
        dataset = CocoDataset(
            data_root=str(root),
            ann_file=f"annotations/instances_{name}.json",
            data_prefix={"img": folder},
            metainfo=classes,
        )
        numbers, scenes = truth(name)
        assert [dataset[k]["img_id"] for k in range(len(dataset))] == numbers
        for sample, scene in zip((dataset[k] for k in range(len(dataset))), scenes, strict=True):
            assert [i["bbox_label"] for i in sample["instances"]] == scene.labels.tolist()
            assert [i["bbox"] for i in sample["instances"]] == scene.boxes.tolist()
            assert np.array_equal(cv2.imread(sample["img_path"]), scene.image)
    path = root / "annotations" / "instances_train-unlabeled.json"
    assert "annotations" not in json.loads(path.read_text())
    unlabeled = UnlabeledImages(path, data_root=root, img_prefix="train")
    assert [unlabeled.get_data_info(k)["img_id"] for k in range(5)] == truth("unlabeled")[0]


def test_voc(tmp_path):
    root = write_voc(tmp_path / "voc", **COUNTS, **SCENES)
    detection = VOCDataset(
        data_root=str(root),
        ann_file="ImageSets/Main/labeled.txt",
        data_prefix={"sub_data_root": ""},
        metainfo={"classes": ("4", "7", "9")},
    )
    maps = BaseSegDataset(
        data_root=str(root),
        ann_file="ImageSets/Segmentation/labeled.txt",
        data_prefix={"img_path": "JPEGImages", "seg_map_path": "SegmentationClass"},
        metainfo={"classes": ("background", "4", "7", "9")},
    )
    assert len(detection) == len(maps) == 3
    for index, scene in enumerate(truth("labeled")[1]):
        instances = detection[index]["instances"]
        assert [i["bbox_label"] for i in instances] == scene.labels.tolist()
        # MMDetection takes 1 from all corners, though the far ones of VOC are inclusive.
        expected = scene.boxes - np.array([0, 0, 1, 1])
        assert [i["bbox"] for i in instances] == expected.tolist()
        info = maps.get_data_info(index)
        image = cv2.imread(info["img_path"]).astype(int)
        assert np.abs(image - scene.image).mean() < 12  # JPEG
        assert np.array_equal(np.asarray(Image.open(info["seg_map_path"])), scene.label_map)
    assert len(list((root / "Annotations").iterdir())) == COUNTS["labeled"] + COUNTS["val"]
    assert len((root / "ImageSets" / "Main" / "train.txt").read_text().split()) == 8


def test_cityscapes(tmp_path):
    root = write_cityscapes(tmp_path / "city", **COUNTS, **SCENES)
    dataset = CityscapesDataset(
        data_root=str(root),
        ann_file="labeled.txt",
        data_prefix={"img_path": "leftImg8bit/train", "seg_map_path": "gtFine/train"},
        metainfo={"classes": CityscapesDataset.METAINFO["classes"]},
    )
    for index, scene in enumerate(truth("labeled")[1]):
        info = dataset.get_data_info(index)
        assert np.array_equal(cv2.imread(info["img_path"]), scene.image)
        labels = cv2.imread(info["seg_map_path"], cv2.IMREAD_UNCHANGED)
        assert np.array_equal(labels, scene.label_map)
    assert len(list((root / "gtFine" / "train").rglob("*.png"))) == COUNTS["labeled"]
    assert len(UnlabeledImages(root / "leftImg8bit" / "train")) == COUNTS["train"]


@pytest.mark.parametrize("write", [write_coco, write_voc, write_cityscapes])
def test_nothing_is_written_into_a_folder_in_use(tmp_path, write):
    (tmp_path / "precious").touch()
    with pytest.raises(FileExistsError, match="is not empty"):
        write(tmp_path, **COUNTS)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
