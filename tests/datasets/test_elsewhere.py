"""Labeled data sets whose images lie at addresses or in archives."""

import json

import fsspec
import numpy as np
import pytest

from ssdet.datasets import LabeledImages, LabeledMasks, UnlabeledImages
from ssdet.formats import DataError

from .test_sources import png, write_tar

BOXES = [
    dict(type="LoadImageFromFile"),
    dict(type="mmdet.LoadAnnotations", with_bbox=True, box_type=None),
]
MAPS = [dict(type="LoadImageFromFile"), dict(type="LoadMask")]


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """An empty `memory://`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def coco(*names):
    images = [dict(id=n, file_name=name, width=7, height=5) for n, name in enumerate(names, 1)]
    boxes = [dict(id=n, image_id=n, category_id=1, bbox=[1, 1, n, 2]) for n in range(1, 3)]
    return dict(images=images, annotations=boxes, categories=[dict(id=1, name="cat")])


def test_boxes_at_an_address(memory, tmp_path):
    for name in ("a.png", "sub/b.png"):
        memory.pipe(f"/photos/{name}", png((7, 5)))
    memory.pipe("/photos/labels.json", json.dumps(coco("a.png", "sub/b.png")).encode())
    data = LabeledImages("memory://photos/labels.json", pipeline=BOXES)
    assert data[1]["img"].shape == (5, 7, 3) and data[1]["img_path"] == "memory://photos/sub/b.png"
    assert data[1]["gt_bboxes"].tolist() == [[1, 1, 3, 3]]
    (tmp_path / "labels.json").write_text(json.dumps(coco("sub/b.png", "a.png")))
    (tmp_path / "only.txt").write_text("a.png\n")
    only, file = str(tmp_path / "only.txt"), str(tmp_path / "labels.json")
    data = LabeledImages(file, images="memory://photos", only=only, pipeline=BOXES)
    assert [info["img_path"] for info in data] == ["memory://photos/a.png"]
    first = LabeledImages("memory://photos/labels.json").checksum()
    memory.pipe("/photos/labels.json", json.dumps(coco("a.png")).encode())
    assert LabeledImages("memory://photos/labels.json").checksum() != first  # read anew


def test_archives_beside_a_data_set_are_none_of_it(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(png((7, 5)))
    write_tar(tmp_path / "photos.tar", {"b.png": png((7, 5))})
    (tmp_path / "labels.json").write_text(json.dumps(coco("photos/a.png")))
    data = LabeledImages(str(tmp_path / "labels.json"), images=str(tmp_path), pipeline=BOXES)
    assert data[0]["img_path"] == str(tmp_path / "photos/a.png")
    assert len(UnlabeledImages(str(tmp_path))) == 1


def test_what_an_address_does_not_let_through(memory, tmp_path):
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(coco("../a.png")))
    with pytest.raises(DataError, match="leads out of the data folder"):
        LabeledImages(str(file), images="memory://photos")
    with pytest.raises(DataError, match="allowed: format='coco'"):
        LabeledImages("memory://photos", format="voc")


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_boxes_in_archives(memory, tmp_path, where):
    folder = tmp_path / "shards"
    folder.mkdir()
    write_tar(folder / "0.tar", {"a.png": png((7, 5), 10), "b.png": png((7, 5), 20)})
    write_tar(folder / "1.tar", {"a.png": png((7, 5), 30)})
    images = str(folder)
    if where == "memory":
        for path in folder.glob("*.tar"):
            memory.pipe(f"/shards/{path.name}", path.read_bytes())
        images = "memory://shards"
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(coco("1.tar!a.png", "b.png")))
    data = LabeledImages(str(file), images=images, pipeline=BOXES)
    assert [int(sample["img"].max()) for sample in data] == [30, 20]
    for name, message in (("a.png", "in several archives"), ("c.png", "in none of the archives")):
        file.write_text(json.dumps(coco("1.tar!a.png", name)))
        with pytest.raises(DataError, match=message):
            LabeledImages(str(file), images=images)


@pytest.mark.parametrize("layout", ["folder", "list", "archive"])
def test_label_maps_at_an_address(memory, tmp_path, layout):
    gray = np.zeros((5, 7), np.uint8)
    gray[1:3] = 9
    parts = {"images/a/1.png": png((7, 5), 10), "masks/a/1.png": png_of(gray)}
    for name, content in parts.items():
        memory.pipe(f"/maps/{name}", content)
    memory.pipe("/maps/list.txt", b"images/a/1.png masks/a/1.png\n\n")
    source = {"folder": "memory://maps", "list": "memory://maps/list.txt"}.get(layout)
    if source is None:
        source = str(tmp_path / "0.tar")
        members = {"a/1.png": png((7, 5), 10), "a/1.seg.png": png_of(gray), "a/2.png": png((7, 5))}
        write_tar(source, members)
    data = LabeledMasks(source, classes=("sky", "cat"), values=(0, 9), pipeline=MAPS)
    assert len(data) == 1 and data.metainfo["classes"] == ("sky", "cat")
    assert np.unique(data[0]["gt_seg_map"][1:3]) == [1] and int(data[0]["img"].max()) == 10
    with pytest.raises(DataError, match="Give classes"):
        LabeledMasks(source)
    wrong = LabeledMasks(source, classes=("sky", "cat"), pipeline=MAPS)
    with pytest.raises(DataError, match=r"1.*png: label map with an unknown value: found 9"):
        wrong.pipeline(wrong.get_data_info(0))


def png_of(values):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()
