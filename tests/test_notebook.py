"""ssdet from Python: what a run looks like as an object, and what is refused."""

import pytest
from mmengine.config import Config

import ssdet
from ssdet.engine.checkpoint_index import CheckpointIndex, Entry
from ssdet.exits import UsageError

from .report.fake import run_folder, stats_line, write_lines


@pytest.fixture
def folder(tmp_path):
    path = run_folder(tmp_path / "semi")
    (path / "pseudo").mkdir()
    write_lines(path / "pseudo/stats.jsonl", [stats_line(400)])
    return path


def test_a_run_in_words_and_as_a_table(folder):
    run = ssdet.load(folder)
    assert run.metrics["teacher/coco/bbox_mAP"] == pytest.approx(0.475, abs=1e-3)
    assert run.pseudo_stats[0]["kept"] == [5, 3, 2]
    text = repr(run)
    assert text.startswith("semi: 400 iterations in ") and "teacher: 47.5 box AP" in text
    assert "pseudo labels: 0.1 boxes an image kept, 23% of the proposed ones" in text
    assert "best checkpoint: none yet" in text
    assert "<th style='text-align:left'>teacher</th>" in run._repr_html_()
    assert run.report().stat().st_size > 10_000


def test_the_best_checkpoint_or_else_the_newest(folder):
    index = CheckpointIndex(folder / "checkpoints")
    index.folder.mkdir()
    index.entries = {f"iter_{n}.pth": Entry(n, "", 0) for n in (20, 10)}
    index.save()
    assert ssdet.load(folder).best == folder / "checkpoints/iter_20.pth"
    index.entries["best_teacher_iter_10.pth"] = Entry(10, "", 0, metric="teacher/mIoU", score=1.0)
    index.save()
    assert ssdet.load(folder).best.name == "best_teacher_iter_10.pth"


def test_names_from_files_are_escaped(folder):
    evil = folder.rename(folder.with_name("<script>"))
    assert "<script>" not in ssdet.load(evil)._repr_html_()


def test_what_is_no_run_or_no_config_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no metrics\.jsonl there"):
        ssdet.load(tmp_path)
    with pytest.raises(UsageError, match="config is a dict"):
        ssdet.train({"model": 1})
    with pytest.raises(UsageError, match="did you mean"):
        ssdet.train("soft_teacher/gfl_dem.py")
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        ssdet.trian  # noqa: B018


def test_a_variable_of_a_config_that_stands_already_is_refused():
    """It would change nothing: the length was computed from it before."""
    config = Config(dict(iterations=100, train_cfg=dict(max_iters=100), model=dict(burn_in=3)))
    with pytest.raises(UsageError, match=r"'iterations' is a variable.*semi_supervise"):
        ssdet.train(config, options={"iterations": 2000})
    with pytest.raises(UsageError, match=r"'x' does not lead into model\.burn_in: found 3"):
        ssdet.train(config, options={"model.burn_in.x": 2})
