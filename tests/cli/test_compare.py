"""`ssdet train --baseline --control`: one command says whether unlabeled images helped."""

import json
from pathlib import Path

import pytest

from ssdet.cli import main
from ssdet.engine.configs import load_config
from ssdet.exits import UsageError
from ssdet.recipes.comparison import baseline_config, control_config

SHIPPED = Path(__file__).parents[2] / "configs"
SEMI = Path(__file__).parent / "configs" / "segmentation_semi.py"
SHORT = ["--cfg-options", "train_cfg.max_iters=2", "train_cfg.val_interval=2"]


def same(first, second):
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def train(folder, *options):
    return main(["train", str(SEMI), "--work-dir", str(folder), *options, *SHORT])


@pytest.mark.parametrize("task", ["detection", "segmentation"])
def test_the_baseline_is_made_as_that_of_the_quickstart(task):
    made = baseline_config(load_config(str(SHIPPED / f"quickstart/{task}_semi.py")))
    shipped = load_config(str(SHIPPED / f"quickstart/{task}_baseline.py"))
    for key in ("model", "custom_hooks", "train_dataloader", "train_cfg", "optim_wrapper"):
        assert same(made[key], shipped[key]), key


def test_the_baseline_of_a_published_config_is_the_shipped_one():
    folder = SHIPPED / "soft_teacher"
    made = baseline_config(load_config(str(folder / "faster-rcnn_r50_cityscapes.py")))
    shipped = load_config(str(folder / "faster-rcnn_r50_cityscapes_baseline.py"))
    assert tuple(made.total_batch) == tuple(shipped.total_batch) == (8,)
    assert made.custom_hooks == shipped.custom_hooks
    assert same(made.train_dataloader, shipped.train_dataloader)


def test_networks_that_only_unlabeled_images_need_are_left_out():
    config = load_config(str(SHIPPED / "rail/deeplabv3plus_demo.py"))
    config.auto_scale_lr = dict(base_batch_size=16)
    made = baseline_config(config)
    assert "auxiliary" not in made.model and "auxiliary_teachers" not in made.model
    assert [hook["type"] for hook in made.custom_hooks] == ["TeacherEMAHook"]
    assert made.auto_scale_lr.base_batch_size == 8, "half of the images are left"
    assert "auxiliary" in config.model and len(config.train_dataloader.dataset.datasets) == 2


def test_the_control_has_the_labeled_images_in_both_places():
    config = load_config(str(SHIPPED / "soft_teacher/faster-rcnn_r50_coco.py"))
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    first, second = control_config(config).train_dataloader.dataset.datasets
    assert first == labeled and second["ann_file"] == labeled["ann_file"]
    assert second["pipeline"] == unlabeled["pipeline"] != labeled["pipeline"]
    assert control_config(config).model == config.model


def test_the_control_of_several_labeled_sources_has_them_all():
    config = load_config(str(SHIPPED / "soft_teacher/faster-rcnn_r50_coco.py"))
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    config.train_dataloader.dataset.datasets = [labeled, labeled, unlabeled]
    config.train_dataloader.dataset.labeled = 2
    *_, last = control_config(config).train_dataloader.dataset.datasets
    assert last["type"] == "ConcatDataset" and len(last["datasets"]) == 2


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda c: c.model.update(type="FCOS"), "learns from labels alone"),
        (lambda c: c.train_dataloader.dataset.update(type="ConcatDataset"), "a config of its own"),
        (lambda c: c.train_dataloader.dataset.datasets.pop(), "labeled images only"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, told):
    config = load_config(str(SHIPPED / "soft_teacher/faster-rcnn_r50_coco.py"))
    change(config)
    for make in (baseline_config, control_config):
        with pytest.raises(UsageError, match=told):
            make(config)


def test_a_source_that_hides_its_pipeline_has_no_control():
    config = load_config(str(SHIPPED / "soft_teacher/faster-rcnn_r50_coco.py"))
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    config.train_dataloader.dataset.datasets = [dict(type="RepeatDataset", dataset=labeled),
                                                unlabeled]  # fmt: skip
    with pytest.raises(UsageError, match="RepeatDataset"):
        control_config(config)


def info(folder):
    return json.loads((folder / "run.json").read_text())


def test_all_runs_and_their_answer(tmp_path, capsys):
    folder = tmp_path / "run"
    assert train(folder, "--baseline", "--control") == 0
    said = capsys.readouterr().out
    assert "1 of 3: baseline" in said and "3 of 3: semi" in said
    assert "Did the unlabeled images help? " in said and "over the same training with" in said
    folders = {role: tmp_path / f"run-{role}" for role in ("baseline", "control")}
    for role, one in folders.items():
        assert info(one)["compared_as"] == role
        assert info(one)["seed"] == info(folder)["seed"] == 0
        assert info(one)["max_iterations"] == 2
    images = {role: info(one)["data"]["train"]["images"] for role, one in folders.items()}
    assert (
        images == {"baseline": 8, "control": 16} and info(folder)["data"]["train"]["images"] == 24
    )
    page = (folder / "report.html").read_text()
    assert "Control<small>" in page and "Baseline<small>" in page and "the method alone" in page

    # An interruption of the last one: the others are left as they are.
    before = {one: (one / "metrics.jsonl").stat().st_mtime_ns for one in folders.values()}
    (folder / "run.json").write_text(json.dumps({**info(folder), "state": "stopped by SIGINT"}))
    assert train(folder, "--baseline", "--control", "--resume") == 0
    assert capsys.readouterr().out.count("finished earlier") == 2
    assert info(folder)["state"] == "finished" and info(folder)["start_iteration"] == 2
    assert before == {one: (one / "metrics.jsonl").stat().st_mtime_ns for one in before}

    assert train(folder, "--baseline", "--resume", "--seed", "3") == 2
    assert "another config" in capsys.readouterr().err
    assert train(folder, "--baseline", "--resume", "iter_2.pth") == 2
    assert "write --resume alone" in capsys.readouterr().err
