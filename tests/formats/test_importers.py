"""Every format in, the same form in memory; numbers worked out by hand, and round trips."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from ssdet.cli import main
from ssdet.formats import (
    FORMATS,
    DataError,
    ImageRecord,
    Instance,
    MaskEncoding,
    components,
    read,
    write_coco,
    write_masks,
)
from ssdet.formats.labelstudio import brush_values
from ssdet.formats.segments import decode

from . import miniature

SOURCES = {
    "voc": miniature.voc_data,
    "yolo": miniature.yolo_data,
    "labelme": miniature.labelme_data,
    "cvat": miniature.cvat_data,
    "labelstudio": miniature.labelstudio_data,
    "huggingface": miniature.huggingface_data,
}
READING = {"labelstudio": {"images": "media"}}


@pytest.fixture
def data(tmp_path, request):
    source = SOURCES[request.param](tmp_path / "data")
    more = {key: tmp_path / "data" / v for key, v in READING.get(request.param, {}).items()}
    return read(source, request.param, **more)


def boxes(record):
    return [(instance.label, instance.box) for instance in record.instances]


@pytest.mark.parametrize("data", ["voc"], indirect=True)
def test_voc_counts_from_one_and_includes_the_last_pixel(data):
    assert data.classes == ("cat", "dog", "person")
    # (1, 1, 33, 40), (36, 5, 64, 48), and a difficult (10, 10, 30, 30); the head is no object
    first, second = data.records[:2]
    assert (first.name, first.width, first.height) == ("000000.jpg", 64, 48)
    assert boxes(first) == [(0, (0, 0, 33, 40)), (2, (35, 4, 64, 48))]
    assert second.instances[2] == Instance(1, (9, 9, 30, 30), difficult=True)
    assert data.labels_in(second) == {0, 2}


@pytest.mark.parametrize("data", ["yolo"], indirect=True)
def test_yolo_fractions_become_pixels(data):
    assert data.classes == ("cat", "dog", "owl")
    third = data.records[2]
    assert third.name == "images/train/002.jpg"
    # center (32, 24), size (16, 24); polygon (8, 12), (32, 12), (32, 36)
    assert boxes(third) == [(2, (24, 12, 40, 36)), (1, (8, 12, 32, 36))]
    assert third.instances[1].segmentation == [[8, 12, 32, 12, 32, 36]]
    assert data.records[3].instances == []


@pytest.mark.parametrize("data", ["labelme"], indirect=True)
def test_labelme_shapes(data):
    assert data.classes == ("cat", "dog", "owl")
    cat, dog, owl, group = data.records[0].instances
    assert (cat.box, dog.box, owl.box) == ((2, 2, 20, 20), (30, 10, 40, 30), (44, 18, 56, 30))
    assert dog.segmentation is None
    assert group.box == (30, 40, 46, 46) and len(group.segmentation) == 2


@pytest.mark.parametrize("data", ["cvat"], indirect=True)
def test_cvat_shapes(data):
    assert data.classes == ("owl", "cat", "dog")  # as the task has them
    cat, turned, polygon, ellipse, mask = data.records[0].instances
    assert (cat.label, cat.box) == (1, (2.0, 3.0, 20.5, 30.0))
    assert turned.box == pytest.approx((25, 5, 35, 25))  # 20x10 around (30, 15), by 90 degrees
    assert polygon.box == (30, 5, 50, 25)
    assert ellipse.box == pytest.approx((44, 32, 56, 40))
    expected = np.zeros((48, 64), bool)
    expected[20:23, 10:13] = [[0, 1, 1], [0, 0, 0], [1, 1, 0]]
    assert (decode(mask.segmentation, 48, 64) == expected).all()
    assert mask.box == (10, 20, 13, 23)
    assert [issue.what for issue in data.issues] == ["points (left out)"] * 4


def test_a_mask_drawn_in_labelme(tmp_path):
    root = miniature.labelme_data(tmp_path, count=1)
    part = Image.fromarray(np.array([[0, 255], [255, 255]], np.uint8))
    buffer = io.BytesIO()
    part.save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    content = json.loads((root / "000.json").read_text())
    content["shapes"] = [dict(label="cat", shape_type="mask", points=[[5, 6], [6, 7]], mask=text)]
    (root / "000.json").write_text(json.dumps(content))
    (instance,) = read(root, "labelme").records[0].instances
    mask = decode(instance.segmentation, 48, 64)
    assert np.argwhere(mask).tolist() == [[6, 6], [7, 5], [7, 6]]


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_through_coco_and_back(tmp_path, kind):
    data = read(SOURCES[kind](tmp_path / "data"), kind)
    back = read(write_coco(data, tmp_path / "out.json"), "coco")
    assert back.classes == data.classes
    assert back.records == data.records
    again = read(write_coco(back, tmp_path / "again.json"), "coco")
    assert again == type(again)(**{**vars(back), "source": again.source})


def test_coco_itself_keeps_ids_crowds_and_run_lengths(tmp_path):
    source = miniature.write_json(tmp_path / "a.json", miniature.coco_records(15))
    data = read(source, "coco")
    back = read(write_coco(data, tmp_path / "b.json"), "coco")
    assert (back.records, back.category_ids) == (data.records, (1, 17, 18))
    assert [p.id for p in back.records] == [p.id for p in data.records]
    assert [i.crowd for i in data.records[14].instances] == [False, False, True]
    content = json.loads((tmp_path / "b.json").read_text())
    areas = {a["area"] for a in content["annotations"]}
    assert areas == {20 * 26, 25 * 20, 8 * 48}  # of the masks, counted in pixels


def test_images_without_a_size_are_measured(tmp_path):
    content = miniature.coco_records(2)
    for image in content["images"]:
        del image["width"], image["height"]
        miniature.picture(tmp_path / "images" / image["file_name"], (48, 64))
    source = miniature.write_json(tmp_path / "a.json", content)
    record = read(source, "coco", images=tmp_path / "images").records[0]
    assert (record.width, record.height) == (64, 48)


def test_a_turned_photograph_has_the_size_that_loaders_show(tmp_path):
    root = miniature.yolo_data(tmp_path, count=1).parent
    path = root / "images" / "train" / "000.jpg"
    image = Image.open(path)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    record = read(root, "yolo").records[0]
    assert (record.width, record.height) == (48, 64)


# ---------------------------------------------------------------- label maps

LABELS = np.repeat(np.array([[0, 1, 2, 255]], np.uint8), 4, axis=1).repeat(6, axis=0)
COLORS = {(0, 0, 0): 0, (128, 0, 0): 1, (0, 128, 0): 2, (255, 255, 255): 255}


def colored(labels):
    table = {label: color for color, label in COLORS.items()}
    return np.array([[table[v] for v in row] for row in labels.tolist()], np.uint8)


@pytest.mark.parametrize("kind", ["palette", "gray", "mapped", "16 bit", "color", "gray as RGB"])
def test_every_kind_of_label_map_decodes_to_the_same(tmp_path, kind):
    path = tmp_path / "m.png"
    encoding = MaskEncoding(3)
    if kind == "palette":
        miniature.palette_png(path, LABELS)
    elif kind == "mapped":
        values = {10: 0, 20: 1, 30: 2, 0: 255}
        raw = {label: value for value, label in values.items()}
        encoding = MaskEncoding(3, values=values)
        miniature.gray_png(path, np.vectorize(raw.get)(LABELS).astype(np.uint8))
    elif kind == "color":
        encoding = MaskEncoding(3, colors=COLORS)
        Image.fromarray(colored(LABELS)).save(path)
    elif kind == "gray as RGB":
        Image.fromarray(np.repeat(LABELS[..., None], 3, axis=2)).save(path)
    else:
        miniature.gray_png(path, LABELS.astype(np.uint16) if kind == "16 bit" else LABELS)
    assert (encoding.decode(path) == LABELS).all()
    assert encoding.labels_in(path) == {0, 1, 2}


def mask_folder(root):
    for n in range(3):
        miniature.picture(root / "images" / "train" / f"{n}.jpg", LABELS.shape, seed=n)
        Image.fromarray(colored(LABELS)).save(_made(root / "masks" / "train") / f"{n}.png")
    (root / "colors.txt").write_text("sky 0 0 0\nred car: 128 0 0\ngreen 0 128 0\n")
    return root


def _made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_color_maps_become_palette_maps_that_read_the_same(tmp_path):
    colors = {color: label for color, label in COLORS.items()}
    root = mask_folder(tmp_path / "data")
    data = read(root, "masks", split="train", classes=("sky", "red car", "green"), colors=colors)
    written = write_masks(data, tmp_path / "out")
    assert written[0][1] == tmp_path / "out" / "train" / "0.png"
    for _, path in written:
        assert Image.open(path).mode == "P"
        assert (MaskEncoding(3).decode(path) == LABELS).all()
    assert (tmp_path / "out" / "classes.txt").read_text() == "sky\nred car\ngreen\n"


@pytest.mark.parametrize("data", ["labelstudio"], indirect=True)
def test_label_studio_regions(data):
    assert data.classes == ("cat", "dog")
    stroke = data.records[0].instances[0]  # one pixel of an image of 3 x 2, in column 1 and row 0
    assert (stroke.label, stroke.box) == (0, (1, 0, 2, 1))
    assert decode(stroke.segmentation, 2, 3).tolist() == [[False, True, False], [False] * 3]
    # 12.5, 25, 50, 12.5 percent of 64 x 48; the uploaded file's name begins with eight hex digits
    dog, cat = data.records[1].instances
    assert (data.records[1].name, dog.label, dog.box) == ("001.png", 1, (8, 12, 40, 18))
    assert cat.segmentation == [[0, 0, 32, 0, 32, 24]]
    assert "task without an annotation (left out)" in [issue.what for issue in data.issues]


def test_label_studio_says_how_predictions_are_read(tmp_path):
    source = miniature.labelstudio_data(tmp_path, count=2)
    tasks = json.loads(source.read_text())
    for task in tasks:
        task["predictions"] = task.pop("annotations", [])
    source.write_text(json.dumps(tasks))
    with pytest.raises(DataError, match=r"predictions alone.*--predictions"):
        read(source, "labelstudio", images=tmp_path / "media")
    assert read(source, "labelstudio", images=tmp_path / "media", predictions=True).records


def test_label_studio_turns_about_the_upper_left_corner(tmp_path):
    source = miniature.labelstudio_data(tmp_path, count=2)
    tasks = json.loads(source.read_text())
    value = dict(x=50, y=50, width=25, height=25, rotation=90, rectanglelabels=["dog"])
    tasks[1]["annotations"][0]["result"] = [dict(value=value)]
    source.write_text(json.dumps(tasks))
    data = read(source, "labelstudio", images=tmp_path / "media")
    # (32, 24) with sides of 16 and 12: clockwise, 12 to the left and 16 down
    assert data.records[1].instances[0].box == pytest.approx((20, 24, 32, 40))


def test_brush_strokes_have_the_published_bytes():
    full = [0, 0, 0, 16, 57, 27, 253, 255, 240]  # 2 x 2, all set; the others are empty or one pixel
    assert brush_values(bytes(full)).tolist() == [255] * 16
    assert brush_values(bytes([0, 0, 0, 8, 57, 27, 252, 224, 0])).tolist() == [0] * 8
    with pytest.raises(ValueError, match="cut off"):
        brush_values(bytes(full[:-3]))


@pytest.mark.parametrize("data", ["huggingface"], indirect=True)
def test_hugging_face_objects(data):
    assert data.classes == ("dog", "cat")  # in the order of README.md
    assert boxes(data.records[0]) == [(1, (2, 3, 22, 13)), (0, (30, 5, 40, 45))]


def test_hugging_face_label_maps_and_csv(tmp_path):
    miniature.picture(tmp_path / "a.png", (4, 4))
    miniature.gray_png(tmp_path / "maps" / "a.png", np.eye(4, dtype=np.uint8))
    (tmp_path / "metadata.csv").write_text("file_name,mask\na.png,maps/a.png\n")
    data = read(tmp_path, "huggingface")
    assert data.classes == ("0", "1") and data.labels_in(data.records[0]) == {0, 1}


def test_outlines_become_label_maps_with_the_small_on_top(tmp_path):
    square = [[2, 2, 10, 2, 10, 10, 2, 10]]
    small = [[4, 4, 6, 4, 6, 6, 4, 6]]
    crowd = [[12, 0, 16, 0, 16, 12, 12, 12]]
    record = ImageRecord("a.jpg", 16, 12, instances=[
        Instance(1, (4, 4, 6, 6), small), Instance(0, (2, 2, 10, 10), square),
        Instance(0, (12, 0, 16, 12), crowd, crowd=True)])  # fmt: skip
    from ssdet.formats import Annotations

    data = Annotations(tmp_path, tmp_path, ("cell", "core"), [record])
    ((_, path),) = write_masks(data, tmp_path / "out")
    labels = MaskEncoding(3).decode(path)
    expected = np.zeros((12, 16), np.uint8)
    expected[2:10, 2:10], expected[4:6, 4:6], expected[:, 12:] = 1, 2, 255
    assert (labels == expected).all()


def test_regions_of_label_maps_become_instances(tmp_path):
    labels = np.zeros((10, 12), np.uint8)
    labels[1:3, 1:4], labels[6:9, 7:12], labels[0, 11] = 1, 1, 255
    miniature.picture(tmp_path / "images" / "a.jpg", labels.shape)
    miniature.gray_png(tmp_path / "masks" / "a.png", labels)
    data = components(read(tmp_path, "masks", classes=("background", "cell")))
    assert data.classes == ("cell",)
    assert boxes(data.records[0]) == [(0, (1, 1, 4, 3)), (0, (7, 6, 12, 9))]


def test_cityscapes_instances_and_groups(tmp_path):
    miniature.cityscapes(tmp_path, train=2)
    data = read(tmp_path, "cityscapes-instances")
    found = [(data.classes[i.label], i.box, i.crowd) for i in data.records[0].instances]
    assert found == [
        ("person", (45, 20, 60, 30), True),
        ("car", (5, 30, 20, 40), False),
        ("car", (25, 30, 40, 40), False),
    ]


def test_ade_ignores_zero_and_starts_at_one(tmp_path):
    labels = np.array([[0, 1], [150, 2]], np.uint8)
    miniature.picture(tmp_path / "images" / "training" / "a.jpg", labels.shape)
    miniature.gray_png(tmp_path / "annotations" / "training" / "a.png", labels)
    data = read(tmp_path, "ade")
    assert data.encoding.decode(data.records[0].mask).tolist() == [[255, 0], [149, 1]]


def test_cityscapes_label_ids_are_read_where_train_ids_were_not_made(tmp_path):
    miniature.cityscapes(tmp_path, train=1)
    data = read(tmp_path, "cityscapes")
    assert {data.classes[n] for n in data.labels_in(data.records[0])} == {
        "road", "sky", "person", "car",
    }  # fmt: skip


def test_all_formats_are_tried_here():
    tried = {*SOURCES, "coco", "masks", "cityscapes-instances", "cityscapes", "ade", "voc-masks"}
    assert set(FORMATS) - tried == {"list"}  # in test_protocols: published lists


# ---------------------------------------------------------------- the commands and data sets


def test_convert_and_train_on_the_result(tmp_path, capsys):
    source = miniature.cvat_data(tmp_path / "data")
    out = tmp_path / "out.json"
    assert main(["convert", "cvat", str(source), "--to", "coco", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "4 images, 20 objects of 3 classes (owl, cat, dog)" in printed
    assert f"its file names are relative to {source.parent / 'images'}" in printed
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = DATASETS.build(
            dict(
                type="CocoDataset", ann_file=str(out), metainfo=dict(classes=("owl", "cat", "dog")),
                data_prefix=dict(img=str(source.parent / "images")), pipeline=LOAD_BOXES,
            )
        )  # fmt: skip
        sample = dataset[0]["data_samples"].gt_instances
    assert sample.labels.tolist() == [1, 2, 2, 0, 0]


LOAD_BOXES = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs"),
]


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_training_reads_every_format_without_conversion(tmp_path, kind):
    source = SOURCES[kind](tmp_path / "data")
    data = read(source, kind)
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = DATASETS.build(
            dict(type="LabeledImages", source=str(source), format=kind, pipeline=LOAD_BOXES)
        )
        sample = dataset[1]
    found = sample["data_samples"].gt_instances
    wanted = [i for i in data.records[1].instances if not i.ignored]
    assert found.labels.tolist() == [i.label for i in wanted]
    boxes = torch.tensor([i.box for i in wanted])
    assert torch.allclose(getattr(found.bboxes, "tensor", found.bboxes), boxes, atol=1e-4)
    assert dataset.metainfo["classes"] == data.classes
    ignored = sample["data_samples"].ignored_instances
    assert len(ignored) == (kind == "voc")


def test_only_the_images_of_a_split_are_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = str(miniature.yolo_data(tmp_path / "data"))
    assert main(["split", "yolo", source, "--count", "2"]) == 0
    only = tmp_path / "splits" / "train.1@2images.txt"
    with DefaultScope.overwrite_default_scope("mmdet"):
        build = dict(type="LabeledImages", source=source, format="yolo", only=str(only))
        dataset = DATASETS.build(build)
        full = DATASETS.build({**build, "only": None, "filter_cfg": dict(filter_empty_gt=True)})
    names = [dataset.get_data_info(n)["img_path"][-len("000.jpg") :] for n in range(len(dataset))]
    assert sorted(f"images/train/{name}" for name in names) == sorted(only.read_text().split())
    assert len(full) == 3  # the fourth has no objects


def test_classes_of_the_config_choose_and_order(tmp_path):
    source = miniature.cvat_data(tmp_path / "data")
    with DefaultScope.overwrite_default_scope("mmdet"):
        build = dict(type="LabeledImages", source=str(source), format="cvat")
        dataset = DATASETS.build({**build, "metainfo": dict(classes=("dog", "cat"))})
        labels = [i["bbox_label"] for i in dataset.get_data_info(0)["instances"]]
        assert labels == [1, 0, 0]
        with pytest.raises(ValueError, match=r"0 of 4 images.*\['owl', 'cat', 'dog'\].*\['Cat'\].*"
                           r"case-sensitive"):  # fmt: skip
            DATASETS.build({**build, "metainfo": dict(classes=("Cat",))})


def test_training_reads_color_maps_without_conversion(tmp_path):
    root = mask_folder(tmp_path / "data")
    (root / "colors.txt").write_text(
        "sky 0 0 0\nred car: 128 0 0\ngreen 0 128 0\nwhite 255 255 255\n"
    )
    pipeline = [dict(type="LoadImageFromFile"), dict(type="LoadMask"), dict(type="PackSegInputs")]
    with DefaultScope.overwrite_default_scope("mmseg"):
        dataset = DATASETS.build(
            dict(
                type="LabeledMasks", source=str(root), format="masks", split="train",
                classes=str(root / "colors.txt"), pipeline=pipeline,
            )
        )  # fmt: skip
        labels = dataset[0]["data_samples"].gt_sem_seg.data[0]
    assert labels[0].tolist() == [v for v in (0, 1, 2, 3) for _ in range(4)]
    assert dataset.metainfo["classes"] == ("sky", "red car", "green", "white")
    assert dataset.metainfo["palette"][1] == (128, 0, 0)
