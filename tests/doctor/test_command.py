"""`ssdet doctor` and the quick part of `ssdet train`, as a user meets them."""

import io
import json
import shlex
import tarfile

import pytest

from ssdet.cli import main
from tests.formats import miniature
from tests.helpers import tiny_retinanet

from . import place


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    return place.build(tmp_path / "data")


def doctor(command, capsys):
    code = main(["doctor", *shlex.split(command)])
    return code, capsys.readouterr().out


def config_file(root, config):
    config.dump(root.parent / "config.py")
    return root.parent / "config.py"


DATA = "data/labeled.json --unlabeled data/unlabeled --val data/val.json"


def test_sound_data_end_with_zero(root, capsys):
    before = place.tree(root)
    code, out = doctor(DATA, capsys)
    assert code == 0 and "ssdet doctor: nothing wrong was found" in out
    assert "looked at data/labeled.json: 6 images, 12 objects" in out
    assert "looked at files: 17 images, header and end" in out
    assert place.tree(root) == before and [p.name for p in root.parent.iterdir()] == ["data"]
    code, out = doctor(f"{DATA} --full", capsys)
    assert code == 0 and "17 images, decoded" in out


def test_errors_are_grouped_with_the_first_offenders(root, capsys):
    for n in range(6):
        (root / "labeled" / f"{n:03}.jpg").unlink()
    code, out = doctor(DATA, capsys)
    assert code == 65
    assert "error: files: missing file (6 times)" in out
    assert "data/labeled/000.jpg: no such file" in out
    assert "data/labeled/003.jpg" not in out and "... and 3 more (all of them: --json)" in out
    assert "> Restore it, or take it out of data/labeled.json, images[0]" in out
    assert "ssdet doctor: 6 errors" in out


def test_warnings_fail_only_if_strict(root, capsys):
    (root / "unlabeled" / "200.jpg").write_bytes(b"")
    code, out = doctor(DATA, capsys)
    assert code == 0 and "warning: files: empty file" in out and "1 warning" in out
    assert doctor(f"{DATA} --strict", capsys)[0] == 65


def test_json_has_every_finding(root, capsys):
    for n in range(6):
        (root / "labeled" / f"{n:03}.jpg").write_bytes(b"")
    code, out = doctor(f"{DATA} --json", capsys)
    report = json.loads(out)
    assert code == 65 and report["counts"] == {"error": 6, "warning": 0, "info": 0}
    first = report["findings"][0]
    assert first["severity"] == "error" and first["subject"] == "files"
    assert first["what"] == "empty file" and first["where"].endswith("000.jpg")
    assert {"found", "allowed", "advice"} < set(first)
    assert len(report["findings"]) == 6


def test_a_config_is_examined(root, capsys):
    config = place.detection(root)
    file = config_file(root, config)
    assert doctor(f"{file} --quick", capsys)[0] == 0
    code, out = doctor(f"{file} --quick --cfg-options model.burn_in=400", capsys)
    assert code == 65 and "config: burn-in as long as the training" in out


def test_images_in_archives_are_listed_and_not_opened(root, capsys):
    for name in ("labeled", "unlabeled"):
        with tarfile.open(root / f"{name}.tar", "w") as archive:
            archive.add(root / name, name)
    config = place.detection(root)
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    config.train_dataloader.dataset.datasets[0] = dict(
        type="LabeledImages", source=str(root / "labeled.json"), images=str(root / "labeled.tar"),
        metainfo=labeled.metainfo, pipeline=labeled.pipeline,
    )  # fmt: skip
    unlabeled.source = str(root / "unlabeled.tar")
    code, out = doctor(f"{config_file(root, config)} --quick", capsys)
    assert code == 0 and "nothing wrong was found" in out
    assert "looked at files: 3 images" in out and "looked at addresses: 14 images" in out
    unlabeled.source = str(root / "labeled.tar")
    code, out = doctor(f"{config_file(root, config)} --quick", capsys)
    assert "labeled image among the unlabeled ones (6 times)" in out
    seg = place.segmentation(root)
    (root / "maps.tar").write_bytes(tar_of_pairs(root / "seg"))
    seg.train_dataloader.dataset.datasets[0] = dict(
        type="LabeledMasks", source=str(root / "maps.tar"), classes=("ground", "cat"),
        pipeline=place.by_reader(root).train_dataloader.dataset.datasets[0]["pipeline"],
    )  # fmt: skip
    code, out = doctor(f"{config_file(root, seg)} --quick", capsys)
    assert code == 0 and "looked at addresses: 4 images" in out


def tar_of_pairs(folder):
    """`key.jpg` and `key.seg.png` of each image."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for image in sorted((folder / "images").iterdir()):
            archive.add(image, image.name)
            archive.add(folder / "masks" / f"{image.stem}.png", f"{image.stem}.seg.png")
    return file.getvalue()


@pytest.mark.parametrize("name", ["detection", "segmentation"])
@pytest.mark.parametrize("role", ["semi", "baseline"])
def test_the_quickstart_has_no_false_alarm(capsys, name, role):
    code, out = doctor(f"configs/quickstart/{name}_{role}.py --quick", capsys)
    assert code == 0 and "nothing wrong was found" in out


LAYOUTS = {
    "coco": lambda root: miniature.coco(root) / "annotations" / "instances_train2017.json",
    "voc": miniature.voc_data,
    "yolo": miniature.yolo_data,
    "labelme": miniature.labelme_data,
    "cvat": miniature.cvat_data,
    "cityscapes": miniature.cityscapes,
    "voc-masks": miniature.voc_masks,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_are_recognized(tmp_path, capsys, name):
    source = LAYOUTS[name](tmp_path / "data")
    more = f"--images {tmp_path}/data/train2017" if name == "coco" else ""
    code, out = doctor(f"{source} {more} --json", capsys)
    report = json.loads(out)
    assert code == 0, report["findings"]
    assert not report["counts"]["error"] and report["looked_at"]["files"][0] in "123456789"


def test_a_folder_of_images_is_examined(root, capsys):
    assert doctor("data/unlabeled", capsys)[0] == 0
    (root / "unlabeled" / "200.jpg").write_text("no image")
    code, out = doctor("data/unlabeled", capsys)
    assert code == 0 and "file that is not an image" in out


def test_what_does_not_exist_is_said(root, capsys):
    assert main(["doctor", "nowhere"]) == 2
    assert "nowhere: no such file or folder; give a config" in capsys.readouterr().err
    code, out = doctor("data/labeled.json --unlabeled nowhere", capsys)
    assert code == 65 and "'nowhere' does not exist" in out


def trainable(root):
    """A config that trains for two iterations."""
    config = place.detection(root)
    config.model = dict(type="TeacherStudentDetector", detector=tiny_retinanet(2))
    config.train_cfg = dict(type="IterBasedTrainLoop", max_iters=2, val_interval=2)
    config.param_scheduler = []
    config.merge_from_dict(dict(
        default_hooks=dict(checkpoint=None), custom_imports=dict(imports=["ssdet"]),
        val_cfg=dict(type="TeacherStudentLoop"), val_evaluator=dict(
            type="CocoMetric", ann_file=str(root / "val.json"), metric="bbox"),
        custom_hooks=[dict(type="TeacherEMAHook"), dict(type="FixedThresholdHook")],
    ))  # fmt: skip
    config.val_dataloader.update(sampler=dict(type="DefaultSampler", shuffle=False))
    return config_file(root, config)


def train(file, *options):
    return main(["train", str(file), "--work-dir", str(file.parent / "run"), *options])


def test_training_stops_at_an_error_before_it_builds_anything(root, capsys):
    place.change(root, "labeled", lambda c: c["annotations"][0].update(bbox=[1, "x", 3, 4]))
    before = place.tree(root)
    assert train(trainable(root)) == 65
    told = capsys.readouterr().err
    assert told.startswith("ssdet train: ") and "labeled.json, annotations[0] (id 1)" in told
    assert "box that is not four finite numbers" in told
    assert place.tree(root) == before and not (root.parent / "run" / "run.json").exists()


def test_training_warns_once_and_goes_on(root, capsys):
    place.change(root, "labeled", lambda c: c["annotations"][0].update(category_id=7))
    (root / "unlabeled" / "200.jpg").write_bytes(b"")
    before = place.tree(root)
    file = trainable(root)
    assert train(file) == 0
    said = capsys.readouterr()
    told = said.err
    run = file.parent / "run"
    last = f"{run}/report.html shows how it went; `ssdet export {run}` takes the model out"
    assert said.out.splitlines()[-1] == f"ssdet train: finished. {last}"
    assert told.count("warning: annotations: unknown category (left out)") == 1
    assert "ssdet train: 1 warning" in told
    assert train(file, "--strict") == 65
    assert "unknown category: found category_id 7" in capsys.readouterr().err
    assert place.tree(root) == before


def test_a_damaged_validation_image_is_named_by_the_training(root, capsys):
    path = root / "val" / "101.jpg"
    path.write_bytes(path.read_bytes()[:200])
    assert train(trainable(root)) == 65
    assert "101.jpg: truncated image: no end marker" in capsys.readouterr().err


def test_an_empty_folder_of_unlabeled_images_is_a_fault_of_the_data(root, capsys):
    for path in (root / "unlabeled").iterdir():
        path.unlink()
    assert train(trainable(root)) == 65
    assert "UnlabeledImages: no image in" in capsys.readouterr().err
