"""What a folder is taken for: one answer for init, doctor, split and convert, with its reason."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from ssdet.cli import main
from ssdet.formats import DataError, guess, read
from ssdet.formats.guessed import options_for

from . import miniature


def beside(root, count=4):
    """VOC xml beside the images."""
    miniature.voc_data(root, count)
    for folder in ("Annotations", "JPEGImages"):
        for path in (root / folder).iterdir():
            path.rename(root / path.name)
        (root / folder).rmdir()
    shutil.rmtree(root / "ImageSets")
    return root


def lower_case(root):
    """images/ and annotations/ with xml."""
    miniature.voc_data(root)
    (root / "Annotations").rename(root / "annotations")
    (root / "JPEGImages").rename(root / "images")
    shutil.rmtree(root / "ImageSets")
    return root


def roboflow(root, make):
    """train/, valid/ and test/, each of its own."""
    for part in ("train", "valid", "test"):
        make(root / part)
    (root / "README.roboflow.txt").write_text("Exported by a tool.\n")
    return root


def coco_part(folder):
    content = miniature.coco_records(3)
    miniature.write_json(folder / "_annotations.coco.json", content)
    for image in content["images"]:
        miniature.picture(folder / image["file_name"])


def yolo_tree(root):
    """images/ and labels/, with classes.txt and no data.yaml."""
    miniature.yolo_data(root)
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("cat\ndog\nowl\n")
    return root


def ultralytics(root):
    miniature.yolo_data(root)
    shutil.copytree(root / "images" / "train", root / "images" / "val")
    shutil.copytree(root / "labels" / "train", root / "labels" / "val")
    (root / "data.yaml").rename(root / "pets.yaml")
    text = "path: ../datasets/pets\ntrain: images/train\nval: images/val\n"
    text += "names: {0: cat, 1: dog, 2: owl}\n"
    (root / "pets.yaml").write_text(text)
    return root


def masks_beside(root):
    """a.png and a_mask.png in one folder."""
    miniature.camvid(root)
    for part in ("train", "val", "test"):
        for path in (root / f"{part}annot").iterdir():
            path.rename(root / part / f"{path.stem}_mask.png")
        (root / f"{part}annot").rmdir()
    return root


def other_names(root):
    """imgs/img_0.jpg and gt/gt_0.png."""
    for n in range(4):
        miniature.picture(root / "imgs" / f"img_{n}.jpg", seed=n)
        labels = np.repeat(np.arange(4, dtype=np.uint8), 12)[:, None].repeat(64, axis=1)
        miniature.gray_png(root / "gt" / f"gt_{n}.png", labels)
    return root


def augmented(root):
    """image/ and label/, and beside them a folder of augmented copies with both."""
    labels = np.repeat(np.arange(4, dtype=np.uint8), 12)[:, None].repeat(64, axis=1)
    for n in range(4):
        miniature.picture(root / "train" / "image" / f"{n}.png", seed=n)
        miniature.gray_png(root / "train" / "label" / f"{n}.png", labels)
        miniature.picture(root / "train" / "aug" / f"image_{n}_7.png", seed=n + 9)
        miniature.gray_png(root / "train" / "aug" / f"mask_{n}_7.png", labels)
    return root


def patients(root):
    """A folder for each patient, with images/ and masks/ in it."""
    labels = np.repeat(np.arange(4, dtype=np.uint8), 12)[:, None].repeat(64, axis=1)
    for n in range(4):
        folder = root / f"patient{n % 2}"
        miniature.picture(folder / "images" / f"{n // 2}.jpg", seed=n)
        miniature.gray_png(folder / "masks" / f"{n // 2}.png", labels)
    return root


LAYOUTS = {
    # name: (make, format, parts, images, classes)
    "voc": (miniature.voc_data, "voc", "", 4, ("cat", "dog", "person")),
    "voc beside": (beside, "voc", "", 4, ("cat", "dog", "person")),
    "voc in lower case": (lower_case, "voc", "", 4, ("cat", "dog", "person")),
    "voc of Roboflow": (
        lambda root: roboflow(root, beside), "voc", "test train val", 4, ("cat", "dog", "person")),
    "coco of Roboflow": (
        lambda root: roboflow(root, coco_part), "coco", "test train val", 3,
        ("person", "cat", "dog")),
    "yolo": (lambda root: miniature.yolo_data(root).parent, "yolo", "", 4, ("cat", "dog", "owl")),
    "yolo without yaml": (yolo_tree, "yolo", "", 3, ("cat", "dog", "owl")),
    "ultralytics": (ultralytics, "yolo", "train val", 4, ("cat", "dog", "owl")),
    "labelme": (miniature.labelme_data, "labelme", "", 4, ("cat", "dog", "owl")),
    "cvat": (lambda root: miniature.cvat_data(root).parent, "cvat", "", 4, ("owl", "cat", "dog")),
    "label studio": (
        lambda root: miniature.labelstudio_data(root).parent, "labelstudio", "", 4,
        ("cat", "dog")),
    "hugging face": (miniature.huggingface_data, "huggingface", "", 4, ("dog", "cat")),
    "camvid": (miniature.camvid, "masks", "test train val", 6, ("0", "1", "2", "3")),
    "masks beside": (masks_beside, "masks", "test train val", 6, ("0", "1", "2", "3")),
    "masks of other names": (other_names, "masks", "", 4, ("0", "1", "2", "3")),
    "masks beside augmented ones": (augmented, "masks", "", 4, ("0", "1", "2", "3")),
    "masks of patients": (patients, "masks", "", 4, ("0", "1", "2", "3")),
    "cityscapes": (miniature.cityscapes, "cityscapes", "train val", 16, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}

    def get(name):
        if name not in made:
            made[name] = LAYOUTS[name][0](tmp_path_factory.mktemp("layouts") / "data")
        return made[name]

    return get


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(folders, name):
    _, form, parts, images, classes = LAYOUTS[name]
    found = guess(folders(name))
    assert found.format == form and found.why
    assert sorted(found.parts) == parts.split()
    data = read(found.source, found.format, **options_for(found))
    assert len(data.records) == images
    assert all(data.path(record).is_file() for record in data.records)
    if classes:
        assert data.classes == classes
        assert any(r.mask or r.instances for r in data.records)


def test_what_is_not_read_is_told(folders, capsys):
    root = folders("masks beside augmented ones")
    assert main(["doctor", str(root)]) == 0
    told = capsys.readouterr().out
    assert "of the images in train/image/; not read: label maps beside their images in" in told


def test_a_part_is_read_by_its_name(folders):
    whole = guess(folders("camvid"))
    for name, count in (("val", 2), ("test", 3)):
        part = whole.part(name)
        records = read(part.source, part.format, **part.reading).records
        assert len(records) == count and {r.mask.parent.name for r in records} == {f"{name}annot"}
    part = guess(folders("voc of Roboflow")).part("val")
    assert part.source.name == "valid"


def test_the_task_decides_between_boxes_and_label_maps(tmp_path):
    root = miniature.voc_masks(tmp_path / "voc")
    for name in ("2007_000000", "2007_000001"):
        miniature.voc_xml(root / "Annotations" / f"{name}.xml", [("cat", (1, 1, 9, 9), 0)])
    assert guess(root).format == guess(root, "detection").format == "voc"
    assert guess(root, "segmentation").format == "voc-masks"
    assert "voc-masks" in guess(root).also[-1]


def test_photographs_are_no_label_maps_and_label_maps_no_photographs(tmp_path):
    for folder in ("a", "b"):
        miniature.picture(tmp_path / folder / "1.png", seed=1)
    assert guess(tmp_path).format == "images"
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(tmp_path / "b" / "1.png")
    assert guess(tmp_path).format == "masks"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", json.dumps({"a.jpg1": {"filename": "a.jpg", "regions": []}}), "VGG Image"),
        ("a.json", "{", "not readable as json"),
        ("a.csv", "image,x1,y1\n", "1 .csv"),
    ],
)
def test_unknown_labels_are_named(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=f"labeled data of an unknown format: found .*{told}"):
        guess(tmp_path)


def test_several_files_of_one_part_are_not_chosen_from(tmp_path):
    for name in ("train_a.json", "train_b.json"):
        miniature.write_json(tmp_path / name, miniature.coco_records(1))
    with pytest.raises(DataError, match=r"found train_a\.json, train_b\.json"):
        guess(tmp_path)


@pytest.mark.parametrize("name", ["voc beside", "camvid", "yolo without yaml", "hugging face"])
def test_split_and_convert_take_the_folder_as_it_is(folders, name, tmp_path, monkeypatch, capsys):
    source = folders(name)
    before = sorted(source.rglob("*"))
    monkeypatch.chdir(tmp_path)
    assert main(["split", str(source), "--count", "2"]) == 0
    assert f"{source}: {LAYOUTS[name][1]}: " in capsys.readouterr().out
    made = next(tmp_path.glob("splits/*images.txt"))
    found = guess(made)
    assert found.only == made and found.format == LAYOUTS[name][1]
    assert sorted(found.parts) == LAYOUTS[name][2].split()
    assert main(["convert", str(source), "--to", "coco", "--out", str(tmp_path / "all.json")]) == 0
    assert len(json.loads((tmp_path / "all.json").read_text())["images"]) == LAYOUTS[name][3]
    assert sorted(source.rglob("*")) == before
