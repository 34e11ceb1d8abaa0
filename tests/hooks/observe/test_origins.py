"""Kept labels by folder: counted right, over processes and resumes, and written as a whole."""

import json
from types import SimpleNamespace

import pytest

from ssdet.hooks import OriginStatisticsHook
from ssdet.teacher_student.step import Step

from ...helpers import build_pair
from .test_gallery import box_step, pixel_step


@pytest.fixture(scope="module")
def model():
    return build_pair()


def counted(hook, step, path):
    step.weak.samples[0].set_metainfo(dict(img_path=path))
    hook.before_student(step)


def test_boxes_by_folder(model):
    """Of four boxes one is dropped and one ignored; the scores of the others are 0.9 and 0.7."""
    hook = OriginStatisticsHook(roots=["/data/u"])
    for path in ("/data/u/web/1.png", "/data/u/web/x/2.png", "/data/u/lab/1.png"):
        counted(hook, box_step(model), path)
    step = box_step(model)
    step.pseudo = [step.pseudo[0][:0]]
    counted(hook, step, "/data/u/web/3.png")
    counted(hook, box_step(model), "/other/1.png")
    row = dict(images=1, without_labels=0, kept_per_image=2.0, mean_score=0.8)
    assert hook.table() == {
        "elsewhere": row,
        "u/lab": row,
        "u/web": dict(images=3, without_labels=1, kept_per_image=1.3333, mean_score=0.8),
    }


def test_pixels_by_folder(model):
    hook = OriginStatisticsHook(roots=["/data"])
    counted(hook, pixel_step(model), "/data/1.png")
    share = round(24 / 47, 4)  # the last of 48 columns is invalid
    assert hook.table() == {
        "data/.": dict(images=1, without_labels=0, kept_per_image=share, mean_score=0.75)
    }


def test_the_file_is_written_at_intervals_and_at_the_end(tmp_path, model):
    hook = OriginStatisticsHook(interval=2)
    sources = [SimpleNamespace(root="/data", unlabeled=True), SimpleNamespace(root="/labeled")]
    dataset = SimpleNamespace(datasets=sources)
    runner = SimpleNamespace(
        model=model, iter=0, max_iters=4, work_dir=str(tmp_path),
        train_dataloader=SimpleNamespace(dataset=dataset),
    )  # fmt: skip
    hook.before_train(runner)
    assert hook.roots == ["/data"]
    seen = []
    for iteration in range(4):
        counted(hook, box_step(model, iteration), "/data/a/1.png")
        file = tmp_path / "pseudo" / "origins.json"
        seen.append(json.loads(file.read_text())["data/a"]["images"] if file.exists() else 0)
    assert seen == [0, 2, 2, 4]


def test_counts_travel_with_the_checkpoint(model):
    hook, other = OriginStatisticsHook(roots=["/data"]), OriginStatisticsHook(roots=["/data"])
    counted(hook, box_step(model), "/data/a/1.png")
    other.load_state_dict(json.loads(json.dumps(hook.state_dict())))
    counted(hook, box_step(model), "/data/b/1.png")
    counted(other, box_step(model), "/data/b/1.png")
    assert other.table() == hook.table() and len(other.table()) == 2


def test_a_step_without_unlabeled_images_counts_nothing(model):
    hook = OriginStatisticsHook()
    hook.before_student(Step(model, 0))
    assert hook.table() == {}
