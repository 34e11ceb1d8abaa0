"""Every malformed input meets an error that says what, where, found, allowed and what to do."""

import base64
import json
import os
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ssdet.formats import DataError, MaskEncoding, examine, read, summary
from ssdet.formats.paths import tidy

from . import miniature

# A change of a COCO file -> text of the error. Annotation 0 is of image 1, a polygon; annotations 2
# and 3 of image 3 are a polygon and a crowd in run lengths.
COCO = {
    "no images": (lambda c: c.pop("images"), "without a list 'images': found keys info, licenses"),
    "no annotations": (lambda c: c.pop("annotations"), "without a list 'annotations'"),
    "no categories": (lambda c: c.pop("categories"), "without a list 'categories'"),
    "images no list": (lambda c: c.update(images={}), "without a list 'images': found {}"),
    "empty images": (lambda c: c.update(images=[]), "no image: found 0 entries"),
    "no category": (lambda c: c.update(categories=[]), "no category: found 'categories': []"),
    "category twice": (
        lambda c: c["categories"].append(dict(id=1, name="bird")),
        "categories[3]: unusable category: found {'id': 1, 'name': 'bird'}",
    ),
    "category name twice": (
        lambda c: c["categories"].append(dict(id=5, name="cat")), "categories[3]: unusable",
    ),
    "category without id": (lambda c: c["categories"][0].pop("id"), "categories[0]: unusable"),
    "image id twice": (
        lambda c: c["images"][2].update(id=1), "images[2] (id 1): image id used twice: found 1",
    ),
    "file name twice": (
        lambda c: c["images"][2].update(file_name="000000000001.jpg"),
        "images[2] (id 3): file name used twice: found '000000000001.jpg'",
    ),
    "image without id": (lambda c: c["images"][2].pop("id"), "(id None): image without an id"),
    "image no object": (lambda c: c["images"].append(7), "images[6] (id none): image without an"),
    "no file name": (lambda c: c["images"][0].pop("file_name"), "file name is not text: found"),
    "size as text": (
        lambda c: c["images"][0].update(width="640"), "without a usable size: found width '640'",
    ),
    "size zero": (lambda c: c["images"][0].update(height=0), "height 0"),
    "size missing": (lambda c: c["images"][0].pop("height"), "height None"),
    "size enormous": (lambda c: c["images"][0].update(width=10**9), "width 1000000000"),
    "no annotation id": (lambda c: c["annotations"][0].pop("id"), "annotation without an id"),
    "annotation id twice": (
        lambda c: c["annotations"][1].update(id=1),
        "annotations[1] (id 1): annotation id used twice: found 1",
    ),
    "annotation no object": (lambda c: c["annotations"].append("x"), "annotation that is not an "),
    "dangling image": (
        lambda c: c["annotations"][0].update(image_id=77),
        "annotations[0] (id 1): annotation of an unknown image: found image_id 77",
    ),
    "no image id": (lambda c: c["annotations"][0].pop("image_id"), "found image_id None"),
    "image id a list": (lambda c: c["annotations"][0].update(image_id=[1]), "found image_id [1]"),
    "unknown category": (
        lambda c: c["annotations"][0].update(category_id=4),
        "unknown category: found category_id 4; allowed: one of [1, 17, 18]",
    ),
    "category as text": (lambda c: c["annotations"][0].update(category_id="1"), "category_id '1'"),
    "no box": (lambda c: c["annotations"][0].pop("bbox"), "not four finite numbers: found bbox No"),
    "box of three": (lambda c: c["annotations"][0].update(bbox=[1, 2, 3]), "found bbox [1, 2, 3]"),
    "box with NaN": (
        lambda c: c["annotations"][0].update(bbox=[1, 2, float("nan"), 4]), "bbox [1, 2, nan, 4]",
    ),
    "box with infinity": (
        lambda c: c["annotations"][0].update(bbox=[1, 2, 3, float("inf")]), "bbox [1, 2, 3, inf]",
    ),
    "box with a huge number": (
        lambda c: c["annotations"][0].update(bbox=[1, 2, 3, 10**400]), "not four finite numbers",
    ),
    "box as text": (
        lambda c: c["annotations"][0].update(bbox=["1", 2, 3, 4]), "found bbox ['1', 2, 3, 4]",
    ),
    "negative width": (
        lambda c: c["annotations"][0].update(bbox=[5, 5, -3, 4]),
        "box without area: found width -3, height 4; allowed: both above 0",
    ),
    "no height": (lambda c: c["annotations"][0].update(bbox=[5, 5, 3, 0]), "width 3, height 0"),
    "box outside": (
        lambda c: c["annotations"][0].update(bbox=[64, 5, 3, 3]),
        "box outside its image: found (64, 5, 67, 8) in an image of 64x48",
    ),
    "crowd 2": (lambda c: c["annotations"][0].update(iscrowd=2), "iscrowd that is neither 0 nor 1"),
    "polygon of two corners": (
        lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3, 4]]),
        "malformed polygon: found [[1, 2, 3, 4]]",
    ),
    "polygon of 7 numbers": (
        lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "malformed pol",
    ),
    "polygon with text": (
        lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3, 4, 5, "6"]]), "malformed poly",
    ),
    "polygon far away": (
        lambda c: c["annotations"][0].update(segmentation=[[0, 0, 1e12, 0, 5, 1e12]]), "malformed",
    ),
    "mask of another size": (
        lambda c: c["annotations"][3]["segmentation"].update(size=[64, 48]),
        "mask of another size than its image: found size [64, 48]; allowed: [48, 64]",
    ),
    "runs too long": (
        lambda c: c["annotations"][3]["segmentation"].update(counts=[0, 10**9]),
        "malformed run-length mask",
    ),
    "runs negative": (
        lambda c: c["annotations"][3]["segmentation"].update(counts=[-1, 48 * 64 + 1]),
        "malformed run-length mask",
    ),
    "runs of rubbish": (
        lambda c: c["annotations"][3]["segmentation"].update(counts="~~~~"),
        "malformed run-length mask",
    ),
    "path out": (
        lambda c: c["images"][0].update(file_name="../../etc/passwd"),
        "images[0] (id 1): file name leads out of the data folder: found '../../etc/passwd'",
    ),
    "path out, hidden": (
        lambda c: c["images"][0].update(file_name="a/../../b.jpg"), "leads out of the data folder",
    ),
    "absolute path": (lambda c: c["images"][0].update(file_name="/etc/passwd"), "is absolute"),
    "path of Windows": (lambda c: c["images"][0].update(file_name="C:\\a.jpg"), "is absolute"),
    "path out of Windows": (
        lambda c: c["images"][0].update(file_name="..\\..\\a.jpg"), "leads out of the data folder",
    ),
    "path with NUL": (lambda c: c["images"][0].update(file_name="a\0.jpg"), "control characters"),
    "path with a line break": (
        lambda c: c["images"][0].update(file_name="a\nb.jpg"), "control characters: found 'a\\nb",
    ),
    "long path": (lambda c: c["images"][0].update(file_name="a" * 300), "longer than 255 bytes"),
    "very long path": (
        lambda c: c["images"][0].update(file_name="a/" * 3000 + "a.jpg"), "longer than 800 bytes",
    ),
    "empty path": (lambda c: c["images"][0].update(file_name=" "), "file name is empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", COCO)
def test_coco(tmp_path, name):
    change, text = COCO[name]
    content = miniature.coco_records(6)
    change(content)
    source = miniature.write_json(tmp_path / "train.json", content)
    with pytest.raises(DataError, match=re.escape(text)) as error:
        read(source, "coco")
    complete(error.value, "train.json")


def complete(error, file):
    """What, where, found, allowed, next step."""
    assert error.exit_code == 65
    for issue in error.issues:
        assert file in issue.where
        assert issue.what and issue.found and issue.allowed and issue.advice
    assert re.search(r"found .*; allowed: .*\. .", str(error), re.DOTALL)


FILES = {
    "zero bytes": (b"", "line 1, column 1: not a JSON file: found an empty file"),
    "cut off": (
        b'{"images": [{"id": 1,\n "file',
        "line 2, column 2: not a JSON file: found Unterm",
    ),
    "a list": (b"[1, 2]", "not a JSON object: found a list"),
    "latin-1": (b'{\n"a": "\xe9"}', "line 2: text is not UTF-8: found byte 0xe9 at position 8"),
    "deep": (b'{"a": [' + b"[" * 200_000, "not a usable JSON file: found RecursionError"),
    "an image": (b"\xff\xd8\xff\xe0", "line 1: text is not UTF-8: found byte 0xff"),
    "long number": (b'{"a": 1' + b"0" * 10_000 + b"}", "not a usable JSON file: found ValueError"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_not_json(tmp_path, name):
    data, text = FILES[name]
    if name == "deep" and sys.version_info >= (3, 14):
        pytest.skip("parsed without recursion")
    source = tmp_path / "train.json"
    source.write_bytes(data)
    with pytest.raises(DataError, match=re.escape(text)) as error:
        read(source, "coco")
    complete(error.value, "train.json")


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match=r"none.json: missing file: .*relative to the current"):
        read(tmp_path / "none.json", "coco")
    with pytest.raises(DataError, match="unreadable file: found Is a directory"):
        read(tmp_path, "coco")
    with pytest.raises(DataError, match=r"unknown format: found kitti; allowed: coco, voc, yolo"):
        read(tmp_path, "kitti")


def test_a_byte_order_mark_is_fine(tmp_path):
    source = tmp_path / "train.json"
    source.write_text(json.dumps(miniature.coco_records(3)), encoding="utf-8-sig")
    assert len(read(source, "coco").records) == 3


XML = {
    "cut off": (lambda t: t[:120], "line 4, column 45: not an XML file: found unclosed token"),
    "empty": (lambda t: "", "not an XML file: found an empty file"),
    "mismatched": (lambda t: t.replace("</object>", "", 1), "mismatched tag"),
    "bomb": (
        lambda t: '<!DOCTYPE a [<!ENTITY b "bb">]>\n' + t,
        "line 1: XML with entity declarations: found <!ENTITY b ...>",
    ),
    "no class": (lambda t: t.replace("<name>cat</name>", ""), "object without a class"),
    "empty class": (lambda t: t.replace("cat", ""), "line 5: object without a class"),
    "unknown class": (
        lambda t: t.replace("cat", "Cat"),
        "line 5: unknown class: found Cat; allowed: cat, dog, person. Names are case-sensitive",
    ),
    "no box": (lambda t: t.replace("bndbox", "box"), "found bndbox [None, None, None, None]"),
    "text in a box": (lambda t: t.replace(">33<", ">many<"), "found bndbox ['1', '1', 'many', '"),
    "turned box": (lambda t: t.replace(">33<", ">0<"), "line 5: box without area: found width 0"),
    "outside": (
        lambda t: t.replace(">64</xmax>", ">164</xmax>").replace(">36</xmin>", ">136</xmin>"),
        "box outside its image: found (135, 4, 164, 48) in an image of 64x48",
    ),
    "path out": (
        lambda t: t.replace("000000.jpg", "../../x.jpg"), "leads out of the data folder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", XML)
def test_voc(tmp_path, name):
    change, text = XML[name]
    miniature.voc_data(tmp_path, count=1)
    path = tmp_path / "Annotations" / "000000.xml"
    path.write_text(change(path.read_text()))
    if name == "path out":
        (tmp_path / "JPEGImages" / "000000.jpg").unlink()
    with pytest.raises(DataError, match=re.escape(text)) as error:
        read(tmp_path, "voc", classes=("cat", "dog", "person"))
    complete(error.value, "000000.xml")


def test_voc_files_that_are_missing(tmp_path):
    with pytest.raises(DataError, match="no VOC data: found no such file"):
        read(tmp_path / "none", "voc")
    with pytest.raises(DataError, match=r"no VOC annotation: found no \.xml file"):
        read(tmp_path, "voc")
    miniature.voc_data(tmp_path, count=3)
    (tmp_path / "JPEGImages" / "000001.jpg").unlink()
    with pytest.raises(DataError, match=r"000001.xml, line 1: annotation without its image"):
        read(tmp_path, "voc")
    (tmp_path / "Annotations" / "000001.xml").unlink()
    with pytest.raises(DataError, match=r"train.txt, line 2: listed image without annotation"):
        read(tmp_path, "voc", split="train")
    assert len(read(tmp_path, "voc", split="train", strict=False).records) == 2
    with pytest.raises(DataError, match=r"Main/val.txt: missing file"):
        read(tmp_path, "voc", split="val")


def test_a_voc_size_of_zero_is_read_from_the_image(tmp_path):
    miniature.voc_data(tmp_path, count=1)
    path = tmp_path / "Annotations" / "000000.xml"
    path.write_text(path.read_text().replace("<width>64", "<width>0"))
    data = read(tmp_path, "voc")
    assert data.records[0].width == 64
    assert summary(data.issues)[0].startswith("1 x annotation without a size (read from the image)")


YOLO = {
    "few numbers": ("0 0.5 0.5 0.1", "001.txt, line 1: malformed line: found 0 0.5 0.5 0.1"),
    "text": ("0 a b c d", "malformed line"),
    "NaN": ("0 nan 0.5 0.1 0.1", "malformed line"),
    "odd polygon": ("0 0.1 0.1 0.2 0.2 0.3", "malformed line"),
    "class too high": ("3 0.5 0.5 0.1 0.1", "unknown class: found class 3; allowed: 0 ... 2 (cat,"),
    "class negative": ("-1 0.5 0.5 0.1 0.1", "unknown class: found class -1"),
    "class a name": ("cat 0.5 0.5 0.1 0.1", "unknown class: found class cat"),
    "class 1.5": ("1.5 0.5 0.5 0.1 0.1", "unknown class: found class 1.5"),
    "pixels": ("0 32 24 16 20", "coordinates outside 0 ... 1: found 0 32 24 16 20"),
    "negative": ("0 -0.5 0.5 0.1 0.1", "coordinates outside 0 ... 1"),
    "no width": ("0 0.5 0.5 0 0.1", "box without area: found width 0"),
    "second line": ("0 0.5 0.5 0.1 0.1\n0 0.5", "001.txt, line 2: malformed line"),
}


@pytest.mark.parametrize("name", YOLO)
def test_yolo(tmp_path, name):
    line, text = YOLO[name]
    source = miniature.yolo_data(tmp_path)
    miniature.write_list(tmp_path / "labels" / "train" / "001.txt", [line])
    with pytest.raises(DataError, match=re.escape(text)) as error:
        read(source, "yolo")
    complete(error.value, "001.txt")


DATA_YAML = {
    "no names": ("train: images/train\n", "data.yaml without usable names: found None"),
    "names twice": (
        "train: images/train\nnames: [a, a]\n",
        "without usable names: found ['a', 'a']",
    ),
    "wrong nc": (
        "train: images/train\nnc: 4\nnames: [a]\n",
        "nc differs from the number of names: found 4",
    ),
    "no split": ("val: images/train\nnames: [a]\n", "without the split 'train': found val"),
    "no folder": ("train: images/none\nnames: [a]\n", "no image: found images/none"),
    "path out": ("train: ../../etc\nnames: [a]\n", "leads out of the data folder: found '../etc'"),
    "absolute": ("train: /etc\nnames: [a]\n", "file name is absolute: found '/etc'"),
    "a number": ("train: 5\nnames: [a]\n", "file name is not text"),
    "no yaml": ("train: [\n", "line 2: not a YAML file"),
    "object": ("train: !!python/object/apply:os.system [ls]\nnames: [a]\n", "line 1: not a YAML"),
    "text": ("hello", "not a YAML mapping: found a str"),
}


@pytest.mark.parametrize("name", DATA_YAML)
def test_data_yaml(tmp_path, name):
    text, message = DATA_YAML[name]
    source = miniature.yolo_data(tmp_path)
    source.write_text(text)
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read(source, "yolo")
    complete(error.value, "data.yaml")


def test_a_broken_image_is_named_and_left_out(tmp_path):
    source = miniature.yolo_data(tmp_path)
    path = tmp_path / "images" / "train" / "001.jpg"
    path.write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"001.jpg .*unreadable image: found 12 bytes that are not"):
        read(source, "yolo")
    data = read(source, "yolo", strict=False)
    assert [record.name[-7:] for record in data.records] == ["000.jpg", "002.jpg", "003.jpg"]


SHAPES = {
    "two corners": (dict(points=[[1, 2], [3, 4]]), "shapes[0]: malformed shape: found polygon"),
    "no points": (dict(points=None), "malformed shape"),
    "text": (dict(points=[["a", 2], [3, 4], [5, 6]]), "malformed shape"),
    "unknown kind": (dict(shape_type="cube"), "malformed shape: found cube"),
    "rectangle of three": (dict(shape_type="rectangle"), "malformed shape: found rectangle"),
    "no label": (dict(label=None), "shapes[0]: object without a class"),
    "label no text": (dict(label=3), "object without a class"),
    "outside": (dict(points=[[70, 2], [80, 2], [80, 9]]), "box outside its image"),
    "no mask": (
        dict(shape_type="mask", points=[[1, 1], [2, 2]], mask="%%"), "unreadable mask: found Error",
    ),
    "mask no png": (
        dict(shape_type="mask", points=[[1, 1], [2, 2]], mask=base64.b64encode(b"xx").decode()),
        "unreadable mask: found UnidentifiedImageError",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_labelme(tmp_path, name):
    change, text = SHAPES[name]
    miniature.labelme_data(tmp_path, count=2)
    content = json.loads((tmp_path / "000.json").read_text())
    content["shapes"] = [{**content["shapes"][0], **change}]
    miniature.write_json(tmp_path / "000.json", content)
    with pytest.raises(DataError, match=re.escape(text)) as error:
        read(tmp_path, "labelme")
    complete(error.value, "000.json")


def test_labelme_paths(tmp_path):
    miniature.labelme_data(tmp_path / "a", count=1)
    path = tmp_path / "a" / "000.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "imagePath": "../../x.jpg"}))
    with pytest.raises(DataError, match=r"000.json, imagePath: file name leads out"):
        read(tmp_path / "a", "labelme")
    # LabelMe on Windows, with the pictures in a folder beside: inside the root, so it is fine
    path.write_text(json.dumps({**content, "imagePath": "..\\b\\x.jpg"}))
    assert read(tmp_path, "labelme").records[0].name == "b/x.jpg"


CVAT = {
    "tracks": (lambda t: t.replace("<image ", "<track/><image ", 1), "found tracks of a video"),
    "another xml": (lambda t: t.replace("annotations>", "data>"), "not 'CVAT for images 1.1'"),
    "no size": (lambda t: t.replace('width="64"', ""), "image without a usable size"),
    "no corner": (lambda t: t.replace('xtl="2.0"', ""), "line 6: malformed box"),
    "text": (lambda t: t.replace('xtl="2.0"', 'xtl="a"'), "malformed box"),
    "points": (lambda t: t.replace("50.0,5.0;", "50.0;"), "malformed polygon"),
    "two corners": (lambda t: t.replace("30.0,5.0;", ""), "malformed polygon"),
    "runs": (lambda t: t.replace("1, 2, 3, 2, 1", "1, 2, 3"), "malformed mask"),
    "mask outside": (lambda t: t.replace('left="10"', 'left="62"'), "malformed mask"),
    "no label": (lambda t: t.replace('label="cat"', ""), "object without a class"),
    "unknown label": (
        lambda t: t.replace('box label="cat"', 'box label="cow"'), "unknown class: found cow",
    ),
    "path out": (lambda t: t.replace("000.jpg", "../../a.jpg"), "leads out of the data folder"),
    "no image": (lambda t: re.sub("<image.*</image>", "", t, flags=re.DOTALL), "no image: found"),
}  # fmt: skip


@pytest.mark.parametrize("name", CVAT)
def test_cvat(tmp_path, name):
    change, text = CVAT[name]
    source = miniature.cvat_data(tmp_path, count=1)
    source.write_text(change(source.read_text()))
    with pytest.raises(DataError, match=re.escape(text)) as error:
        read(source, "cvat")
    complete(error.value, "annotations.xml")


def masks(root, count=3):
    for n in range(count):
        miniature.picture(root / "images" / f"{n}.jpg", (8, 8))
        labels = Image.new("L", (8, 8), n % 2)
        (root / "masks").mkdir(exist_ok=True)
        labels.save(root / "masks" / f"{n}.png")
    return root


MASKS = {
    "missing": (lambda p: p.unlink(), "image without its label map"),
    "zero bytes": (lambda p: p.write_bytes(b""), "unreadable label map: found 0 bytes"),
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:40]), "unreadable label map: found 40 byt"),
    "unknown value": (
        lambda p: Image.new("L", (8, 8), 7).save(p),
        "label map with an unknown value: found 7 in 64 pixels, 1 unknown values in all; "
        "allowed: 0 ... 1 and 255 (ignored)",
    ),
    "colors": (lambda p: Image.new("RGB", (8, 8), (9, 0, 0)).save(p), "label map in colors"),
    "16 bit": (lambda p: Image.new("I;16", (8, 8), 999).save(p), "found 999 in 64 pixels"),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks(tmp_path, name):
    change, text = MASKS[name]
    change(masks(tmp_path) / "masks" / "1.png")
    with pytest.raises(DataError, match=re.escape(text)):
        data = read(tmp_path, "masks", classes=("sky", "earth"))
        for record in data.records:
            data.labels_in(record)


def test_a_mask_color_that_is_no_class(tmp_path):
    Image.new("RGB", (8, 8), (9, 8, 7)).save(masks(tmp_path) / "masks" / "1.png")
    data = read(tmp_path, "masks", classes=("sky", "earth"), colors={(0, 0, 0): 0, (1, 1, 1): 1})
    with pytest.raises(DataError, match=r"found color \(9, 8, 7\) in 64 pixels"):
        data.labels_in(data.records[1])


def test_black_and_white_maps_are_pointed_out(tmp_path):
    Image.new("L", (8, 8), 0).save(masks(tmp_path) / "masks" / "0.png")
    white = Image.new("L", (8, 8), 255)
    white.paste(0, (0, 0, 4, 4))
    white.save(tmp_path / "masks" / "0.png")
    (issue,) = read(tmp_path, "masks", classes=("no", "yes")).issues
    assert "--values 0,255" in issue.advice and issue.severity == "warning"
    encoding = MaskEncoding(2, values={0: 0, 255: 1})
    assert read(tmp_path, "masks", classes=("no", "yes"), encoding=encoding).issues == []


LISTS = {
    "malformed": ("images/0.jpg masks/0", "list.txt, line 1: malformed line"),
    "path out": ("../x.jpg masks/0.png", "line 1: file name leads out of the data folder"),
    "mask out": ("images/0.jpg ../../0.png", "line 1: file name leads out of the data folder"),
    "no mask": ("images/0.jpg", "line 1: image without its label map"),
    "no file": ("images/9.jpg masks/0.png", "line 1: image without its file"),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists(tmp_path, name):
    line, text = LISTS[name]
    source = miniature.write_list(masks(tmp_path) / "list.txt", [line, "images/1.jpg masks/1.png"])
    with pytest.raises(DataError, match=re.escape(text)):
        read(source, "list")


def test_links_out_of_the_data_are_refused_unless_allowed(tmp_path):
    root = masks(tmp_path / "data")
    miniature.picture(tmp_path / "elsewhere" / "x.jpg", (8, 8))
    (root / "images" / "0.jpg").unlink()
    os.symlink(tmp_path / "elsewhere" / "x.jpg", root / "images" / "0.jpg")
    with pytest.raises(DataError, match="symbolic link out of the data folder"):
        read(root, "masks")
    assert len(read(root, "masks", follow_links=True).records) == 3
    os.symlink(root, tmp_path / "link")  # the root itself may be one
    assert len(read(tmp_path / "link", "masks", follow_links=True).records) == 3


@pytest.mark.parametrize("name", ["a.jpg", "ä/b c.jpg", "a/./b.jpg", "a/../b.jpg", "n\u0303.png"])
def test_usual_names_pass(name):
    assert not tidy(name, "here").startswith("..")


@settings(max_examples=300)
@given(st.text(alphabet="a./\\~:C\0\n", max_size=12))
def test_no_name_leads_out(name):
    try:
        relative = tidy(name, "here")
    except DataError:
        return
    root = "/data/set"
    assert os.path.normpath(os.path.join(root, relative)).startswith(root)


def test_nothing_outside_the_data_is_opened(tmp_path):
    """Whatever an annotation says, no file outside the folder is touched before the refusal."""
    content = miniature.coco_records(2)
    for image in content["images"]:
        image["file_name"] = f"../{image['file_name']}"
        del image["width"], image["height"]
        miniature.picture(tmp_path / image["file_name"][3:])
    source = miniature.write_json(tmp_path / "data" / "a.json", content)
    opened = []
    sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
    with pytest.raises(DataError, match="leads out"):
        read(source, "coco", images=tmp_path / "data")
    assert not [path for path in opened if str(path).endswith(".jpg")]


def test_many_faults_are_counted_with_the_first_of_each_kind(tmp_path):
    content = miniature.coco_records(30)
    for record in content["annotations"][:12]:
        record["bbox"][2] = 0
    content["annotations"][20]["category_id"] = 5
    source = miniature.write_json(tmp_path / "a.json", content)
    with pytest.raises(DataError) as error:
        read(source, "coco")
    text = str(error.value)
    assert text.startswith("13 issues:\n  12 x box without area; first: ")
    assert "1 x unknown category; first: " in text
    data, issues = examine(source, "coco")
    total = sum(len(record.instances) for record in data.records)
    assert total + len(issues) == len(content["annotations"])
    assert summary(issues)[0].startswith("12 x box without area, left out; first: ")
    assert examine(tmp_path / "none.json", "coco")[0] is None


def test_a_fatal_fault_does_not_hide_the_earlier_ones(tmp_path):
    content = miniature.coco_records(4)
    content["images"][0]["width"] = 0
    content["images"][3]["id"] = 3
    data, issues = examine(miniature.write_json(tmp_path / "a.json", content), "coco")
    assert data is None
    assert [f.what for f in issues] == ["image without a usable size", "image id used twice"]


def test_where_nothing_is_left_skipping_is_refused(tmp_path):
    content = miniature.coco_records(3)
    for record in content["annotations"]:
        record["bbox"][2] = 0
    source = miniature.write_json(tmp_path / "a.json", content)
    with pytest.raises(DataError, match="box without area"):
        read(source, "coco", strict=False)


def test_a_box_that_reaches_out_is_clipped_and_said(tmp_path):
    content = miniature.coco_records(1)
    content["annotations"][0].update(bbox=[-5, 40, 30, 20], segmentation=[])
    data = read(miniature.write_json(tmp_path / "a.json", content), "coco")
    assert data.records[0].instances[0].box == (0, 40, 25, 48)
    assert [issue.severity for issue in data.issues] == ["warning"]
    content["annotations"][0]["bbox"] = [-0.6, 40, 30, 8.4]  # rounding is nothing to report
    assert read(miniature.write_json(tmp_path / "b.json", content), "coco").issues == []


CHANGES = [change for name, (change, _) in COCO.items() if name not in ("path out",)]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4))
def test_any_mixture_of_faults_ends_in_an_error_or_adds_up(tmp_path_factory, changes):
    content = miniature.coco_records(6)
    for change in changes:
        try:
            change(content)
        except (KeyError, IndexError, TypeError, AttributeError):
            return  # two changes of the same thing
    path = miniature.write_json(tmp_path_factory.mktemp("mix") / "a.json", content)
    data, issues = examine(path, "coco")
    assert issues
    if data is None:
        return
    kept = sum(len(record.instances) for record in data.records)
    of_annotations = {f.where for f in issues if "annotations[" in f.where}
    assert kept + len(of_annotations) == len(content["annotations"])
