"""The gallery on hand-made steps: which files, and the training is not touched."""

import random
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from ssdet.hooks import GalleryHook

from ...helpers import build_pair, pseudo
from .steps import box_step, lines, pixel_step


@pytest.fixture(scope="module")
def model():
    return build_pair()


def hook_in(folder, model, **settings):
    hook = GalleryHook(**{"classes": ["a", "b", "c"], "size": 96, **settings})
    model.hooks.clear()
    model.attach(hook)
    hook.open(folder)
    return hook


def color(folder, panel):
    """Mean RGB of a place without box or text."""
    picture = cv2.imread(str(folder / "pseudo" / panel["file"]))
    return picture[27:34, 27:38, ::-1].reshape(-1, 3).mean(0), picture.shape


def test_boxes(tmp_path, model):
    hook_in(tmp_path, model).before_student(box_step(model))
    (line,) = lines(tmp_path, "gallery.jsonl")
    assert (line["iter"], line["image"], line["unit"]) == (1, "0.png", "boxes")
    assert (line["kept"], line["ignored"], line["dropped"]) == (2, 1, {"score": 1})
    assert line["score"] == pytest.approx(0.8) and line["classes"] == {"a": 1, "b": 1}
    assert [panel["view"] for panel in line["panels"]] == ["weak", "strong"]
    for panel, value in zip(line["panels"], (100, 60), strict=True):
        found, shape = color(tmp_path, panel)
        assert shape == (64, 96, 3) and found == pytest.approx([value] * 3, abs=3)


def test_of_many_dropped_boxes_the_surest_are_drawn(tmp_path, model, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "ssdet.hooks.observe.gallery.draw_boxes",
        lambda image, groups, size: drawn.append(groups) or np.zeros((8, 8, 3), np.uint8),
    )
    step = box_step(model)
    scores = [0.01 * i for i in range(20)]
    step.dropped[0]["score"] = pseudo([(2, 2, 12, 12)] * 20, scores, [0] * 20)
    hook_in(tmp_path, model).before_student(step)
    (group,) = (g for g in drawn[0] if g.style == "dropped")
    assert group.texts == [f"a 0.{i}" for i in (19, 18, 17, 16, 15, 14)]
    (line,) = lines(tmp_path, "gallery.jsonl")
    assert (line["dropped"], line["drawn"]) == ({"score": 20}, 6)


def test_pixels(tmp_path, model):
    hook_in(tmp_path, model).before_student(pixel_step(model))
    (line,) = lines(tmp_path, "gallery.jsonl")
    assert [panel["view"] for panel in line["panels"]] == ["weak", "labels", "kept", "strong"]
    assert line["kept"] == pytest.approx(24 / 47, abs=1e-4)
    assert line["dropped"]["weight"] == pytest.approx(23 / 47, abs=1e-4)
    assert line["score"] == pytest.approx(0.75) and set(line["colors"]) == {"a", "b"}
    assert line["classes"] == pytest.approx({"a": 12 / 47, "b": 12 / 47}, abs=1e-4)
    said, kept = (cv2.imread(str(tmp_path / "pseudo" / p["file"])) for p in line["panels"][1:3])
    left, right = (slice(0, 28), slice(0, 44)), (slice(0, 28), slice(52, 90))
    assert np.abs(said[left].mean((0, 1)) - kept[left].mean((0, 1))).max() < 2
    assert np.ptp(kept[right].mean((0, 1))) < 4 < np.ptp(said[right].mean((0, 1)))


def test_when(tmp_path, model):
    hook = hook_in(tmp_path, model, interval=4)
    hook.last = 9
    for iteration in range(10):
        hook.before_student(box_step(model, iteration))
    assert [line["iter"] for line in lines(tmp_path, "gallery.jsonl")] == [1, 5, 9, 10]


def test_no_pseudo_label_at_all(tmp_path, model):
    step = box_step(model)
    step.pseudo[0] = step.pseudo[0][:0]
    step.dropped = [{}]
    step.targets["unsup_student"][0].gt_instances = step.pseudo[0]
    hook_in(tmp_path, model).before_student(step)
    (line,) = lines(tmp_path, "gallery.jsonl")
    assert line["kept"] == 0 and line["score"] is None


@pytest.mark.parametrize("make", [box_step, pixel_step])
def test_training_goes_on_as_if_nobody_had_looked(tmp_path, model, make):
    step = make(model)
    inputs = step.weak.inputs.clone()
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    hook_in(tmp_path, model).before_student(step)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
    assert torch.equal(step.weak.inputs, inputs) and step.log.keys() <= {"pseudo/dropped_score"}


def test_only_the_first_process_writes(tmp_path, model, monkeypatch):
    monkeypatch.setattr("ssdet.hooks.observe.gallery.is_main_process", lambda: False)
    hook_in(tmp_path, model).before_student(box_step(model))
    assert not list(tmp_path.iterdir())


def test_colors_are_right_way_round(tmp_path, model):
    hook = hook_in(tmp_path, model)
    step = box_step(model)
    step.weak.inputs[:, 0] = (200.0 - 127.0) / 64.0  # blue: pictures are loaded as BGR
    hook.before_student(step)
    found, _ = color(tmp_path, lines(tmp_path, "gallery.jsonl")[0]["panels"][0])
    assert found == pytest.approx([100, 100, 200], abs=8)


def test_what_the_runner_tells(tmp_path, model):
    data = SimpleNamespace(metainfo={"classes": ("x", "y"), "palette": [(1, 2, 3), (4, 5, 6)]})
    runner = SimpleNamespace(
        work_dir=tmp_path, max_iters=7, iter=0, train_dataloader=SimpleNamespace(dataset=data)
    )
    hook = GalleryHook()
    hook.before_train(runner)
    assert (hook.classes, hook.last, hook.folder) == (["x", "y"], 6, tmp_path)
    assert (tmp_path / "pseudo").is_dir()


@pytest.mark.parametrize("wrong", [dict(interval=0), dict(size=1)])
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=f"GalleryHook: {next(iter(wrong))}"):
        GalleryHook(**wrong)
