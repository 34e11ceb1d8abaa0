"""`ssdet browse`: one page of pictures, whose decisions are those of the run."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from ssdet.cli import main
from ssdet.engine.configs import load_config
from ssdet.report.browse import choose, load_pair
from ssdet.report.browse.record import disagreement
from tests.browser import needs_browser, page_in_browser
from tests.helpers import pseudo, tiny_retinanet

SEMI = Path(__file__).parent / "configs" / "segmentation_semi.py"


def save(config, folder):
    """A config with a checkpoint of its untrained model at iteration 7."""
    with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmdet")):
        torch.manual_seed(0)
        model = MODELS.build(config.model)
    state = {**model.state_dict(), "_iteration": torch.tensor(7)}
    (folder / "checkpoints").mkdir()
    path = folder / "checkpoints" / "iter_7.pth"
    torch.save({"state_dict": state, "meta": {"iter": 7}}, path)
    config.dump(folder / "config.py")
    return str(folder / "config.py"), str(path)


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    view = [dict(type="RandomFlip", prob=1.0), dict(type="PackDetInputs")]
    plain = [dict(type="LoadAnnotations", with_bbox=True), dict(type="PackDetInputs")]
    scenes = dict(type="DigitScenes", count=12, labeled=4, image_size=64, digits=(0, 1, 2))
    load = [dict(type="LoadDigitScene")]
    sources = [
        dict(**scenes, split=split, pipeline=[dict(type="WeakStrongViews", shared=load, views=v)])
        for split, v in (("labeled", dict(sup=plain)),
                         ("unlabeled", dict(unsup_teacher=[plain[1]], unsup_student=view)))
    ]  # fmt: skip
    config = Config(dict(
        default_scope="mmdet",
        model=dict(type="TeacherStudentDetector", detector=tiny_retinanet()),
        custom_hooks=[dict(type="TeacherEMAHook"), dict(type="FixedThresholdHook", score=0.0)],
        train_cfg=dict(type="IterBasedTrainLoop", max_iters=9),
        train_dataloader=dict(
            batch_size=2, sampler=dict(type="LabeledUnlabeledSampler", batch=(1, 1)),
            dataset=dict(type="LabeledUnlabeledDataset", datasets=sources)),
    ))  # fmt: skip
    files = save(config, tmp_path_factory.mktemp("boxes"))
    step, _ = load_pair(config, files[1], None, "cpu").look(0, seed=0)
    # A threshold in the midst of its scores.
    config.custom_hooks[1].score = round(float(step.pseudo[0].scores.median()) + 1e-4, 4)
    config.dump(files[0])
    return files


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    return save(load_config(str(SEMI)), tmp_path_factory.mktemp("pixels"))


def page(folder):
    text = (folder / "index.html").read_text()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text).group(1)
    return text, json.loads(data)


@pytest.fixture(scope="module")
def browsed(boxes, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "out"
    assert main(["browse", *boxes, "--number", "3", "--out", str(out), "--size", "64"]) == 0
    return out


def test_the_page_holds_what_the_run_decides(browsed, boxes):
    text, data = page(browsed)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert [image["f"] for image in data["images"]] == ["000000", "000002", "000005"]
    assert data["unit"] == "boxes" and data["classes"] == ["0", "1", "2"]
    threshold = load_config(boxes[0]).custom_hooks[1].score
    assert data["thresholds"] == [threshold] * 3 and data["reasons"] == ["score"]
    rows = [row for image in data["images"] for row in image["b"]]
    assert {row[6] for row in rows} == {0, 3}, "some are kept and some are dropped"
    pair = load_pair(load_config(boxes[0]), boxes[1], None, "cpu")
    step, _ = pair.look(2, seed=0)
    kept = sorted(step.pseudo[0].scores.tolist())
    shown = sorted(row[5] for row in data["images"][1]["b"] if row[6] == 0)
    assert np.allclose(kept, shown, atol=6e-4)
    for image in data["images"]:
        for view in ("original", "weak", "strong"):
            assert (browsed / "images" / f"{image['f']}_{view}.jpg").is_file()
        assert (browsed / "thumbs" / f"{image['f']}.jpg").is_file()


def test_boxes_are_led_into_the_strong_view(browsed):
    image = page(browsed)[1]["images"][0]
    assert image["ws"] == [-1.0, 0.0, 64.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], "it is flipped"
    assert image["wo"] == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("file", ["mine.txt", "images/000000000139.jpg", "maps/000139.png"])
def test_a_folder_of_something_else_is_left_alone(file, boxes, tmp_path, capsys):
    for name in ("images", "maps"):  # as data sets have them
        (tmp_path / name).mkdir()
    (tmp_path / file).touch()
    assert main(["browse", *boxes, "--number", "1", "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "it is not empty" in told and file in told
    assert (tmp_path / file).is_file()


def test_a_page_is_replaced(browsed, boxes, tmp_path, capsys):
    out = tmp_path / "again"
    shutil.copytree(browsed, out)
    shutil.copy(out / "thumbs" / "000000.jpg", out / "thumbs" / "118286.jpg")  # of more images
    assert main(["browse", *boxes, "--number", "1", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "1 of 8 unlabeled images, iteration 7" in said and "without TeacherEMAHook" in said
    assert [file.name for file in (out / "thumbs").iterdir()] == ["000000.jpg"]


def test_pixels_and_their_maps(pixels, tmp_path):
    assert main(["browse", *pixels, "--number", "2", "--out", str(tmp_path / "out")]) == 0
    text, data = page(tmp_path / "out")
    assert data["unit"] == "pixels" and 'id="opacity"' in text
    assert len(list((tmp_path / "out" / "maps").glob("*.js"))) == 2
    for image in data["images"]:
        shares = np.array([share for _, share, _ in image["q"]])
        bins = np.array([counts for _, _, counts in image["q"]])
        assert np.isclose(shares.sum(), 1, atol=1e-3) and np.isclose(bins.sum(), 1, atol=1e-3)


def test_images_of_the_user(boxes, tmp_path, capsys):
    mine, out = tmp_path / "mine", tmp_path / "out"
    mine.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(mine / name), np.full((64, 64, 3), 90, np.uint8))
    config = load_config(boxes[0])
    view = config.train_dataloader.dataset.datasets[1].pipeline[0]
    view.shared = [dict(type="LoadImageFromFile")]
    config.dump(tmp_path / "config.py")
    command = ["browse", str(tmp_path / "config.py"), boxes[1], str(mine), "--out", str(out)]
    assert main(command) == 0
    assert [image["n"] for image in page(out)[1]["images"]] == ["a.png", "b.png"]
    assert "2 of 2 unlabeled images" in capsys.readouterr().out
    assert main(["browse", *boxes, str(tmp_path / "none"), "--out", str(tmp_path / "o")]) == 2
    assert "a folder, a glob in quotes" in capsys.readouterr().err


def test_a_run_folder_is_enough(boxes, browsed, tmp_path, capsys):
    run, out = Path(boxes[0]).parent, tmp_path / "out"
    for place in (run, boxes[1]):
        assert main(["browse", str(place), "--number", "3", "--size", "64", "--out", str(out)]) == 0
        shown, same = page(out)[1], page(browsed)[1]
        assert shown["images"] == same["images"] and shown["thresholds"] == same["thresholds"]
    command = ["browse", str(run), str(tmp_path / "none"), "--out", str(tmp_path / "o")]
    assert main(command) == 2, "what follows a run folder are images"
    assert "a folder, a glob in quotes" in capsys.readouterr().err
    assert main(["browse", str(run), *boxes]) == 2
    assert "brings its own checkpoint" in capsys.readouterr().err
    assert main(["browse", boxes[0]]) == 2
    assert "no CHECKPOINT is given" in capsys.readouterr().err
    assert main(["browse", str(tmp_path)]) == 2
    assert "no checkpoint in" in capsys.readouterr().err


def test_what_does_not_fit_is_refused(boxes, pixels, tmp_path, capsys):
    def refused(*arguments):
        assert main(["browse", *arguments, "--out", str(tmp_path / "out")]) != 0
        return capsys.readouterr().err

    assert "does not fit the model of the config" in refused(boxes[0], pixels[1])
    assert "no such file" in refused(boxes[0], "gone.pth")
    assert "--number 0: it must be at least 1" in refused(*boxes, "--number", "0")
    config = load_config(boxes[0])
    config.train_dataloader.dataset.datasets.pop()
    config.dump(tmp_path / "labeled.py")
    assert "has only labeled sources" in refused(str(tmp_path / "labeled.py"), boxes[1])
    config.model.type = "RetinaNet"
    config.dump(tmp_path / "plain.py")
    assert "which has no teacher" in refused(str(tmp_path / "plain.py"), boxes[1])


def test_disagreement_of_two_models():
    teacher = pseudo([(0, 0, 10, 10), (20, 20, 30, 30)], [0.8, 0.4])
    assert disagreement(teacher, teacher, [0, 1]) == pytest.approx(0, abs=1e-6)
    student = pseudo([(0, 0, 10, 10)], [0.6])
    # They share 0.6 of 0.8 + 0.4 + 0.6 - 0.6.
    assert disagreement(teacher, student, [0, -1]) == pytest.approx(1 - 0.6 / 1.2)
    assert disagreement(teacher[:0], student[:0], []) == 0


def test_images_are_spread_evenly():
    assert choose(10, 4) == [0, 2, 5, 7] and choose(3, 200) == [0, 1, 2]


@pytest.mark.long
@needs_browser
@pytest.mark.parametrize("place", ["", "#1"])
@pytest.mark.parametrize("kind", ["boxes", "pixels"])
def test_a_browser_shows_it(kind, place, request, tmp_path):
    out = tmp_path / "out"
    assert main(["browse", *request.getfixturevalue(kind), "--number", "3", "--out", str(out)]) == 0
    drawn = "<canvas" if kind == "pixels" else 'class="under"'
    shown = page_in_browser(out / "index.html", drawn, place=place)
    assert "unlabeled images" in shown and "3 of 3 images" in shown
    assert drawn in shown
