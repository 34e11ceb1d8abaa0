"""What `ssdet init` refuses: one message with the place, the cause and the next step."""

import re

import numpy as np
import pytest
from PIL import Image

import ssdet
from ssdet.cli import main


@pytest.fixture
def refused(coco, detector, tmp_path, capsys):
    """Run `ssdet init` with some arguments changed; its exit code and message."""

    def run(**changes):
        files, out = coco / "annotations", tmp_path / "config.py"
        values = {
            "base": detector,
            "method": "mean-teacher",
            "labeled": files / "instances_labeled.json",
            "unlabeled": files / "instances_train-unlabeled.json",
            "val": files / "instances_val.json",
            "out": out,
            **changes,
        }
        base, out = values.pop("base"), values["out"]
        existed = out.exists()
        options = [(f"--{key.replace('_', '-')}", str(v)) for key, v in values.items() if v]
        code = main(["init", str(base), *(part for option in options for part in option)])
        assert code == 0 or existed or not out.exists(), "nothing half done"
        return code, capsys.readouterr()

    return run


def check(result, code, *words):
    assert result[0] == code
    for word in words:
        assert re.search(word, result[1].err), (word, result[1].err)
    assert result[1].err.count("\n") <= 5


def test_base_that_nobody_knows(refused):
    check(refused(base="retinanet-r52"), 2, "no such short name; did you mean retinanet-r50")
    check(refused(base="x"), 2, "known: retinanet-r18.*mmdet::")
    check(refused(base="mmdet::retinanet/retinanet_r50_fpn_1y_coco.py"), 2, "did you mean")


def test_base_that_is_semi_supervised_already(refused, tmp_path):
    soft = "mmdet::soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py"
    check(refused(base=soft), 2, "its model is a SoftTeacher", "give the supervised config")
    assert refused()[0] == 0
    again = refused(base=tmp_path / "config.py", out=tmp_path / "again.py")
    check(again, 2, "semi-supervised already")


def test_base_without_a_model_or_without_classes(refused, tmp_path):
    path = tmp_path / "no_model.py"
    path.write_text("lr = 1\n")
    check(refused(base=path), 2, r"has no model=dict")
    path.write_text("model = dict(type='RPN', backbone=dict(type='ResNet', depth=18))\n")
    check(refused(base=path), 2, "no head of its model has num_classes")


def test_method(refused, segmentor):
    check(refused(method="mean-techer"), 2, "did you mean 'mean-teacher'")
    check(refused(method="magic"), 2, "unknown; for detection: auto, mean-teacher")
    check(
        refused(base=segmentor),
        2,
        "a method for detection.*for segmentation: auto, fixmatch",
    )


def test_labeled_data_without_boxes(refused, change):
    found = refused(labeled=change("labeled", lambda c: c.update(annotations=[])))
    check(found, 65, "labeled.json: no labeled object", "Is this the labeled")


def test_validation_data_with_other_classes(refused, change):
    def rename(content):
        content["categories"][0]["name"] = "naught"

    check(refused(val=change("val", rename)), 65, "other classes", "naught", "--classes FILE")


def test_validation_data_in_another_order_of_classes(refused, change, tmp_path):
    code, said = refused(val=change("val", lambda c: c["categories"].reverse()))
    assert code == 0, said.err
    text = (tmp_path / "config.py").read_text()
    assert re.search(r"val_source = dict\(\s*type='LabeledImages'", text), "it goes by name"


def test_unlabeled_images_that_are_none(refused, coco, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    check(refused(unlabeled=empty), 65, "unusable unlabeled images", "no image in")
    check(refused(unlabeled=tmp_path / "gone"), 65, "does not exist; give a folder, a glob")


def test_images_in_two_roles(refused, coco):
    check(refused(unlabeled=coco / "val"), 65, "unlabeled images that are also validated on",
          "3 images, such as", "ssdet split")  # fmt: skip
    check(refused(val=coco / "annotations" / "instances_labeled.json"), 65,
          "labeled images that are also validated on")  # fmt: skip
    code, said = refused(unlabeled=coco / "train")
    assert code == 0
    assert "6 images are labeled and unlabeled" in said.out


def test_files_that_are_not_there(refused, tmp_path, change):
    check(refused(labeled=tmp_path / "gone.json"), 65, "missing file", "--labeled")
    check(refused(val=tmp_path / "gone.json"), 65, "missing file", "--val")

    def move(content):
        for image in content["images"]:
            image["file_name"] = "gone/" + image["file_name"]

    check(refused(labeled=change("labeled", move)), 65, "images not found", "--images")


def test_labels_that_do_not_fit_the_task(refused, tmp_path, segmentor, masks, change):
    check(refused(labeled=tmp_path), 65, "unknown format", "--format")

    def forget(content):
        for annotation in content["annotations"]:
            del annotation["segmentation"]

    boxes = change("labeled", forget)
    check(refused(base="mask-rcnn-r50", labeled=boxes), 65, "without an outline", "faster-rcnn-r50")
    gray = dict(base=segmentor, method="fixmatch", labeled=masks, split="train", val="",
                val_split="val", unlabeled=masks / "more")  # fmt: skip
    check(refused(**gray, values="0"), 65, r"label map|two classes")


def test_more_labeled_than_unlabeled_images_is_said(refused, coco):
    files = coco / "annotations"
    code, said = refused(
        labeled=files / "instances_train.json",
        unlabeled=files / "instances_train-unlabeled.json",
    )
    assert code == 0
    assert "12 labeled and 6 unlabeled images: expect little" in said.out


def test_a_config_is_overwritten_only_on_demand(refused):
    assert refused()[0] == 0
    check(refused(), 65, "config.py: file exists", "--force")


def test_trainings_that_are_too_short(refused):
    check(refused(iterations=5), 2, "--iterations 5: 20 or more")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(labeled="gone.json"), "labeled='gone.json': missing file"),
        (dict(val="gone.json"), "val='gone.json'"),
        (dict(unlabeled="gone"), "unlabeled='gone': unusable"),
        (dict(method="mean-techer"), "method='mean-techer'.*did you mean"),
        (
            dict(method="soft-teacher"),
            "method='soft-teacher': needs.*use method='soft-teacher-one-stage' with it",
        ),
        (dict(iterations=5), "iterations=5: 20 or more"),
        (dict(labeled="."), "Name it with format=...; if it is another format"),
    ],
)
def test_the_function_speaks_of_arguments(changes, words, coco, detector, tmp_path, monkeypatch):
    files = coco / "annotations"
    sources = dict(labeled=files / "instances_labeled.json", unlabeled=coco / "train")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words) as refusal:
        ssdet.semi_supervise(detector, **{**sources, **changes})
    assert not re.search(r"--(?!list)\w", str(refusal.value))


def test_the_function_takes_what_its_messages_name(masks, segmentor, tmp_path):
    """Readers, too: `values` and `follow_links` are arguments."""
    data = tmp_path / "binary"
    (data / "masks").mkdir(parents=True)
    for path in (masks / "masks" / "train").glob("*.png"):
        Image.fromarray(np.asarray(Image.open(path)) * 0).save(data / "masks" / path.name)
    (data / "images").symlink_to(masks / "images" / "train")
    settings = dict(
        method="fixmatch", labeled=data, unlabeled=masks / "more", work=tmp_path / "work"
    )
    with pytest.raises(ValueError, match="allow it: follow_links=True"):
        ssdet.semi_supervise(segmentor, **settings)
    with pytest.raises(ValueError, match=r"such as values=\(0, 255\); name them with classes="):
        ssdet.semi_supervise(segmentor, follow_links=True, **settings)
    config = ssdet.semi_supervise(segmentor, follow_links=True, values=(0, 255), **settings)
    assert config.classes == ("0", "1")
