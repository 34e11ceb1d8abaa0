"""`ssdet init` and `doctor` on data as it is downloaded: recognized, and nothing passed over."""

import json
import shlex
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
    assert said("init", segmentor, "--labeled", lists[0]) == 0
    told = capsys.readouterr().out
    assert f"unlabeled: {lists[1]}, which lies beside the labeled ones" in told
    assert "4 labeled, 4 unlabeled and 2 validation images; 3 classes: 0, 1, 2" in told
    config = Config.fromfile("config.py")
    sample, labeled, val = samples(config, "mmseg")
    assert set(np.unique(sample.gt_sem_seg.data)) <= {0, 1, 2, 255}
    assert len(labeled) == 4 and len(val) == 2
    assert np.unique(val[0]["data_samples"].gt_sem_seg.data).tolist() == [0, 1, 2, 255]
    assert said("doctor", "config.py", "--quick") == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", ["cards", "coco"])
def test_damaged_labeled_images_are_left_out(name, detector, tmp_path, monkeypatch, capsys):
    """Drawn in the midst of a training, one of them would end it."""
    monkeypatch.chdir(tmp_path)
    options, val = ["--labeled", "cards"], None
    if name == "cards":
        images = sorted(beside(tmp_path / "cards", 10).glob("*.jpg"))
        val = beside(tmp_path / "val", 5)
        options += ["--val", val]
        first = sorted(val.glob("*.jpg"))[0]
        first.write_bytes(first.read_bytes()[:-40])
    else:
        names = [f"pictures/{n:012d}.jpg" for n in range(1, 11)]
        images = [miniature.picture(tmp_path / name, seed=n) for n, name in enumerate(names)]
        miniature.write_json(tmp_path / "all.json", miniature.coco_records(10))
        options = ["--labeled", "all.json", "--images", "pictures"]
    images[3].write_bytes(images[3].read_bytes()[:-40])
    for n in range(3):
        miniature.picture(tmp_path / "more" / f"{n}.jpg", seed=n)
    assert said("init", detector, *options, "--unlabeled", "more") == 0
    told = capsys.readouterr().out
    assert f"damaged labeled images are left out: 1, such as {images[3].name} (truncated" in told
    assert ("damaged validation images are left out: 1" in told) == bool(val)
    _, train, test = samples(Config.fromfile("config.py"), "mmdet")
    assert (len(train), len(test)) == ((9, 4) if val else (7, 2))
    used = [train.get_data_info(n)["img_path"] for n in range(len(train))]
    assert images[3].name not in {Path(path).name for path in used}


@pytest.mark.parametrize("kinds", [2, 1, 8])
def test_frames_of_a_video_on_both_sides_are_told(kinds, segmentor, tmp_path, monkeypatch, capsys):
    """Eight series of one image are none, and neither is one of all images."""
    monkeypatch.chdir(tmp_path)
    root = miniature.camvid(tmp_path / "videos", (("train", 8), ("test", 2)))
    for folder in ("train", "trainannot"):
        for number, path in enumerate(sorted((root / folder).iterdir())):
            video = "abcdefgh"[number % kinds]
            path.rename(path.with_name(f"{video}_{number:03d}{path.suffix}"))
    assert said("init", segmentor, "--labeled", root, "--unlabeled", root / "test") == 0
    told = capsys.readouterr().out
    assert "2 of 8 labeled images are held out" in told
    assert ("2 of them are named like images to train on, such as " in told) == (kinds == 2)
    assert ("--val-percent 20 --group-by" in told) == (kinds == 2)


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


@pytest.mark.parametrize("name", ["yolo", "coco", "labelstudio", "camvid"])
def test_the_line_that_split_prints_at_its_end_writes_a_config(
    name, detector, segmentor, tmp_path, monkeypatch, capsys
):
    """As a shell reads it, whatever is in the paths; only the base is a small one here."""
    folder = tmp_path / "my däta's (new)"
    folder.mkdir()
    monkeypatch.chdir(folder)
    options = []
    if name == "camvid":
        data = miniature.camvid(folder / "the maps", (("train", 8), ("val", 2)))
    elif name == "coco":
        data = miniature.write_json(folder / "all data.json", miniature.coco_records(12))
        for n in range(1, 13):
            miniature.picture(folder / "the pictures" / f"{n:012d}.jpg", seed=n)
        options = ["--images", "the pictures"]
    else:
        data = getattr(miniature, f"{name}_data")(folder / "the boxes", 12)
    assert said("split", data, "--count", 4, 6, "--fold", 1, 2, "--val-percent", 25,
                "--out", "out put", *options) == 0  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == "next:" and lines[-1].startswith("  ssdet init ")
    command, verb, base, *rest = shlex.split(lines[-1])
    assert (command, verb) == ("ssdet", "init") and ".1@4images" in rest[1]
    assert base == ("deeplabv3plus-r50" if name == "camvid" else "retinanet-r50")
    assert said("init", segmentor if name == "camvid" else detector, *rest) == 0
    told = capsys.readouterr().out
    counts = (4, 2, 2) if name == "camvid" else (4, 5, 3)
    assert "{} labeled, {} unlabeled and {} validation images".format(*counts) in told
    samples(Config.fromfile("config.py"), "mmseg" if name == "camvid" else "mmdet")


def test_names_for_yolo_files_that_have_numbers_alone(detector, tmp_path, monkeypatch, capsys):
    """Given to `init`, or to `split` before it; without them the numbers are the names."""
    monkeypatch.chdir(tmp_path)
    miniature.yolo_data(tmp_path / "boxes", 8).unlink()
    Path("names.txt").write_text("cat\ndog\nred owl\n")
    named, wanted = ["--classes", "names.txt"], ("cat", "dog", "red owl")
    assert said("split", "boxes", "--count", 4, *named) == 0
    parts = ["--labeled", "splits/train.1@4images.txt"], ["--labeled", "boxes", *named]
    for number, part in enumerate(parts):
        miniature.picture(tmp_path / "more" / "1.jpg", seed=7)
        unlabeled = ["--unlabeled", "more"] if number else []
        assert said("init", detector, *part, *unlabeled, "--force") == 0
        assert "classes: cat, dog, red owl" in capsys.readouterr().out
        config = Config.fromfile("config.py")
        sample, labeled, val = samples(config, "mmdet")
        assert config.classes == labeled.metainfo["classes"] == val.metainfo["classes"] == wanted
        assert len(sample.gt_instances.labels) == 2
        assert said("doctor", "config.py", "--quick") == 0, capsys.readouterr().out
    assert said("init", detector, "--labeled", "boxes", "--unlabeled", "more", "--force") == 0
    told = capsys.readouterr().out
    assert "classes: 0, 1, 2" in told and "give --classes FILE, a name a line" in told


def test_predictions_of_label_studio_are_trained_on_if_asked(
    detector, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    export = miniature.labelstudio_data(tmp_path / "data", 8)
    tasks = json.loads(export.read_text())
    for task in tasks[2:8]:
        task["predictions"], task["annotations"] = task["annotations"], []
    export.write_text(json.dumps(tasks))
    miniature.picture(tmp_path / "more" / "x.jpg", seed=9)
    assert said("init", detector, "--labeled", export, "--unlabeled", "more", "--predictions") == 0
    told = capsys.readouterr().out
    _, labeled, val = samples(Config.fromfile("config.py"), "mmdet")
    assert (len(labeled), len(val)) == (6, 2) and "6 labeled, 1 unlabeled and 2 val" in told
    assert said("doctor", "config.py", "--quick") == 0, capsys.readouterr().out


def test_split_names_no_next_command_where_nothing_is_left_unlabeled(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    miniature.yolo_data(tmp_path / "boxes", 6)
    assert said("split", "boxes", "--percent", 100) == 0
    told = capsys.readouterr().out
    assert "warning: no image is left unlabeled" in told and "next:" not in told


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


def test_images_of_other_parts_are_not_offered_as_unlabeled_ones(tmp_path, capsys):
    root = miniature.voc_detection(tmp_path / "voc", {"train": 3, "val": 2})
    said("doctor", root)
    told = capsys.readouterr().out
    assert f"{root} (validation): 2 images, " in told and "images without labels" not in told


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


def test_a_yaml_of_ultralytics_may_name_unlabeled_images(detector, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = miniature.yolo_data(tmp_path / "pets")
    assert said("init", detector, "--labeled", "pets") == 2
    told = capsys.readouterr().err
    assert "--unlabeled: no images without labels are named" in told and "ssdet split pets" in told
    miniature.picture(tmp_path / "pets" / "more" / "1.jpg", seed=7)
    file.write_text(file.read_text() + "unlabeled: more\n")
    for labeled in ("pets", "pets/data.yaml"):
        assert said("init", detector, "--labeled", labeled, "--force") == 0
        told = capsys.readouterr().out
        assert "unlabeled: pets/more, which pets/data.yaml names" in told
        assert ", 1 unlabeled and " in told
    (tmp_path / "mine").mkdir()
    moved = f"path: {tmp_path / 'pets'}\n{file.read_text()}"
    (tmp_path / "mine" / "data.yaml").write_text(moved)
    file.unlink()
    assert said("init", detector, "--labeled", "mine/data.yaml", "--force") == 65
    told = capsys.readouterr().err
    assert f"so it is not followed; if it is right: --images {tmp_path / 'pets'}" in told
    assert said("init", detector, "--labeled", "mine/data.yaml", "--images", "pets", "--force") == 0
    assert "unlabeled: pets/more, which mine/data.yaml names" in capsys.readouterr().out
