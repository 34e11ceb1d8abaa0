"""Which checkpoints are kept, what is in them, and how a run comes back from them."""

import json
import os

import pytest
import torch
from mmengine.runner import Runner

from ssdet.cli import main
from ssdet.cli.train import find_checkpoint
from ssdet.engine import (
    CheckpointError,
    DataChangedError,
    UsageError,
    find_latest,
    read_metrics,
    write_checkpoint,
)
from ssdet.engine.checkpoint_content import plain
from ssdet.engine.checkpoint_file import sha256
from ssdet.engine.checkpoint_hook import headline
from ssdet.engine.checkpoint_index import CheckpointIndex, Entry, find_best
from ssdet.registry import HOOKS
from tests.reliability.harness import WALL_CLOCK, checkpoint, difference

from .toy import ToyData, ToyMetric, toy

CHECKPOINT = "default_hooks__checkpoint__"


def files(work_dir):
    return sorted(os.listdir(work_dir / "checkpoints"))


def lines(work_dir):
    found = read_metrics(work_dir / "metrics.jsonl")
    return [{k: v for k, v in line.items() if k not in WALL_CLOCK} for line in found]


def test_keeps_the_newest_and_the_best(tmp_path):
    toy(tmp_path).train()
    assert files(tmp_path)[1:] == ["index.json", "iter_4.pth", "iter_6.pth"]
    index = json.loads((tmp_path / "checkpoints/index.json").read_text())["files"]
    (best,) = (entry for entry in index.values() if entry["metric"])
    assert best["metric"] == "mIoU"
    scores = [line["mIoU"] for line in lines(tmp_path) if line["mode"] == "val"]
    assert best["score"] == max(scores) and len(scores) == 2
    assert (tmp_path / "last_checkpoint").read_text().endswith("iter_6.pth")
    loaded = checkpoint(tmp_path, 6)
    assert set(loaded) >= {"state_dict", "optimizer", "param_schedulers", "rng", "meta"}
    assert loaded["meta"]["data"] == {"train": "abc"} and loaded["meta"]["iter"] == 6


def test_a_failed_save_does_not_cost_the_old_one(tmp_path, monkeypatch):
    from ssdet.engine import checkpoint_hook

    saved = []

    def write(content, path):
        saved.append(path.name)
        if path.name == "iter_4.pth":
            raise CheckpointError("disk full")
        return write_checkpoint(content, path)

    monkeypatch.setattr(checkpoint_hook, "write_checkpoint", write)
    settings = {CHECKPOINT + "max_keep_ckpts": 1, CHECKPOINT + "save_best": None}
    with pytest.raises(CheckpointError, match="disk full"):
        toy(tmp_path / "stop", **settings).train()
    assert files(tmp_path / "stop") == ["index.json", "iter_2.pth"]
    assert json.loads((tmp_path / "stop/run.json").read_text())["exit_code"] == 74
    toy(tmp_path / "go", **settings, **{CHECKPOINT + "on_error": "continue"}).train()
    assert files(tmp_path / "go") == ["index.json", "iter_6.pth"]
    assert "training continues" in (tmp_path / "go/train.log").read_text()


@pytest.mark.parametrize("runner", ["SafeRunner", "Runner"])
def test_resume_goes_on_bit_for_bit(tmp_path, runner):
    kind = {"runner": Runner} if runner == "Runner" else {}
    toy(tmp_path / "whole", **kind).train()
    short = toy(tmp_path / "cut", **kind)
    short.train_loop._max_iters = 4  # the schedule and everything else as in the whole run
    short.train()
    again = toy(tmp_path / "cut", resume=True, **kind)
    before = ToyData.read
    again.train()
    # 2 iterations of 2 images and the last validation of 8: nothing was read to be thrown away.
    assert ToyData.read - before == 2 * 2 + 8
    one, other = checkpoint(tmp_path / "whole", 6), checkpoint(tmp_path / "cut", 6)
    assert difference(one, other) is None
    if runner == "SafeRunner":
        assert [x for x in lines(tmp_path / "cut") if x["iter"] != 4 or x["mode"] == "train"] == (
            lines(tmp_path / "whole")
        )
    assert difference(one, checkpoint(tmp_path / "cut", 4)) is not None


@pytest.mark.parametrize("damage", ["cut", "flip", "delete"])
def test_a_damaged_newest_checkpoint_falls_back_and_says_so(tmp_path, damage):
    toy(tmp_path).train()
    newest = tmp_path / "checkpoints/iter_6.pth"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "delete":
        newest.unlink()
    else:
        newest.write_bytes(data if damage == "flip" else data[:-100])
        with pytest.raises(CheckpointError, match=r"iter_6\.pth: it"):
            toy(tmp_path, resume=True, load_from=str(newest)).train()
    toy(tmp_path, resume=True).train()
    log = (tmp_path / "train.log").read_text()
    assert "WARNING - Damaged checkpoint" in log
    warning = next(line for line in log.splitlines() if "Damaged" in line)
    assert "iter_6.pth" in warning and "Falling back to" in warning and "iter_4.pth" in warning
    assert [x["iter"] for x in lines(tmp_path) if x["mode"] == "train"] == [1, 2, 3, 4, 5, 6]


def test_no_whole_checkpoint_is_an_error_and_not_a_new_start(tmp_path):
    toy(tmp_path).train()
    for path in (tmp_path / "checkpoints").glob("iter_*.pth"):
        path.write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"iter_6\.pth.*iter_4\.pth"):
        toy(tmp_path, resume=True).train()


def test_a_file_that_the_index_does_not_know_is_found(tmp_path):
    """Killed between the rename and the index."""
    toy(tmp_path).train()
    path = tmp_path / "checkpoints/index.json"
    index = json.loads(path.read_text())
    del index["files"]["iter_6.pth"]
    path.write_text(json.dumps(index))
    assert find_latest(tmp_path)[0].name == "iter_6.pth"
    path.unlink()
    assert find_latest(tmp_path)[0].name == "iter_6.pth"


def change_index(work_dir, change):
    path = work_dir / "checkpoints/index.json"
    index = json.loads(path.read_text())
    change(index["files"])
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    "name",
    ["../../victim.pth", "/tmp/victim.pth", "victim.txt", "a/victim.pth", "victim.pth\n", "é.pth"],
)
def test_the_index_deletes_nothing_but_checkpoints_of_its_folder(tmp_path, name):
    run = tmp_path / "run"
    toy(run, train_cfg__max_iters=2).train()
    victim = run / "checkpoints" / (name if name[0] != "/" else f"{tmp_path}/victim.pth")
    victim.parent.mkdir(exist_ok=True)
    victim.write_text("of somebody else")
    entry = dict(iteration=1, sha256="", bytes=1)
    best = dict(entry, metric="mIoU", score=-1.0)
    given = name if name[0] != "/" else str(victim)
    change_index(run, lambda files: files.update({given: entry, f"x{given}": best}))
    toy(run, resume=True).train()
    assert victim.read_text() == "of somebody else"
    assert [n for n in files(run) if n[:4] == "iter"] == ["iter_4.pth", "iter_6.pth"]
    log = (run / "train.log").read_text()
    assert "names what is no checkpoint of this folder, which is left alone" in log


@pytest.mark.parametrize("text", ["[]", "{", '{"files": [1]}', "[" * 99999, '{"files": {"a": 1}}'])
def test_an_index_of_nonsense_counts_as_none(tmp_path, text):
    toy(tmp_path).train()
    (tmp_path / "checkpoints/index.json").write_text(text)
    assert find_latest(tmp_path)[0].name == "iter_6.pth"


def test_entries_with_wrong_types_are_no_entries(tmp_path):
    toy(tmp_path).train()
    change_index(tmp_path, lambda files: files["iter_6.pth"].update(iteration="99"))
    assert find_latest(tmp_path)[0].name == "iter_6.pth"
    toy(tmp_path, resume=True).train()


def test_a_checkpoint_orphaned_before_the_index_is_pruned_in_its_turn(tmp_path):
    toy(tmp_path, train_cfg__max_iters=4).train()
    change_index(tmp_path, lambda files: files.pop("iter_4.pth"))
    (tmp_path / "checkpoints/iter_3.pth").write_bytes(b"of somebody else")
    toy(tmp_path, resume=True, train_cfg__max_iters=8).train()
    assert [n for n in files(tmp_path) if n[:4] == "iter"] == [
        "iter_3.pth", "iter_6.pth", "iter_8.pth",
    ]  # fmt: skip
    assert "Listed iter_4.pth, whose save was cut short" in (tmp_path / "train.log").read_text()


def test_a_new_run_beside_an_orphan_alone_does_not_continue_it_later(tmp_path):
    toy(tmp_path, train_cfg__max_iters=4).train()
    (tmp_path / "checkpoints/index.json").unlink()
    toy(tmp_path, train_cfg__max_iters=2).train()
    assert find_latest(tmp_path)[0].name == "iter_2.pth"


def test_load_from_refuses_a_damaged_checkpoint_copied_elsewhere(tmp_path):
    toy(tmp_path / "run").train()
    data = bytearray((tmp_path / "run/checkpoints/iter_6.pth").read_bytes())
    data[data.index(b"ssdet_version")] ^= 1
    (tmp_path / "copied.pth").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"copied\.pth .* is damaged: the checksum"):
        toy(tmp_path / "new", load_from=str(tmp_path / "copied.pth")).train()


def test_empty_folder_starts_anew_and_finished_run_does_nothing(tmp_path):
    toy(tmp_path, resume=True).train()
    assert "Nothing to resume in" in (tmp_path / "train.log").read_text()
    weights, before = checkpoint(tmp_path, 6), lines(tmp_path)
    toy(tmp_path, resume=True).train()
    assert "nothing left to do" in (tmp_path / "train.log").read_text()
    assert difference(weights, checkpoint(tmp_path, 6)) is None and lines(tmp_path) == before


def test_resuming_an_empty_folder_starts_from_the_weights_of_the_config(tmp_path):
    """As a job does that always says --resume, at its first start; and later it goes on."""
    toy(tmp_path / "start").train()
    weights = str(tmp_path / "start/checkpoints/iter_6.pth")
    toy(tmp_path / "whole", load_from=weights).train()
    job = dict(load_from=weights, resume="auto")
    toy(tmp_path / "job", train_cfg__max_iters=4, **job).train()
    assert f"starting from {weights}" in (tmp_path / "job/train.log").read_text()
    toy(tmp_path / "job", **job).train()
    both = (checkpoint(tmp_path / name, 6) for name in ("job", "whole"))
    assert difference(*both) is None
    assert f"load_from = '{weights}'" in (tmp_path / "job/config.py").read_text()


def test_an_unfinished_validation_is_done_on_resume(tmp_path):
    toy(tmp_path / "whole", train_cfg__val_interval=2).train()
    ToyMetric.fail = True
    try:
        with pytest.raises(RuntimeError, match="no metric today"):
            toy(tmp_path / "cut", train_cfg__val_interval=2).train()
    finally:
        ToyMetric.fail = False
    assert files(tmp_path / "cut") == ["index.json", "iter_2.pth"]
    toy(tmp_path / "cut", train_cfg__val_interval=2, resume=True).train()
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")
    assert difference(checkpoint(tmp_path / "cut", 6), checkpoint(tmp_path / "whole", 6)) is None


def test_leftovers_of_an_interrupted_save_are_removed(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/iter_9.pth.tmp").write_bytes(b"half")
    toy(tmp_path).train()
    assert not any(name.endswith(".tmp") for name in files(tmp_path))
    assert "Removed iter_9.pth.tmp" in (tmp_path / "train.log").read_text()


def test_changed_data_is_refused_on_resume(tmp_path, monkeypatch):
    toy(tmp_path, train_cfg__max_iters=4).train()
    monkeypatch.setattr(ToyData, "sum", "other")
    with pytest.raises(DataChangedError, match=r"since iteration 4.*other instead of abc"):
        toy(tmp_path, resume=True).train()
    toy(tmp_path, resume=True, **{CHECKPOINT + "changed_data": "warn"}).train()
    assert "other instead of abc" in (tmp_path / "train.log").read_text()


def test_the_config_inside_a_checkpoint_is_not_executed(tmp_path):
    for kind in ({}, {"runner": Runner}):
        work_dir = tmp_path / str(len(kind))
        toy(work_dir, train_cfg__max_iters=4, **kind).train()
        path, marker = work_dir / "stranger.pth", work_dir / "boom"
        content = checkpoint(work_dir, 4)
        content["meta"]["config"] = f"import os\nos.system('touch {marker}')"
        torch.save(content, path)
        toy(work_dir, load_from=str(path), resume=True, **kind).train()
        assert not marker.exists() and checkpoint(work_dir, 6)["meta"]["iter"] == 6


def test_history_in_a_checkpoint_does_not_grow(tmp_path):
    from ssdet.engine import checkpoint_content

    runner = toy(tmp_path)
    runner.train()
    for _ in range(3000):
        runner.message_hub.update_scalar("train/loss", 1.0)
    packed = checkpoint_content.pack_message_hub(runner.message_hub)
    assert len(packed["log_scalars"]["train/loss"]["values"]) == checkpoint_content.HISTORY


def test_state_that_is_not_data_is_named():
    with pytest.raises(TypeError, match=r"checkpoint\.step_hooks\.X is a builtins\.object"):
        plain({"step_hooks": {"X": object()}}, "checkpoint")


def test_wrong_arguments_are_named(tmp_path):
    build = HOOKS.build
    with pytest.raises(UsageError, match=r"on_error='retry' is not in \('stop', 'continue'\)"):
        build(dict(type="AtomicCheckpointHook", on_error="retry"))
    with pytest.raises(UsageError, match="out_dir is not supported"):
        build(dict(type="AtomicCheckpointHook", out_dir="s3://x"))
    with pytest.raises(UsageError, match=r"save_best='bbox_mAP'.*aAcc, mIoU"):
        toy(tmp_path, **{CHECKPOINT + "save_best": "bbox_mAP"}).train()


def test_the_teachers_headline_metric_decides():
    metrics = ["student/coco/bbox_mAP", "teacher/coco/bbox_mAP_50", "teacher/coco/bbox_mAP"]
    assert headline(metrics) == "teacher/coco/bbox_mAP"
    assert headline(["aAcc", "mIoU"]) == "mIoU"
    assert headline(["something"]) == "something"


@pytest.mark.parametrize(
    ("save_best", "chosen"),
    [
        ("auto", [["student/coco/bbox_mAP"], ["teacher/coco/bbox_mAP"], [], []]),
        ("student/coco/bbox_mAP", [["student/coco/bbox_mAP"], [], ["student/coco/bbox_mAP"], []]),
    ],
)
def test_a_model_that_finds_nothing_does_not_end_the_training(save_best, chosen):
    """MMDetection's metric of an empty result is no metric at all."""
    hook = HOOKS.build(dict(type="AtomicCheckpointHook", save_best=save_best))
    student, teacher = {"student/coco/bbox_mAP": 0.1}, {"teacher/coco/bbox_mAP": 0.2}
    for metrics, names in zip((student, teacher, student, {}), chosen, strict=True):
        assert hook._metrics_to_watch(metrics) == names


def test_a_metric_of_a_model_that_is_not_there_is_named():
    hook = HOOKS.build(dict(type="AtomicCheckpointHook", save_best="teacher/mIoU"))
    for metrics in ({"mIoU": 1.0}, {"teacher/mDice": 1.0}):
        with pytest.raises(UsageError, match=r"save_best='teacher/mIoU' is not among"):
            hook._metrics_to_watch(metrics)


def test_the_best_checkpoint_of_a_model_or_the_newest(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    index = CheckpointIndex(folder)
    for number in (10, 20):
        path = folder / f"iter_{number}.pth"
        path.write_bytes(b"whole")
        index.entries[path.name] = Entry(number, sha256(path), 5)
    index.save()
    assert find_best(tmp_path, "teacher") == folder / "iter_20.pth"
    (folder / "best.pth").write_bytes(b"whole")
    index.entries["best.pth"] = Entry(10, "", 5, metric="teacher/mIoU", score=1.0)
    index.save()
    assert find_best(tmp_path, "teacher") == folder / "best.pth"
    assert find_best(tmp_path, "student") == folder / "iter_20.pth"
    for name in (tmp_path, folder / "best.pth"):
        assert find_checkpoint(str(name)) == str(folder / "best.pth")
    assert find_checkpoint(str(tmp_path), "student") == str(folder / "iter_20.pth")
    index.entries["other.pth"] = Entry(10, "", 5, metric="teacher/mAcc", score=1.0)
    index.save()
    with pytest.raises(UsageError, match="several best checkpoints of the teacher; name one of"):
        find_best(tmp_path, "teacher")
    with pytest.raises(UsageError, match=r"no checkpoint in .* give the folder of a run"):
        find_best(tmp_path / "elsewhere", "teacher")


def test_the_test_command_takes_the_folder_of_a_run(tmp_path, capsys):
    assert main(["test", "mean_teacher/gfl_demo.py", str(tmp_path)]) == 2
    assert f"{tmp_path}: no checkpoint in {tmp_path / 'checkpoints'}" in capsys.readouterr().err
    assert main(["test", "mean_teacher/gfl_demo.py", str(tmp_path / "gone.pth")]) == 2
    assert "gone.pth: no such file" in capsys.readouterr().err
