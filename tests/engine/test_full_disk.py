"""A disk that is full: one message that names the file, exit code 74, and nothing half written."""

import json
import logging
import os
import tempfile

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from ssdet.cli import main
from ssdet.engine import NumericError, read_metrics
from ssdet.engine.checkpoint_file import append_line, write_text
from ssdet.engine.export import write_safetensors
from ssdet.exits import WriteError
from ssdet.formats.pseudo_label_folder import PseudoLabelFolder
from ssdet.hooks import OriginStatisticsHook
from ssdet.hooks._parts.drawing import save_jpeg
from ssdet.run_files import ORIGINS

from .toy import toy

FULL = "/dev/full"  # the kernel answers every write with "no space left on device"
ITERATION = 3

pytestmark = pytest.mark.skipif(not os.path.exists(FULL), reason="needs /dev/full")


class FillHook(Hook):
    """From an iteration on, one file of the run folder is on a full disk."""

    priority = "VERY_HIGH"

    def __init__(self, name):
        self.name = name

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 != ITERATION:
            return
        path = f"{runner.work_dir}/{self.name}"
        if self.name == "train.log":
            handlers = runner.logger.handlers
            (handler,) = (h for h in handlers if isinstance(h, logging.FileHandler))
            os.dup2(os.open(FULL, os.O_WRONLY), handler.stream.fileno())
            return
        if os.path.exists(path):
            os.rename(path, path + ".before")
        os.symlink(FULL, path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("metrics.jsonl", "metrics.jsonl"),
        ("train.log", "train.log"),
        ("checkpoints/index.json.tmp", "checkpoints/index.json"),
        ("checkpoints/iter_4.pth.tmp", "checkpoints/iter_4.pth"),
        ("last_checkpoint.tmp", "last_checkpoint"),
    ],
)
def test_each_file_of_a_run(tmp_path, name, told):
    runner = toy(tmp_path, default_hooks__checkpoint__save_best=None)
    runner.register_hook(FillHook(name))
    with pytest.raises(Exception, match=rf"{told} could not be written: No space left") as error:
        runner.train()
    assert error.value.exit_code == 74
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["exit_code"] == 74 and told in record["state"]
    assert not (tmp_path / ".lock").exists()
    if name != "train.log":
        assert not os.path.lexists(tmp_path / name) or not name.endswith(".tmp")
    # The disk has room again: what was saved is whole, and the run ends as if nothing had been.
    if name == "metrics.jsonl":
        os.replace(tmp_path / "metrics.jsonl.before", tmp_path / "metrics.jsonl")
    toy(tmp_path, resume=True, default_hooks__checkpoint__save_best=None).train()
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [x["iter"] for x in lines if x["mode"] == "train"] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("name", ["run.json", "config.py"])
def test_a_run_that_cannot_be_described_does_not_start(tmp_path, name):
    (tmp_path / name).write_text("of an earlier run")
    os.symlink(FULL, tmp_path / f"{name}.tmp")
    with pytest.raises(WriteError, match=rf"{name} could not be written: No space left"):
        toy(tmp_path).train()
    if name == "config.py":
        assert (tmp_path / name).read_text() == "of an earlier run"
    assert not os.path.lexists(tmp_path / f"{name}.tmp")


def test_what_describes_a_bad_step(tmp_path):
    (tmp_path / "nan_dump").mkdir()
    os.symlink(FULL, tmp_path / "nan_dump/iter_2.json.tmp")
    with pytest.raises(WriteError, match=r"nan_dump/iter_2\.json could not be written"):
        toy(tmp_path, model__broken=[2]).train()
    assert not issubclass(WriteError, NumericError)


def test_with_on_error_continue_the_index_is_tried_again(tmp_path):
    runner = toy(
        tmp_path, default_hooks__checkpoint__on_error="continue",
        default_hooks__checkpoint__save_best=None,
    )  # fmt: skip
    runner.register_hook(FillHook("checkpoints/index.json.tmp"))
    runner.train()
    index = json.loads((tmp_path / "checkpoints/index.json").read_text())["files"]
    assert list(index) == ["iter_4.pth", "iter_6.pth"]
    assert "index.json could not be written" in (tmp_path / "train.log").read_text()


def test_a_line_is_added_whole_or_not_at_all(tmp_path):
    import resource

    path = tmp_path / "lines"
    append_line(path, "one")
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        try:
            append_line(path, "two" * 10)
        except WriteError as error:
            os._exit(0 if "File too large" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert path.read_text() == "one\n"


def test_metrics_are_cut_and_never_written_again(tmp_path):
    """The lines that stay are the same bytes at the same place: no disk space is needed."""
    toy(tmp_path, train_cfg__max_iters=4).train()
    path = tmp_path / "metrics.jsonl"
    before, node = path.read_bytes(), path.stat().st_ino
    with path.open("a") as file:
        file.write('{"mode": "train", "iter": 5, "epoch": 0}\n{"mode": "tra')
    toy(tmp_path, resume=True).train()
    assert path.read_bytes().startswith(before) and path.stat().st_ino == node
    assert [x["iter"] for x in read_metrics(path) if x["mode"] == "train"] == [1, 2, 3, 4, 5, 6]


def test_stored_labels_pictures_and_texts(tmp_path, monkeypatch):
    folder = PseudoLabelFolder(tmp_path / "pseudo")
    labels = np.zeros((4, 4), np.uint8)
    folder.write_map("a", labels, {"image": "a.png"})
    before = (tmp_path / "pseudo/maps/a.png").read_bytes()
    write_text("one", tmp_path / "text")
    place = tempfile.mkstemp
    full = lambda *a, **k: (os.open(FULL, os.O_WRONLY), place(*a, **k)[1])  # noqa: E731
    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(WriteError, match=r"maps/a\.png could not be written"):
        folder.write_map("a", labels + 1, {"image": "a.png"})
    assert (tmp_path / "pseudo/maps/a.png").read_bytes() == before
    assert len(list((tmp_path / "pseudo").rglob("*"))) == 4  # no leftovers
    os.symlink(FULL, tmp_path / "text.tmp")
    with pytest.raises(WriteError, match="text could not be written"):
        write_text("two", tmp_path / "text")
    assert (tmp_path / "text").read_text() == "one"
    os.symlink(FULL, tmp_path / "a.jpg")
    with pytest.raises(WriteError, match=r"a\.jpg could not be written"):
        save_jpeg(tmp_path / "a.jpg", np.zeros((4, 4, 3), np.uint8))


def test_weights_without_pickle(tmp_path):
    os.symlink(FULL, tmp_path / "model.safetensors.tmp")
    checkpoint = dict(meta={}, state_dict={"weight": torch.ones(4)})
    with pytest.raises(WriteError, match=r"model\.safetensors could not be written"):
        write_safetensors(checkpoint, tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_counts_by_folder(tmp_path):
    hook = OriginStatisticsHook()
    hook.folder = tmp_path
    (tmp_path / ORIGINS).parent.mkdir()
    os.symlink(FULL, tmp_path / f"{ORIGINS}.tmp")
    with pytest.raises(WriteError, match=r"origins\.json could not be written"):
        hook._write()
    assert list((tmp_path / ORIGINS).parent.iterdir()) == []


def test_the_report(tmp_path, capfd):
    toy(tmp_path).train()
    (tmp_path / "report.html").write_text("of yesterday")
    os.symlink(FULL, tmp_path / "report.html.tmp")
    assert main(["report", str(tmp_path)]) == 74
    error = capfd.readouterr().err
    assert "report.html could not be written: No space left" in error and "Traceback" not in error
    assert (tmp_path / "report.html").read_text() == "of yesterday"
    assert main(["report", str(tmp_path)]) == 0
