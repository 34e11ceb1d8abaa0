"""Labels of a model in every format: read again, they are the same; other tools accept them."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from ssdet.formats import WRITERS, DataError, LabeledImage, LabelSet, read, write_labels
from ssdet.formats.labeled import mask_of, objects, pack_map, unpack_map
from ssdet.formats.labelstudio import brush_values
from ssdet.formats.segments import encode
from ssdet.formats.writers.cvat import row_runs, window
from ssdet.formats.writers.labelstudio import brush

CLASSES = ("cat", 'dog & "<co>"', "Füße")
NAMES = ("a.png", "sub folder/b.png", "sub folder/c&d.png", "empty.png", "broken.png")
BOX = (20.0, 20.0, 80.0, 60.0)
OUT = {"coco": "labels.json", "coco-results": "labels.json", "labelstudio": "labels.json",
       "cvat": "labels.xml"}  # fmt: skip


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "photos"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (200, 100)).save(folder / name)
    return folder


def labeled(images, records):
    return LabelSet(str(images), CLASSES, records)


def some_records(masks=False):
    def record(name, *rows):
        boxes, labels, scores = zip(*rows, strict=True) if rows else ((), (), ())
        runs = [encode(region(box)) for box in boxes] if masks else None
        return LabeledImage(name, 200, 100, **objects((200, 100), boxes, labels, scores, runs))

    return [
        record(NAMES[0], (BOX, 0, 0.9), ((1.5, 2.25, 199.875, 100), 1, 0.5)),
        record(NAMES[1], ((0, 0, 200, 100), 2, 1.0)),
        record(NAMES[2], ((198.4, 97.3, 200, 100), 1, 0.25)),
        record(NAMES[3]),
        LabeledImage(NAMES[4], error="12 bytes that are no image"),
    ]


def region(box):
    mask = np.zeros((100, 200), bool)
    x1, y1, x2, y2 = (round(edge) for edge in box)
    mask[y1:y2, x1:x2] = True
    mask[y1, x1] = (x2 - x1) * (y2 - y1) == 1  # a corner is missing, where that is not all
    return mask


def target(tmp_path, form):
    return tmp_path / OUT.get(form, form)


READ_AGAIN = {
    "coco": {}, "yolo": {"follow_links": True}, "labelme": {"follow_links": True},
    "cvat": {}, "labelstudio": {"predictions": True}, "voc": {"follow_links": True},
}  # fmt: skip


@pytest.mark.parametrize("form", READ_AGAIN)
def test_what_was_written_is_read_again(images, tmp_path, form):
    records = some_records()
    path = target(tmp_path, form)
    write_labels(labeled(images, records), path, form)
    options = dict(READ_AGAIN[form])
    if "follow_links" not in options:
        options["images"] = images
    data = read(path, form, classes=() if form in ("coco", "yolo") else CLASSES, **options)
    assert data.classes == CLASSES
    found = {r.name.removeprefix("images/"): r for r in data.records}
    assert found.pop("broken.png", None) is None or form == "yolo"  # an image without a text file
    assert set(found) == set(NAMES[:4])
    loss = 0.5 if form == "voc" else 2e-3  # whole pixels
    for record in records[:4]:
        again = found[record.name]
        assert (again.width, again.height) == (200, 100)
        assert [i.label for i in again.instances] == record.labels
        for instance, box in zip(again.instances, record.boxes, strict=True):
            assert instance.box == pytest.approx(box, abs=loss)


@pytest.mark.parametrize("form", ["coco", "cvat", "labelstudio", "labelme"])
def test_masks_are_read_again(images, tmp_path, form):
    records = some_records(masks=True)
    path = target(tmp_path, form)
    write_labels(labeled(images, records), path, form)
    options = dict(READ_AGAIN[form]) if form == "labelme" else {"images": images}
    data = read(path, form, predictions=True, classes=() if form == "coco" else CLASSES, **options)
    found = {r.name.removeprefix("images/"): r for r in data.records}
    for record in records[:4]:
        for instance, runs in zip(found[record.name].instances, record.masks, strict=True):
            assert (mask_of(instance.segmentation) == mask_of(runs)).all()


def test_coco_with_scores_for_pycocotools(images, tmp_path, capsys):
    path = tmp_path / "labels.json"
    write_labels(labeled(images, some_records(masks=True)), path, "coco")
    coco = COCO(str(path))
    assert [coco.anns[n]["score"] for n in sorted(coco.anns)] == [0.9, 0.5, 1.0, 0.25]
    assert coco.anns[1]["bbox"] == [20, 20, 60, 40] and coco.anns[1]["iscrowd"] == 0
    assert coco.anns[1]["area"] == 60 * 40 - 1
    errors = json.loads(path.read_text())["ssdet"]["errors"]
    assert errors == [{"file_name": "broken.png", "error": "12 bytes that are no image"}]


def test_results_for_pycocotools(images, tmp_path, capsys):
    path = tmp_path / "labels.json"
    data = labeled(images, some_records())
    data.category_ids = (7, 9, 11)
    data.records[0].id = 70
    write_labels(data, path, "coco-results")
    about = COCO(str(tmp_path / "labels.images.json"))
    results = about.loadRes(str(path))
    assert [results.anns[n]["category_id"] for n in (1, 2, 3, 4)] == [7, 9, 11, 9]
    assert about.imgs[70]["file_name"] == "a.png" and results.anns[1]["image_id"] == 70


def test_numbers_of_the_specifications(images, tmp_path):
    record = LabeledImage("a.png", 200, 100, [BOX], [0], [0.93])
    for form in ("yolo", "voc", "cvat", "labelstudio", "labelme"):
        write_labels(labeled(images, [record]), target(tmp_path, form), form)
    line = (tmp_path / "yolo/labels/a.txt").read_text().split()
    assert [float(word) for word in line] == [0, 0.25, 0.4, 0.3, 0.4]
    assert float((tmp_path / "yolo/scores/a.txt").read_text()) == 0.93
    box = ET.parse(tmp_path / "voc/Annotations/a.xml").find("object/bndbox")
    assert [node.text for node in box] == ["21", "21", "80", "60"]
    task = json.loads((tmp_path / "labels.json").read_text())[0]
    value = task["predictions"][0]["result"][0]["value"]
    assert [value[key] for key in ("x", "y", "width", "height")] == [10, 20, 30, 40]
    assert task["data"]["image"] == "/data/local-files/?d=a.png"
    shape = json.loads((tmp_path / "labelme/a.json").read_text())["shapes"][0]
    assert shape["points"] == [[20, 20], [80, 60]] and shape["score"] == 0.93
    top = ET.parse(tmp_path / "labels.xml").find("image")
    assert top.get("name") == "a.png" and int(top.get("id")) == 10**9
    assert top.find("box").get("xtl") == "20.000"
    assert top.find("box/attribute[@name='score']").text == "0.93"
    declared = ET.parse(tmp_path / "labels.xml").findall("meta/task/labels/label/name")
    assert tuple(node.text for node in declared) == CLASSES


def test_run_lengths_of_cvat_and_label_studio():
    mask = np.zeros((2, 3), bool)
    mask[0, 1] = True
    left, top, part = window(mask)
    assert (left, top, row_runs(part)) == (1, 0, [0, 1])
    assert brush(mask) == [0, 0, 0, 24, 57, 27, 252, 96, 17, 255, 223, 0, 0]
    assert brush(np.zeros((1, 2), bool)) == [0, 0, 0, 8, 57, 27, 252, 224, 0]
    assert brush(np.ones((2, 2), bool)) == [0, 0, 0, 16, 57, 27, 253, 255, 240]


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 12), st.randoms(use_true_random=False))
def test_any_mask_survives_the_brush(height, width, random):
    mask = np.array([random.random() < 0.5 for _ in range(height * width)]).reshape(height, width)
    values = brush_values(bytes(brush(mask))).reshape(height, width, 4)
    assert (values[..., 3] > 0).tolist() == mask.tolist()


def test_a_long_run_of_the_brush_is_split():
    values = brush_values(bytes(brush(np.ones((400, 300), bool))))
    assert len(values) == 400 * 300 * 4 and (values == 255).all()


def test_what_label_studio_checks(images, tmp_path):
    write_labels(labeled(images, some_records()), tmp_path / "l.json", "labelstudio")
    tasks = json.loads((tmp_path / "l.json").read_text())
    regions = [r for task in tasks for p in task["predictions"] for r in p["result"]]
    assert len({r["id"] for r in regions}) == len(regions) == 4
    for region_ in regions:
        value = region_["value"]
        assert {region_["from_name"], region_["to_name"]} == {"label", "image"}
        assert region_["type"] in value and set(value[region_["type"]]) <= set(CLASSES)
        assert value["x"] >= 0 and value["x"] + value["width"] <= 100 + 1e-6
        assert value["y"] >= 0 and value["y"] + value["height"] <= 100 + 1e-6
        assert (region_["original_width"], region_["original_height"]) == (200, 100)
    interface = ET.parse(tmp_path / "l.config.xml").getroot()
    control = interface.find("RectangleLabels")
    assert (control.get("name"), control.get("toName")) == ("label", "image")
    assert tuple(label.get("value") for label in control) == CLASSES
    write_labels(labeled(images, []), tmp_path / "s3.json", "labelstudio", image_url="s3://b/")
    assert json.loads((tmp_path / "s3.json").read_text()) == []


def test_label_maps(images, tmp_path):
    labels = np.zeros((100, 200), np.uint8)
    labels[:50, :80], labels[90:] = 1, 255
    scores = np.full((100, 200), 51, np.uint8)
    record = LabeledImage("a.png", 200, 100, map=pack_map(labels), map_scores=pack_map(scores))
    write_labels(labeled(images, [record]), tmp_path / "maps", "masks")
    assert (np.asarray(Image.open(tmp_path / "maps/masks/a.png")) == labels).all()
    assert (np.asarray(Image.open(tmp_path / "maps/scores/a.png")) == 51).all()
    data = read(tmp_path / "maps/list.txt", "list", follow_links=True, classes=CLASSES)
    assert data.labels_in(data.records[0]) == {0, 1}
    write_labels(labeled(images, [record]), tmp_path / "labels.json", "coco")
    objects_ = read(tmp_path / "labels.json", "coco").records[0].instances
    assert [(o.label, o.box) for o in objects_] == [(0, (0, 0, 200, 90)), (1, (0, 0, 80, 50))]
    assert json.loads((tmp_path / "labels.json").read_text())["annotations"][0]["score"] == 0.2
    for form in ("voc", "yolo"):
        with pytest.raises(DataError, match=f"label maps as {form}"):
            write_labels(labeled(images, [record]), tmp_path / form, form)
        assert not (tmp_path / form).exists()


def test_masks_of_objects_as_label_maps(images, tmp_path):
    write_labels(labeled(images, some_records(masks=True)), tmp_path / "maps", "masks")
    labels = np.asarray(Image.open(tmp_path / "maps/masks/a.png"))
    assert labels[30, 30] == 1 and labels[95, 195] == 2 and labels[0, 0] == 0
    names = (tmp_path / "maps/classes.txt").read_text(encoding="utf-8").splitlines()
    assert names == ["background", *CLASSES]
    with pytest.raises(DataError, match="boxes as label maps"):
        write_labels(labeled(images, some_records()), tmp_path / "boxes", "masks")


def test_objects_are_tidied_and_in_order():
    boxes = [(-3, -2, 5, 5), (1, 1, 1.0004, 9), (150, 0, 300, 90), (2, 2, 4, 4), (1, 2, 4, 4)]
    found = objects((200, 100), boxes, [1, 0, 0, 2, 2], [0.5, 0.9, 0.7, 0.5, 0.5])
    assert found["boxes"] == [(150, 0, 200, 90), (0, 0, 5, 5), (1, 2, 4, 4), (2, 2, 4, 4)]
    assert found["scores"] == [0.7, 0.5, 0.5, 0.5]
    with pytest.raises(ValueError, match="nan"):
        objects((9, 9), [(0, 0, float("nan"), 4)], [0], [0.5])


def test_a_line_holds_everything():
    for record in some_records(masks=True):
        again = LabeledImage.of_line(record.line())
        assert again.line() == record.line() and again.name == record.name
    assert (unpack_map(pack_map(np.eye(3))) == np.eye(3)).all()


def test_nothing_is_overwritten_and_nothing_is_left_half(images, tmp_path):
    def broken():
        yield some_records(masks=True)[0]
        raise RuntimeError

    for form in WRITERS:
        path = target(tmp_path / form, form)
        with pytest.raises(RuntimeError):
            write_labels(labeled(images, broken()), path, form)
        assert not list(path.parent.iterdir())
        write_labels(labeled(images, some_records(masks=True)), path, form)
        with pytest.raises(DataError, match="file exists"):
            write_labels(labeled(images, []), path, form)
        write_labels(labeled(images, some_records(masks=True)), path, form, force=True)
    twins = [LabeledImage(name, 200, 100) for name in ("a.png", "a.jpg")]
    for form in ("voc", "yolo", "labelme"):
        with pytest.raises(DataError, match="two images of one name"):
            write_labels(labeled(images, twins), tmp_path / f"twins-{form}", form)
