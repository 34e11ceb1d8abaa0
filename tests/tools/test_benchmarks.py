"""The two benchmarks of methods compare like with like."""

import sys
from pathlib import Path

import pytest

from ssdet.engine.configs import load_config
from ssdet.engine.exits import UsageError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import benchmark_labels
    import benchmark_methods

    yield benchmark_labels, benchmark_methods
    for name in ("benchmark_labels", "benchmark_methods"):
        sys.modules.pop(name)


def test_the_baseline_of_a_demo_has_the_same_everything_but_the_unlabelled_scenes(tools):
    demo = load_config("soft_teacher/faster_rcnn_demo.py")
    base = tools[1].supervised(demo)
    assert base.model.detector == demo.model.detector
    for part in ("optim_wrapper", "param_scheduler", "train_cfg", "val_dataloader", "randomness"):
        assert base[part] == demo[part], part
    ours, theirs = demo.train_dataloader, base.train_dataloader
    assert theirs.dataset.datasets == ours.dataset.datasets[:1]
    assert theirs.batch_size == ours.sampler.batch[0]
    assert [hook.type for hook in base.custom_hooks] == ["TeacherEMAHook"]
    assert base.custom_hooks[0] == demo.custom_hooks[0]


def test_demos_of_one_base_share_their_baseline(tools, tmp_path):
    names = ("mean_teacher/faster_rcnn_demo.py", "soft_teacher/faster_rcnn_demo.py")
    paths = [ROOT / "configs" / name for name in names]
    one, other = tools[1].demos_of(paths, [3], tmp_path)
    assert one.base[0] is other.base[0] and one.semi[0] is not other.semi[0]
    assert one.base[0].seed == 3 and not one.base[0].finished
    assert (
        load_config(str(one.base[0].config)).model
        == tools[1].supervised(load_config(str(paths[0]))).model
    )


def test_a_method_brings_its_hooks_and_settings_and_the_protocol_the_rest(tools):
    protocol = load_config("label_efficiency/dsb2018_segmentation.py")
    method = load_config("cps/deeplabv3plus_demo.py")
    mixed = tools[0].with_method(protocol, method)
    assert mixed.custom_hooks == [h for h in method.custom_hooks if h.type != "GalleryHook"]
    assert mixed.model.segmentor == protocol.model.segmentor != method.model.segmentor
    assert mixed.model.burn_in == protocol.model.burn_in
    for network in mixed.model.auxiliary.values():
        assert network == protocol.model.segmentor, "the second network is one of the protocol's"
    assert mixed.train_dataloader == protocol.train_dataloader


def test_a_second_strong_view_is_one_like_the_first(tools):
    protocol = load_config("label_efficiency/dsb2018_segmentation.py")
    mixed = tools[0].with_method(protocol, load_config("unimatch/deeplabv3plus_demo.py"))
    views = mixed.train_dataloader.dataset.datasets[1].pipeline[0].views
    assert views.unsup_student_2 == views.unsup_student
    assert "unsup_student_2" not in protocol.train_dataloader.dataset.datasets[1].pipeline[0].views


def test_a_method_of_another_task_is_refused(tools):
    protocol = load_config("label_efficiency/bccd_detection.py")
    with pytest.raises(UsageError, match="is not one for a detector"):
        tools[0].with_method(protocol, load_config("cps/deeplabv3plus_demo.py"))


def test_share_of_the_gap_is_taken_over_the_seeds_that_all_have(tools, monkeypatch):
    labels = tools[0]
    scores = {
        labels.BASELINE: {0: 40.0, 1: 44.0},
        "method": {0: 46.0, 1: 49.0, 2: 99.0},
        labels.CEILING: {0: 50.0, 1: 54.0},
    }
    monkeypatch.setattr(labels.Cell, "scores", lambda cell: scores[cell.kind])
    cells = [labels.Cell(kind, "10") for kind in (labels.BASELINE, "method")]
    text = labels.table([*cells, labels.Cell(labels.CEILING, "full")])
    # (47.5 - 42) / (52 - 42)
    assert "| 10 | method | 64.7 ± 29.8 | 55% | 3 |" in text
    assert "| full | all labels | 52.0 ± 2.8 |  | 2 |" in text
