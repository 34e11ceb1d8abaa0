"""No input makes a reader fail in another way than it says, hang, or grow."""

import ast
import base64
import io
import json
import resource
import zlib

import pytest
from PIL import Image

from ssdet.datasets import UnlabeledImages
from ssdet.datasets.bad_images import unfit, unreadable
from ssdet.datasets.image_list import UnlabeledError
from ssdet.doctor.pictures import look_at
from ssdet.formats import DataError, examine, read_classes
from ssdet.formats.image_header import ImageFlaw, read_header

from ..docs.pages import ROOT
from ..doctor.place import picture
from . import miniature
from .hostile import LAYOUTS, Attack, changed, limit, overwrite, random

FEW, MANY = 40, 10_000
GROWTH = 64 * 2**10  # kB


@pytest.mark.parametrize("format", LAYOUTS)
def test_readers(tmp_path, format):
    outcomes = Attack(format, tmp_path).run(FEW)
    assert outcomes["read"] and sum(outcomes.values()) == FEW


@pytest.mark.long
@pytest.mark.parametrize("format", LAYOUTS)
def test_readers_often(tmp_path, format):
    attack = Attack(format, tmp_path, seed=1)
    attack.run(500)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = attack.run(MANY - 500)
    assert sum(outcomes.values()) == MANY - 500 and outcomes["read"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH


def look_at_images(folder, count, seed):
    draw, images = random.Random(seed), []
    for suffix in ("jpg", "png", "tif", "bmp", "webp"):
        images.append(picture(folder / f"a.{suffix}", 1, (32, 24)))
    for _ in range(count):
        path = draw.choice(images)
        before = path.read_bytes()
        overwrite(path, changed(before, path.suffix, draw))
        with limit(10):
            for function in (unfit, unreadable, look_at):
                function(path)
            try:
                read_header(path)
            except ImageFlaw as flaw:
                assert flaw.kind and flaw.found is not None
        overwrite(path, before)


def test_images(tmp_path):
    look_at_images(tmp_path, 4 * FEW, seed=0)


@pytest.mark.long
def test_images_often(tmp_path):
    look_at_images(tmp_path, MANY, seed=1)


def look_at_lists(folder, count, seed):
    """Unlabeled sources and class files."""
    draw = random.Random(seed)
    for n in range(3):
        picture(folder / f"{n}.jpg", n, (8, 8))
    coco = {"images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(3)]}
    sources = {
        "u.json": json.dumps(coco).encode(), "u.txt": b"0.jpg\n1.jpg\n2.jpg\n",
        "classes.txt": b"cat 1 2 3\ndog 4 5 6\n", "classes.json": b'{"classes": ["a", "b"]}',
    }  # fmt: skip
    for _ in range(count):
        name, data = draw.choice(list(sources.items()))
        path = folder / name
        path.touch()
        overwrite(path, changed(data, path.suffix, draw))
        try:
            with limit(10):
                if name.startswith("u"):
                    UnlabeledImages(path, serialize_data=False)
                else:
                    read_classes(path)
        except (DataError, UnlabeledError, FileNotFoundError):
            pass


def test_lists(tmp_path):
    look_at_lists(tmp_path, 4 * FEW, seed=0)


@pytest.mark.long
def test_lists_often(tmp_path):
    look_at_lists(tmp_path, MANY, seed=1)


def refused(source, format, text, **options):
    with limit(5):
        data, issues = examine(source, format, **options)
    assert any(text in str(issue) for issue in issues), [str(i)[:200] for i in issues]
    return data


def test_yaml_that_unfolds(tmp_path):
    """Nine lines that stand for a billion names."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 9):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
    source = miniature.yolo_data(tmp_path, 2)
    source.write_text("\n".join([*lines, "names: *a8"]))
    refused(source, "yolo", "not a YAML file: found *a0, an alias")


@pytest.mark.parametrize("line", ["names: 2024-13-45", "names: !!int x", "!!python/name:os.system a: b"])  # fmt: skip  # noqa: E501
def test_yaml_that_builds(tmp_path, line):
    source = miniature.yolo_data(tmp_path, 2)
    source.write_text(line)
    refused(source, "yolo", "not a YAML file")


def test_xml_that_is_long_or_deep(tmp_path, monkeypatch):
    source = tmp_path / "annotations.xml"
    source.write_text("<a>" * 300_000 + "</a>" * 300_000)
    refused(source, "cvat", "not 'CVAT for images 1.1': found <a>")
    source.write_text("<a>" + "text<b/>" * 200_000 + "</a>")
    refused(source, "cvat", "not 'CVAT for images 1.1': found <a>")
    monkeypatch.setattr("ssdet.formats.files._MOST_ELEMENTS", 1000)
    refused(source, "cvat", "too many XML elements")


def test_files_that_are_too_large(tmp_path, monkeypatch):
    source = miniature.labelme_data(tmp_path, 1)
    monkeypatch.setattr("ssdet.formats.files._LARGEST_JSON", 100)
    monkeypatch.setattr("ssdet.formats.files.LARGEST", 100)
    refused(source, "labelme", "file too large")


def test_a_mask_that_unpacks_to_gigabytes(tmp_path):
    source = miniature.labelme_data(tmp_path, 1)
    path = next(source.glob("*.json"))
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    content = json.loads(path.read_text())
    content["shapes"] = [
        dict(label="a", shape_type="mask", points=[[0, 0], [9, 9]],
             mask=base64.b64encode(bytes(data)).decode())
    ]  # fmt: skip
    path.write_text(json.dumps(content))
    refused(source, "labelme", "unreadable mask")


def test_run_lengths_of_endless_numbers(tmp_path):
    content = miniature.coco_records(6)
    for entry in content["annotations"]:
        entry["segmentation"] = {"size": [48, 64], "counts": "o" * 200_000}
    source = miniature.write_json(tmp_path / "a.json", content)
    data = refused(source, "coco", "malformed run-length mask")
    assert not any(record.instances for record in data.records)


@pytest.mark.parametrize("name", ["\x1b[2Jcat", "c\ud800t", "cat\n"])
def test_control_characters_in_a_class_are_refused_and_never_printed(tmp_path, name):
    content = miniature.coco_records(3)
    content["categories"][0]["name"] = name
    source = miniature.write_json(tmp_path / "a.json", content)
    _, issues = examine(source, "coco")
    assert [i.what for i in issues] == ["unusable category"]
    assert all(str(issue).isprintable() for issue in issues)


def test_a_file_name_that_turns_the_text_around_is_never_printed(tmp_path):
    source = miniature.labelme_data(tmp_path, 1)
    path = next(source.glob("*.json"))
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "imagePath": "\u202egpj.exe", "imageWidth": None}))
    issue = examine(source, "labelme")[1][0]
    assert issue.what == "unreadable image"
    assert issue.where.isprintable() and r"\u202egpj.exe" in issue.where


def test_declared_classes_that_turn_the_text_around_are_never_printed(tmp_path):
    source = miniature.cvat_data(tmp_path, 2)
    text = source.read_text()
    source.write_text(text.replace("<name>cat</name>", "<name>\u202ecat</name>"))
    issues = [i for i in examine(source, "cvat")[1] if i.what == "unknown class"]
    assert issues and all(r"\u202ecat" in i.allowed and str(i).isprintable() for i in issues)


def far_outlines(tmp_path, format, far):
    """One outline that leads far out of its image, as each tool writes it."""
    if format == "labelme":
        source = miniature.labelme_data(tmp_path, 1)
        shape = dict(label="cat", points=[[0, 0], [far, 0], [0, far]])
        path = next(source.glob("*.json"))
        path.write_text(json.dumps({**json.loads(path.read_text()), "shapes": [shape]}))
        return source
    if format == "cvat":
        source = miniature.cvat_data(tmp_path, 1)
        text = source.read_text()
        source.write_text(text.replace("30.0,5.0;50.0,5.0;50.0,25.0", f"0,0;{far},0;0,{far}"))
        return source
    source = miniature.labelstudio_data(tmp_path, 2)
    text = source.read_text().replace(
        "[[0, 0], [50, 0], [50, 50]]", f"[[0, 0], [{far}, 0], [0, {far}]]"
    )
    source.write_text(text)
    return source


@pytest.mark.parametrize("format", ["labelme", "cvat", "labelstudio"])
def test_an_outline_far_outside_its_image_is_left_out(tmp_path, format):
    """pycocotools, which draws it, needs memory by its length, and ends the process for want."""
    source = far_outlines(tmp_path, format, 1e7)
    images = {"images": tmp_path / "media"} if format == "labelstudio" else {}
    data = refused(source, format, "malformed polygon", **images)
    corners = [
        corner
        for record in data.records
        for instance in record.instances
        if isinstance(instance.segmentation, list)
        for part in instance.segmentation
        for corner in part
    ]
    assert all(corner < 1000 for corner in corners)


@pytest.mark.parametrize(
    "runs", [2**27, 10**400, "abc", None, {}], ids=["large", "endless", "text", "null", "object"]
)
def test_brush_strokes_that_are_no_list_are_left_out(tmp_path, runs):
    """`bytes(number)` is as many zeros."""
    source = miniature.labelstudio_data(tmp_path, 2)
    content = json.loads(source.read_text())
    content[0]["annotations"][0]["result"][0]["value"]["rle"] = runs
    source.write_text(json.dumps(content))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(source, "labelstudio", "malformed brushlabels", images=tmp_path / "media")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH


def test_markup_in_a_class_is_a_name_like_others(tmp_path):
    content = miniature.coco_records(3)
    content["categories"][0]["name"] = "<script>alert('a')</script>"
    source = miniature.write_json(tmp_path / "a.json", content)
    data, issues = examine(source, "coco")
    assert data.classes[0] == "<script>alert('a')</script>" and not issues


def test_nothing_unpacks_an_archive():
    """A name in an archive may lead anywhere; whoever adds unpacking has to check each one."""
    calls = {"extract", "extractall", "unpack_archive"}
    for path in (ROOT / "ssdet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                assert name not in calls, f"{path}, line {node.lineno}"
