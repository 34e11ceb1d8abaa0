"""Candidates for new classes in unlabeled images."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import torch
from pycocotools.coco import COCO

from ssdet.exits import UsageError
from ssdet.formats.issues import DataError
from ssdet.formats.labeled import LabeledImage
from ssdet.labeling.discovery import Asked
from ssdet.labeling.discovery.classes import _candidates, group, told
from ssdet.labeling.discovery.objects import Object, Reservoir, unexplained

from ..families.detectors import small_config
from .conftest import CLASSES, DETECT, write_run

PATH = Path(__file__).parents[2] / "tools" / "discover_classes.py"
spec = importlib.util.spec_from_file_location("discover_classes", PATH)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


def made(center, count, label=-1, first=0):
    """Objects of images of their own, whose features are near a direction."""
    generator = torch.Generator().manual_seed(first)
    image = LabeledImage("a.png", 100, 80)
    return [
        Object(image, first + number, (1.0, 2.0, 30.0, 40.0), 0.9, label, feature)
        for number, feature in enumerate(
            torch.tensor(center) + 0.05 * torch.randn(count, 4, generator=generator)
        )
    ]


ASKED = Asked(width=3, start=1)


def test_two_new_groups_beside_known_classes():
    """Classes 0 and 2 are known; 20 and 30 objects are new, 10 look like class 2."""
    known = [*made([1.0, 0, 0, 0], 20, 0), *made([0, 1.0, 0, 0], 20, 2, 20)]
    unknown = [
        *made([0, 0, 1.0, 0], 20, first=40),
        *made([0, 0, 0, 1.0], 30, first=60),
        *made([0, 1.0, 0, 0], 10, first=90),
    ]
    grouped = group(known, unknown, ASKED)
    assert grouped.classes == [0, 2] and told(grouped) == ["split: 1 -> 2 groups"]
    found = _candidates(unknown, grouped, ["cat", "cow"])
    assert [one.images for one in found] == [30, 20]
    assert {one.place for one in found[0].objects} == set(range(60, 90))
    assert all(one.distance > 5 and one.resembles in ("cat", "cow") for one in found)
    assert (grouped.labels == 1).sum() == 10
    center = torch.stack([one.feature for one in found[0].objects]).mean(0)
    away = [float((one.feature - center).norm()) for one in found[0].objects]
    assert sum(away[:5]) < sum(away[-5:])


def test_without_a_known_class():
    unknown = [*made([0, 0, 1.0, 0], 20, first=40), *made([0, 0, 0, 1.0], 30, first=60)]
    grouped = group([], unknown, ASKED)
    found = _candidates(unknown, grouped, [])
    assert [len(one.objects) for one in found] == [30, 20] and found[0].resembles == ""


def test_proposals_that_nothing_explains():
    """In turn: explained; the best; the same object again; too unsure; another one."""
    boxes = torch.tensor(
        [[0.0, 0, 10, 10], [50, 50, 70, 70], [51, 50, 71, 70], [80, 80, 90, 90], [20, 0, 30, 10]]
    )
    scores = torch.tensor([0.9, 0.8, 0.7, 0.4, 0.6])
    found = torch.tensor([[0.0, 0, 10, 14]])
    assert unexplained(boxes, scores, found, Asked()).tolist() == [1, 4]
    assert unexplained(boxes, scores, found, Asked(per_image=1)).tolist() == [1]
    assert unexplained(boxes, scores, found[:0], Asked(objectness=0.85)).tolist() == [0]
    assert unexplained(boxes, scores, found, Asked(objectness=0.95)).tolist() == []


def test_a_reservoir_is_fair_and_bounded():
    counts = torch.zeros(10)
    for seed in range(400):
        kept = Reservoir(3, torch.Generator().manual_seed(seed))
        for number in range(10):
            kept.add(number)
        assert len(kept.items) == 3 and kept.seen == 10
        counts[kept.items] += 1
    assert counts.sub(120).abs().max() < 40  # of 400 times 3 of 10; the deviation is 9


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    detector = small_config("faster_rcnn")
    detector.test_cfg.rpn.update(nms_pre=50, max_per_img=20)
    detector.test_cfg.rcnn.update(score_thr=0.0, max_per_img=5)
    model = dict(type="TeacherStudentDetector", detector=detector)
    return write_run(tmp_path_factory.mktemp("run"), "mmdet", model, DETECT)


def test_the_tool_writes_pictures_and_a_coco_file(run, images, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ssdet.labeling.discovery.page.SHOWN", 2)
    out = tmp_path / "out"
    order = [str(run), str(images), "--out", str(out), "--objectness", "0", "--known", "1"]
    assert tool.main([*order, "--most", "40", "--per-image", "3"]) == 0
    said = capsys.readouterr().out
    (seen,) = re.findall(r"40 of (\d+) objects without a name, in 30 images", said)
    assert 40 < int(seen) <= 90 and "new 1: " in said
    coco = COCO(str(out / "candidates.json"))
    names = [one["name"] for one in coco.loadCats(coco.getCatIds())]
    assert names[0] == "new 1" and min(coco.getCatIds()) == len(CLASSES) + 1
    boxes = coco.loadAnns(coco.getAnnIds())
    assert 0 < len(boxes) <= 40
    for one in boxes:
        x, y, width, height = one["bbox"]
        size = coco.loadImgs(one["image_id"])[0]
        assert 0 <= x <= x + width <= size["width"] and 0 <= y <= y + height <= size["height"]
    page = (out / "candidates.html").read_text()
    assert page.count("data:image/jpeg") == 2 * len(names) and "broken.png" in page
    with pytest.raises(DataError, match="file exists"):
        tool.main(order)
    first = json.loads((out / "candidates.json").read_text())
    assert tool.main([*order, "--most", "40", "--per-image", "3", "--force"]) == 0
    assert json.loads((out / "candidates.json").read_text()) == first


def test_a_detector_without_proposals_and_too_few_objects(run, detector, images, tmp_path):
    with pytest.raises(UsageError, match="RetinaNet has no proposals"):
        tool.main([str(detector), str(images), "--out", str(tmp_path / "a")])
    order = [str(run), str(images / "00.png"), "--out", str(tmp_path / "b"), "--known", "1"]
    with pytest.raises(UsageError, match="3 objects without a name in 1 images"):
        tool.main([*order, "--objectness", "0", "--per-image", "3"])
    with pytest.raises(ValueError, match=r"objectness=1\.5"):
        Asked(objectness=1.5)
