"""The bank of pseudo labels on disk."""

import json
import os
import threading

import numpy as np
import pytest

from ssdet.formats.pseudo_label_folder import PseudoLabelFolder

MAP = np.array([[0, 1, 255], [2, 2, 255]], np.uint8)
BOXES = dict(width=20, height=10, boxes=[[1, 2, 11, 5]], labels=[2], scores=[0.9])


def stored(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_map_comes_back_with_its_story(tmp_path):
    bank = PseudoLabelFolder(tmp_path, root="/data")
    key = bank.key("/data/city/a.b.jpg")
    assert key == "city/a.b" and bank.read_map(key) is None and bank.read_meta(key) == {}
    bank.write_map(key, MAP, dict(image="/data/city/a.b.jpg", iteration=7))
    assert np.array_equal(bank.read_map(key), MAP)
    expected = dict(image="/data/city/a.b.jpg", iteration=7, known=round(4 / 6, 4))
    assert bank.read_meta(key) == expected
    assert stored(tmp_path) == ["maps/city/a.b.png", "meta/city/a.b.json"]
    assert bank.keys("maps") == ["city/a.b"] and len(bank) == 1


def test_an_image_outside_of_the_root_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not lie in root='/data'"):
        PseudoLabelFolder(tmp_path, root="/data").key("/elsewhere/a.jpg")


def test_two_images_of_one_name_are_refused_also_by_the_next_run(tmp_path):
    for bank in (PseudoLabelFolder(tmp_path), PseudoLabelFolder(tmp_path)):
        bank.write_map(bank.key("x/a.jpg"), MAP, dict(image="x/a.jpg"))
        with pytest.raises(ValueError, match=r"x/a.jpg and y/a.jpg .* set root"):
            bank.write_map(bank.key("y/a.jpg"), MAP, dict(image="y/a.jpg"))


def test_a_write_that_fails_leaves_the_old_entry_and_no_rest(tmp_path, monkeypatch):
    bank = PseudoLabelFolder(tmp_path)
    bank.write_map("a", MAP, {})

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        bank.write_map("a", MAP * 0, {})
    assert np.array_equal(bank.read_map("a"), MAP)
    assert stored(tmp_path) == ["maps/a.png", "meta/a.json"]


def test_the_oldest_entries_go_first_when_there_are_too_many(tmp_path):
    bank = PseudoLabelFolder(tmp_path, max_entries=2)
    for name in "aba":
        bank.write_map(name, MAP, {})
    bank.write_map("c", MAP, {})  # b was written longest ago
    assert bank.keys("maps") == ["a", "c"]
    assert stored(tmp_path / "meta") == ["a.json", "c.json"]


def test_bytes_are_bounded_over_restarts_and_the_newest_stays(tmp_path):
    noise = np.random.default_rng(0).integers(0, 9, (64, 64)).astype(np.uint8)
    PseudoLabelFolder(tmp_path).write_map("a", noise, {})
    size = (tmp_path / "maps/a.png").stat().st_size
    bank = PseudoLabelFolder(tmp_path, max_bytes=int(1.5 * size))
    bank.write_map("b", noise, {})
    assert bank.keys("maps") == ["b"]
    PseudoLabelFolder(tmp_path, max_bytes=1).write_map("c", noise, {})
    assert bank.keys("maps") == ["c"]


def test_processes_share_the_bounds(tmp_path):
    banks = [PseudoLabelFolder(tmp_path, max_entries=4, rank=r, world_size=2) for r in range(2)]
    for number in range(6):
        banks[number % 2].write_map(str(number), MAP, {})
    assert banks[0].keys("maps") == ["2", "3", "4", "5"]
    # After a restart each entry belongs to exactly one process.
    again = [PseudoLabelFolder(tmp_path, rank=r, world_size=2) for r in range(2)]
    owned = [set(bank._own) for bank in again]
    assert not owned[0] & owned[1] and len(owned[0] | owned[1]) == 4


def test_readers_see_whole_files_while_others_write(tmp_path):
    maps = [np.full((40, 40), value, np.uint8) for value in range(2)]
    PseudoLabelFolder(tmp_path).write_map("a", maps[0], {})
    stop = threading.Event()

    def write(value):
        bank = PseudoLabelFolder(tmp_path)
        while not stop.is_set():
            bank.write_map("a", maps[value], {})

    writers = [threading.Thread(target=write, args=(value,)) for value in range(2)]
    for writer in writers:
        writer.start()
    try:
        bank = PseudoLabelFolder(tmp_path)
        for _ in range(100):
            assert len(np.unique(bank.read_map("a"))) == 1
    finally:
        stop.set()
        for writer in writers:
            writer.join()


@pytest.mark.parametrize("kind", ["maps", "boxes"])
def test_a_damaged_file_is_named(tmp_path, kind):
    bank = PseudoLabelFolder(tmp_path)
    path = bank.path(kind, "a")
    path.parent.mkdir()
    path.write_bytes(b"nonsense")
    read = bank.read_map if kind == "maps" else bank.read_boxes
    with pytest.raises(ValueError, match=f"{path.name} is not .* delete it"):
        read("a")


def test_export_as_a_coco_file_that_trains_any_detector(tmp_path):
    from mmdet.datasets import CocoDataset

    bank = PseudoLabelFolder(tmp_path)
    bank.write_boxes("a", BOXES, dict(image="/data/a.jpg"))
    bank.write_boxes("b", {**BOXES, "boxes": [], "labels": [], "scores": []}, {})
    path = bank.export_coco(["one", "two", "three"])
    content = json.loads(path.read_text())
    assert content["annotations"][0]["bbox"] == [1, 2, 10, 3]
    assert content["annotations"][0]["category_id"] == 3
    dataset = CocoDataset(
        ann_file=str(path),
        data_prefix=dict(img=""),
        metainfo=dict(classes=("one", "two", "three")),
        pipeline=[],
    )
    info = dataset.get_data_info(0)
    assert info["img_path"] == "/data/a.jpg" and (info["height"], info["width"]) == (10, 20)
    assert info["instances"][0]["bbox"] == [1, 2, 11, 5]
    assert info["instances"][0]["bbox_label"] == 2


def test_export_as_a_list_that_trains_any_segmentor(tmp_path):
    from mmseg.datasets import BaseSegDataset
    from mmseg.datasets.transforms import LoadAnnotations

    bank = PseudoLabelFolder(tmp_path, root="/data")
    bank.write_map(bank.key("/data/x/a.jpg"), MAP, dict(image="/data/x/a.jpg"))
    dataset = BaseSegDataset(
        ann_file=str(bank.export_list()),
        data_prefix=dict(img_path="/data", seg_map_path=str(tmp_path / "maps")),
        metainfo=dict(classes=("one", "two", "three")),
        pipeline=[],
    )
    info = dataset.get_data_info(0)
    assert info["img_path"] == "/data/x/a.jpg"
    assert np.array_equal(LoadAnnotations()(info)["gt_seg_map"], MAP)


def test_bounds_are_checked(tmp_path):
    with pytest.raises(ValueError, match="max_entries=0 must be above 0"):
        PseudoLabelFolder(tmp_path, max_entries=0)
