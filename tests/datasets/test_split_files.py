"""What `ssdet split` leaves on the disk, and what it refuses to do."""

import hashlib
import json
import logging
import runpy
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

from ssdet.cli import main
from ssdet.datasets import LabeledMasks, LabeledUnlabeledDataset, UnlabeledImages
from ssdet.datasets.splits import checksum, source_checksum, split_checksum
from ssdet.formats import DataError, read

from ..formats import miniature


def split(*arguments):
    return main(["split", *map(str, arguments)])


@pytest.fixture
def coco_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return miniature.write_json(tmp_path / "data" / "train.json", miniature.coco_records(30))


def test_a_coco_split_says_how_it_was_made_and_its_checksum(coco_file, tmp_path, capsys):
    assert split("coco", coco_file, "--percent", 10, "--seed", 3) == 0
    content = json.loads((tmp_path / "splits" / "train.1@10.json").read_text())
    note = content["info"]["split"]
    names = [image["file_name"] for image in content["images"]]
    assert (note["fold"], note["seed"], note["labeled"], note["unlabeled"]) == (1, 3, 3, 27)
    assert note["sha256"] == checksum(names)
    assert content["info"]["description"] == "miniature"
    assert f"train.1@10.json: 3 images, sha256 {note['sha256'][:16]}" in capsys.readouterr().out


def test_the_script_is_the_same_door(coco_file, tmp_path, monkeypatch):
    script = Path(__file__).parents[2] / "tools" / "split.py"
    monkeypatch.setattr("sys.argv", [str(script), "coco", str(coco_file), "--count", "4"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(script), run_name="__main__")
    assert (tmp_path / "splits" / "train.1@4images.json").is_file()


def test_an_edited_split_is_noticed(coco_file, tmp_path):
    split("coco", coco_file, "--percent", 10)
    path = tmp_path / "splits" / "train.1@10-unlabeled.json"
    content = json.loads(path.read_text())
    del content["images"][4]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"that was changed: found 26 images, sha256 \w{16}"):
        split_checksum(path)


def test_the_checksum_of_an_edited_list_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = miniature.voc_masks(tmp_path / "VOC2012")
    assert split("voc-masks", root, "--split", "train", "--count", 3) == 0
    path = tmp_path / "splits" / "train.1@3images.txt"
    image, mask = path.read_text().splitlines()[0].split()
    assert (root / image).is_file() and (root / mask).is_file()
    recorded = json.loads((tmp_path / "splits" / "train.1@3images.split.json").read_text())
    assert recorded["train.1@3images.txt"]["sha256"] == split_checksum(path)
    path.write_text(path.read_text() + "JPEGImages/x.jpg\n")
    with pytest.raises(DataError, match="found 4 images, sha256 "):
        split_checksum(path)


def test_small_sets_lie_inside_large_ones_also_when_made_later(coco_file, tmp_path):
    def labeled(percent):
        split("coco", coco_file, "--percent", percent)
        data = read(tmp_path / "splits" / f"train.1@{percent}.json", "coco")
        return {record.name for record in data.records}

    large, small = labeled(50), labeled(20)
    assert small < large
    assert (len(small), len(large)) == (6, 15)


def test_every_class_is_labeled_or_named(coco_file, tmp_path, capsys):
    split("coco", coco_file, "--count", 3, 2, "--fold", 1, 2, 3, 4)
    for fold in range(1, 5):
        data = read(tmp_path / "splits" / f"train.{fold}@3images.json", "coco")
        assert {n for p in data.records for n in data.labels_in(p)} == {0, 1, 2}
    content = json.loads(coco_file.read_text())
    content["categories"].append(dict(id=99, name="unicorn"))
    coco_file.write_text(json.dumps(content))
    capsys.readouterr()
    split("coco", coco_file, "--count", 5)
    assert "no labeled image has unicorn: a model cannot learn" in capsys.readouterr().out


def test_nothing_is_overwritten_or_written_into_the_data(coco_file, tmp_path, monkeypatch, capsys):
    split("coco", coco_file, "--percent", 10)
    before = (tmp_path / "splits" / "train.1@10.json").read_bytes()
    assert split("coco", coco_file, "--percent", 10, "--seed", 1) == 65
    assert "file exists" in capsys.readouterr().err
    assert (tmp_path / "splits" / "train.1@10.json").read_bytes() == before
    assert split("coco", coco_file, "--percent", 10, "--seed", 1, "--force") == 0
    assert (tmp_path / "splits" / "train.1@10.json").read_bytes() != before
    monkeypatch.chdir(coco_file.parent)
    assert split("coco", coco_file, "--percent", 10) == 2
    assert "nothing is written there by default" in capsys.readouterr().err
    assert [path.name for path in coco_file.parent.iterdir()] == ["train.json"]
    assert split("coco", coco_file, "--percent", 10, "--out", "splits") == 0


def test_an_existing_list_of_coco_images(coco_file, tmp_path):
    lines = miniature.write_list(tmp_path / "mine.txt", ["000000000003.jpg", "000000000004"])
    assert split("coco", coco_file, "--list", lines) == 0
    data = read(tmp_path / "splits" / "train.mine.json", "coco")
    assert [record.id for record in data.records] == [3, 4]


def test_faulty_records_are_left_out_counted_and_strict_refuses(coco_file, tmp_path, caplog):
    content = json.loads(coco_file.read_text())
    for record in content["annotations"][:4]:
        record["bbox"][2] = -1
    coco_file.write_text(json.dumps(content))
    with caplog.at_level(logging.WARNING):
        assert split("coco", coco_file, "--percent", 100) == 0
    kept = json.loads((tmp_path / "splits" / "train.1@100.json").read_text())["annotations"]
    assert kept == content["annotations"][4:]
    assert split("coco", coco_file, "--percent", 50, "--strict") == 65


@pytest.mark.parametrize("kind", ["voc", "yolo", "labelme", "cvat"])
def test_lists_of_the_other_formats(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    source = getattr(miniature, f"{kind}_data")(tmp_path / "data", count=8)
    assert split(kind, source, "--count", 3, "--name", "mini") == 0
    labeled = (tmp_path / "splits" / "mini.1@3images.txt").read_text().split()
    unlabeled = (tmp_path / "splits" / "mini.1@3images-unlabeled.txt").read_text().split()
    assert (len(labeled), len(unlabeled)) == (3, 5)
    if kind == "voc":
        assert not any("." in stem for stem in labeled)  # as ann_file of XMLDataset has them
    images = read(source, kind).images
    assert all((images / name).is_file() for name in unlabeled)


def test_the_checksum_of_folders_is_that_of_the_names_wherever_they_lie(tmp_path):
    for place in ("here", "there/deep"):
        for n in range(3):
            miniature.picture(tmp_path / place / "x" / f"{n}.jpg", seed=len(place))
    here, there = (
        source_checksum(UnlabeledImages(tmp_path / place)) for place in ("here", "there/deep")
    )
    assert here == there == checksum(["0.jpg", "1.jpg", "2.jpg"])
    (tmp_path / "here" / "x" / "1.jpg").unlink()
    assert source_checksum(UnlabeledImages(tmp_path / "here")) != here


def test_other_annotation_files_are_known_by_their_bytes(coco_file, tmp_path):
    class Source:
        ann_file = str(coco_file)

    assert source_checksum(Source()) == hashlib.sha256(coco_file.read_bytes()).hexdigest()


def test_lists_are_known_by_the_checksum_in_their_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = miniature.voc_masks(tmp_path / "VOC2012")
    split("voc-masks", root, "--split", "train", "--count", 3)
    path = tmp_path / "splits" / "train.1@3images.txt"
    dataset = LabeledMasks(source=str(path), images=str(root), classes="voc")
    recorded = json.loads((tmp_path / "splits" / "train.1@3images.split.json").read_text())
    assert dataset.checksum() == recorded[path.name]["sha256"]


def test_training_logs_the_checksum_that_the_file_holds(coco_file, tmp_path, monkeypatch):
    log = []
    monkeypatch.setattr(
        "ssdet.datasets.labeled_unlabeled.print_log", lambda text, **_: log.append(text)
    )
    split("coco", coco_file, "--percent", 10)
    for n in range(1, 31):
        miniature.picture(tmp_path / "images" / f"{n:012d}.jpg")
    base = tmp_path / "splits" / "train.1@10.json"
    twin = tmp_path / "splits" / "train.1@10-unlabeled.json"
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = LabeledUnlabeledDataset(
            [
                dict(type="LabeledImages", source=str(base), images=str(tmp_path / "images")),
                UnlabeledImages(twin, data_root=tmp_path, img_prefix="images"),
            ]
        )
    assert dataset.checksum() == dataset.checksum()
    recorded = json.loads(twin.read_text())["info"]["split"]["sha256"]
    labeled = json.loads(base.read_text())["info"]["split"]["sha256"]
    assert log[0] == f"source 0 (LabeledImages): 3 labeled images, sha256 {labeled}"
    assert log[1] == f"source 1 (UnlabeledImages): 27 unlabeled images, sha256 {recorded}"
