"""`ssdet init` and `doctor` on data as it is downloaded: recognized, and nothing passed over."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from ssdet.cli import main
from tests.formats import miniature

from ..formats.test_guess import beside


@pytest.fixture
def camvid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return miniature.camvid(tmp_path / "camvid", (("train", 8), ("val", 2), ("test", 3)))


def said(*arguments):
    return main([str(argument) for argument in arguments])


def samples(config, scope):
    with DefaultScope.overwrite_default_scope(scope):
        labeled = DATASETS.build(config.train_dataloader.dataset.datasets[0])
        val = DATASETS.build(config.val_dataloader.dataset)
        return labeled[0]["data_samples"]["sup"], labeled, val


def test_camvid_in_three_commands(camvid, segmentor, capsys, tmp_path):
    assert said("split", camvid, "--count", 4, "--ignore", 3) == 0
    assert "label maps in trainannot/ of the images in train/" in capsys.readouterr().out
    lists = "splits/camvid.1@4images.txt", "splits/camvid.1@4images-unlabeled.txt"
    assert said("init", segmentor, "--labeled", lists[0], "--unlabeled", lists[1]) == 0
    told = capsys.readouterr().out
    assert "4 labeled, 4 unlabeled and 2 validation images; 3 classes: 0, 1, 2" in told
    config = Config.fromfile("config.py")
    sample, labeled, val = samples(config, "mmseg")
    assert set(np.unique(sample.gt_sem_seg.data)) <= {0, 1, 2, 255}
    assert len(labeled) == 4 and len(val) == 2
    assert np.unique(val[0]["data_samples"].gt_sem_seg.data).tolist() == [0, 1, 2, 255]
    assert said("doctor", "config.py", "--quick") == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", ["cards", "coco"])
def test_what_split_put_aside_is_validated_on(name, detector, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if name == "cards":
        beside(tmp_path / "cards", 12)
    else:
        for n in range(1, 13):
            miniature.picture(tmp_path / "coco" / "pictures" / f"{n:012d}.jpg", seed=n)
        miniature.write_json(tmp_path / "coco" / "all.json", miniature.coco_records(12))
    assert said("split", name, "--count", 4, "--val-percent", 25) == 0
    made = sorted(Path("splits").glob("*4images*[ts][xo][tn]"))
    lists = [path for path in made if path.suffix in (".txt", ".json") and "split" not in path.stem]
    unlabeled = next(path for path in lists if "unlabeled" in path.stem)
    labeled = next(path for path in lists if "unlabeled" not in path.stem)
    assert said("init", detector, "--labeled", labeled, "--unlabeled", unlabeled) == 0
    assert "4 labeled, 5 unlabeled and 3 validation images" in capsys.readouterr().out
    sample, _, val = samples(Config.fromfile("config.py"), "mmdet")
    assert len(sample.gt_instances.bboxes) > 0 and len(val) == 3


def test_folders_of_label_maps_are_named_for_both_parts(camvid, segmentor, capsys):
    assert said("init", segmentor, "--labeled", camvid, "--images", camvid / "train", "--masks",
                camvid / "trainannot", "--val", camvid, "--val-images", camvid / "val",
                "--val-masks", camvid / "valannot", "--unlabeled", camvid / "test",
                "--reduce-zero-label") == 0  # fmt: skip
    told = capsys.readouterr().out
    assert "8 labeled, 3 unlabeled and 2 validation images; 3 classes: 1, 2, 3" in told
    _, _, val = samples(Config.fromfile("config.py"), "mmseg")
    assert np.unique(val[0]["data_samples"].gt_sem_seg.data).tolist() == [0, 1, 2, 255]


def test_label_maps_are_no_unlabeled_images(camvid, segmentor, capsys):
    assert said("init", segmentor, "--labeled", camvid, "--unlabeled", camvid) == 0
    told = capsys.readouterr().out
    assert "13 label maps are no unlabeled images" in told
    listed = Path("config_data/unlabeled-images.txt").read_text()
    assert "annot" not in listed and listed.count("\n") == 11, "without the two to validate on"
    assert said("doctor", camvid, "--unlabeled", camvid) == 65
    assert "label maps among the unlabeled images" in capsys.readouterr().out


def test_a_relative_folder_that_is_not_there_says_where_it_was_looked_for(
    camvid, segmentor, capsys, tmp_path
):
    assert said("init", segmentor, "--labeled", "camvid", "--images", "train", "--masks",
                "trainannot", "--unlabeled", "camvid/test") == 65  # fmt: skip
    said_there = f"{tmp_path / 'train'}: no folder of images: found no such file"
    assert said_there in capsys.readouterr().err


def test_doctor_reads_xml_beside_images_and_names_a_broken_one(tmp_path, capsys):
    root = beside(tmp_path / "cards")
    xml = sorted(root.glob("*.xml"))
    xml[1].write_text(xml[1].read_text()[:150])
    miniature.picture(root / "extra.jpg", seed=77)
    assert said("doctor", root) == 65
    told = capsys.readouterr().out
    assert f"{root}: voc: 4 VOC xml files beside the images" in told
    assert f"{xml[1].name}, line " in told and "not an XML file" in told
    assert "note: " not in told and "images without labels" in told
    assert "2 images" in told.split("images without labels")[1].split("\n")[1]
    assert "nothing wrong" not in told
    rows = [line.split() for line in told.splitlines()]
    assert ["cat", "3", "images,", "3", "objects"] in rows


def test_doctor_counts_label_maps_and_not_as_images(camvid, capsys):
    assert said("doctor", camvid, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["looked_at"]["files"].startswith("10 images"), "of train and val, no maps"
    assert report["classes"][str(camvid)]["1"] == {"images": 8, "objects": None}
    assert "parts: train, val, test" in report["taken_for"][str(camvid)].replace(
        "test, train, val", "train, val, test"
    )


def test_doctor_does_not_pass_over_labels_that_it_cannot_read(tmp_path, capsys):
    miniature.picture(tmp_path / "a.jpg")
    assert said("doctor", tmp_path) == 0
    assert "no labels were found" in capsys.readouterr().out
    (tmp_path / "boxes.csv").write_text("a.jpg,1,2,3,4,cat\n")
    assert said("doctor", tmp_path) == 0
    told = capsys.readouterr().out
    assert "warning: annotations: no labels were found" in told and "boxes.csv" in told
    Image.new("L", (8, 8)).save(tmp_path / "b.png")
    assert said("doctor", tmp_path, "--strict") == 65


@pytest.mark.parametrize("make", [miniature.labelstudio_data, miniature.huggingface_data])
def test_other_exports_train_as_they_are(make, detector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = make(tmp_path / "data", 8)
    folder = source if source.is_dir() else source.parent
    miniature.picture(tmp_path / "more" / "x.jpg", seed=9)
    assert said("init", detector, "--labeled", folder, "--unlabeled", "more") == 0
    sample, _, _ = samples(Config.fromfile("config.py"), "mmdet")
    assert len(sample.gt_instances.bboxes) > 0
