"""Annotation files of any size are checked before a training, and every record is accounted for."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.registry import DefaultScope

from ssdet import doctor
from ssdet.doctor.config_sources import of_config
from ssdet.doctor.findings import Findings
from ssdet.formats import DataError

from ..fuzzing import tries
from . import place


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return place.build(tmp_path_factory.mktemp("large") / "data")


@pytest.fixture
def root(original, tmp_path):
    return place.copied(original, tmp_path / "data")


def first(**change):
    return lambda content: content["annotations"][0].update(change)


def other_case(content):
    content["categories"] = [dict(id=1, name="Cat"), dict(id=2, name="Dog")]


FAULTS = {
    "class in another case": (other_case, "no configured class in the annotations"),
    "annotation id twice": (first(id=2), "annotation id used twice"),
    "image id twice": (lambda c: c["images"][1].update(id=1), "image id used twice"),
    "NaN": (first(bbox=[1, float("nan"), 3, 4]), r"not four finite numbers: found bbox \[1, nan"),
    "infinity": (first(bbox=[1, 2, float("inf"), 4]), r"found bbox \[1, 2, inf, 4\]"),
    "text": (first(bbox=["1", 2, 3, 4]), r"found bbox \['1', 2, 3, 4\]"),
    "no area": (lambda c: c["annotations"][0].pop("area"), "annotation without an area"),
    "size as text": (lambda c: c["images"][0].update(width="64"), "found width '64'"),
    "no categories": (lambda c: c.pop("categories"), "COCO file without a list 'categories'"),
    "outside": (first(bbox=[70, 9, 5, 5]), "box outside its image"),
    "no width": (first(bbox=[9, 9, 0, 5]), "box without area"),
    "dangling": (first(image_id=77), "annotation of an unknown image"),
    "unknown category": (first(category_id=7), "unknown category"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_large_file_is_checked_by_the_training(root, name):
    change, text = FAULTS[name]

    def edit(content):
        content["info"] = {"note": "x" * 5_000_000}
        change(content)

    place.change(root, "labeled", edit)
    config = place.detection(root)
    with pytest.raises(DataError, match=text):
        doctor.quick_check(config, strict=True)


def test_a_byte_order_mark_is_named_where_pycocotools_cannot_read_it(root):
    path = root / "labeled.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    config = place.detection(root)
    with pytest.raises(DataError, match=r"labeled\.json: byte order mark"):
        doctor.quick_check(config)
    config.train_dataloader.dataset.datasets[0].update(
        type="LabeledImages", source=str(path), images=str(root), ann_file="", data_prefix={}
    )
    assert not doctor.quick_check(config).found


# What is done to one annotation, what it is called, and whether the object is left out.
RECORD = {
    "sound": ({}, "", False),
    "nan": (dict(bbox=[1, float("nan"), 3, 4]), "box that is not four finite numbers", True),
    "text": (dict(bbox=["1", 2, 3, 4]), "box that is not four finite numbers", True),
    "flat": (dict(bbox=[9, 9, 5, 0]), "box without area", True),
    "outside": (dict(bbox=[70, 9, 5, 5]), "box outside its image", True),
    "reaching out": (dict(bbox=[50, 9, 30, 5]), "box extends beyond its image (clipped)", False),
    "category": (dict(category_id=7), "unknown category", True),
    "image": (dict(image_id=99), "annotation of an unknown image", True),
    "crowd": (dict(iscrowd="no"), "iscrowd that is neither 0 nor 1", True),
    "outline": (dict(segmentation=[[1, 2, 3]]), "malformed polygon", True),
    "no id": (dict(id=None), "annotation without an id", True),
    "area": (dict(area=None), "annotation without an area", False),
    "no area": (dict(area=0), "annotation with area 0", False),
}


@tries(60)
@given(faults=st.lists(st.sampled_from(sorted(RECORD)), min_size=12, max_size=12))
def test_each_fault_is_counted_and_the_rest_is_kept(root, faults):
    content = json.loads((root / "val.json").read_text())
    content["annotations"] = [
        dict(id=n, image_id=n % 3 + 1, category_id=1, bbox=[9, 9, 9, 9], area=81, iscrowd=0)
        | RECORD[fault][0]
        for n, fault in enumerate(faults)
    ]
    (root / "val.json").write_text(json.dumps(content))
    findings = Findings()
    with DefaultScope.overwrite_default_scope("mmdet"):
        source = of_config(place.detection(root), findings)[-1]
    told = [f.what for f in findings.found]
    for _, what, _ in RECORD.values():
        assert told.count(what) == sum(RECORD[fault][1] == what for fault in faults if what)
    kept = sum(len(record.instances) for record in source.data.records)
    assert kept == sum(not RECORD[fault][2] for fault in faults)
    for number, fault in enumerate(faults):
        if fault != "sound":
            assert any(f"annotations[{number}] (id" in f.where for f in findings.found)


def test_many_faults_are_counted_not_kept(root):
    bad = dict(image_id=1, category_id=9, bbox=[1, 2, 3, 4], area=12)
    content = json.loads((root / "labeled.json").read_text())
    content["annotations"] += [bad | dict(id=n) for n in range(100, 5100)]
    (root / "labeled.json").write_text(json.dumps(content))
    config = place.detection(root)
    tracemalloc.start()
    found = doctor.quick_check(config)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (group,) = (g for g in found.groups() if g[0].what.startswith("unknown category"))
    assert len(group) == 1000 and sum(issue.times for issue in group) == 5000
    assert peak < 12e6
    with pytest.raises(DataError, match=r"^5000 issues:\n  5000 x unknown category; first:"):
        doctor.quick_check(config, strict=True)
