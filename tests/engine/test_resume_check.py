"""A run that is resumed is the run that was interrupted, or says what differs."""

import os

import pytest

from ssdet.engine import DataChangedError, UsageError, data_files
from ssdet.engine.config_changes import config_changes, described
from ssdet.engine.data_files import DataFiles, files_of
from ssdet.hooks import ExternalLabelsHook
from ssdet.registry import DATASETS
from tests.reliability.harness import checkpoint, difference

from .toy import ToyData, toy

CUT = {"train_cfg__max_iters": 4}
HOOKS = [dict(type="EMAHook", momentum=0.1), dict(type="EmptyCacheHook")]


@DATASETS.register_module()
class ToyFiles(ToyData):
    """Toy data that come from files."""

    def __init__(self, folder):
        self.folder = folder

    def get_data_info(self, index):
        return {"img_path": f"{self.folder}/{index}.png"}


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.png").write_bytes(bytes([number]) * 100)
    return folder


# -- config -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (dict(optim_wrapper__optimizer__lr=0.2), "optim_wrapper.optimizer.lr: 0.1 -> 0.2"),
        (dict(train_dataloader__batch_size=4), "train_dataloader.batch_size: 2 -> 4"),
        (dict(custom_hooks=[HOOKS[1]]), "custom_hooks: EMAHook, EmptyCacheHook -> EmptyCacheHook"),
        (
            dict(custom_hooks=[dict(HOOKS[0], momentum=0.2), HOOKS[1]]),
            "custom_hooks.EMAHook.momentum: 0.1 -> 0.2",
        ),
        (dict(custom_hooks=HOOKS[::-1]), "custom_hooks: EMAHook, EmptyCacheHook -> EmptyCacheHook"),
        (
            dict(param_scheduler=[dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=9)]),
            "param_scheduler.LinearLR.end: 4 -> 9",
        ),
        (dict(randomness__seed=1), "randomness.seed: 0 -> 1"),
        (dict(model__extra=1), "model.extra: (absent) -> 1"),
    ],
)
def test_a_changed_config_is_refused_with_the_difference(tmp_path, change, line, monkeypatch):
    from .toy import ToyModel

    build = ToyModel.__init__
    monkeypatch.setattr(ToyModel, "__init__", lambda self, broken=(), extra=0: build(self, broken))
    toy(tmp_path, **CUT, custom_hooks=HOOKS).train()
    before = (tmp_path / "config.py").read_bytes(), (tmp_path / "run.json").read_bytes()
    changed = {"custom_hooks": HOOKS, **change, "resume": True}
    with pytest.raises(UsageError) as error:
        toy(tmp_path, **changed).train()
    assert line in str(error.value) and "--resume-anyway" in str(error.value)
    assert before == ((tmp_path / "config.py").read_bytes(), (tmp_path / "run.json").read_bytes())


def test_what_changes_no_result_may_change(tmp_path):
    toy(tmp_path / "whole").train()
    toy(tmp_path / "cut", **CUT).train()
    toy(
        tmp_path / "cut",
        resume=True,
        default_hooks__logger__interval=5,
        default_hooks__checkpoint__max_keep_ckpts=1,
        default_hooks__checkpoint__interval=1,
        default_hooks__metrics__interval=2,
        train_dataloader__num_workers=1,
        train_dataloader__persistent_workers=True,
        visualizer__name="another",
        log_level="DEBUG",
        labeled=3,  # a variable of the config
    ).train()
    two = (checkpoint(tmp_path / name, 6) for name in ("whole", "cut"))
    assert difference(*two) is None


def test_resume_anyway_goes_on_with_a_warning(tmp_path):
    toy(tmp_path, **CUT).train()
    toy(tmp_path, resume=True, resume_anyway=True, optim_wrapper__optimizer__momentum=0.5).train()
    log = (tmp_path / "train.log").read_text()
    assert "Resumed anyway" in log and "optim_wrapper.optimizer.momentum: 0.9 -> 0.5" in log
    assert checkpoint(tmp_path, 6)["meta"]["iter"] == 6


def test_hooks_that_follow_the_length_do_not_let_it_change(tmp_path):
    toy(tmp_path, **CUT).train()
    runner = toy(tmp_path, resume=True)
    runner.hooks[0].follows_length = True
    with pytest.raises(UsageError, match=r"follows the length of the run -> another length"):
        runner.train()
    assert ExternalLabelsHook().follows_length and not ExternalLabelsHook(length=9).follows_length


def test_the_interval_of_validations_matters_to_what_acts_on_them():
    before, now = (f"train_cfg = dict(val_interval={n})\n" for n in (2, 3))
    assert config_changes(before, now) == {}
    plateau = "param_scheduler = [dict(type='ReduceOnPlateauLR')]\n"
    assert list(config_changes(before + plateau, now + plateau)) == ["train_cfg.val_interval"]


def test_watching_hooks_may_come_and_go():
    text = "custom_hooks=[dict(type='TeacherEMAHook', momentum=0.9){}]"
    more = text.format(", dict(type='GalleryHook', interval=3)")
    assert config_changes(text.format(""), more) == {}
    other = config_changes(text.format(""), text.format(", dict(type='CutMixHook', prob=1.0)"))
    assert list(other) == [
        "custom_hooks",
        "custom_hooks.CutMixHook.type",
        "custom_hooks.CutMixHook.prob",
    ]


@pytest.mark.parametrize("text", ["model = ", "(" * 5000, "\0", "model = " + "dict(a=" * 9000])
def test_a_text_that_is_no_config_is_not_compared(text):
    assert config_changes(text, "model = dict(a=1)") is None


def test_the_text_is_parsed_and_not_run(tmp_path):
    marker = tmp_path / "boom"
    text = f"model = dict(a=__import__('os').system('touch {marker}'))"
    changes = config_changes(text, "model = dict(a=1)")
    assert not marker.exists() and "__import__" in described(changes)


def test_places_of_lists_in_lists_are_named():
    before = (
        "train_dataloader=dict(pipeline=[[dict(type='A', x=1)], dict(type='B'), dict(type='B')])"
    )
    now = before.replace("x=1", "x=2").replace("dict(type='B')]", "dict(type='B', y=3)]")
    assert config_changes(before, now) == {
        "train_dataloader.pipeline.0.A.x": ("1", "2"),
        "train_dataloader.pipeline.B#2.y": ("(absent)", "3"),
    }


# -- data ---------------------------------------------------------------------------------------


def with_images(work_dir, images, **changes):
    data = dict(type="ToyFiles", folder=str(images))
    return toy(work_dir, train_dataloader__dataset=data, **changes)


def change(images, how):
    path = images / "3.png"
    if how == "bytes":
        path.write_bytes(b"x" * 100)
        os.utime(path, (1e9, 1e9))
    elif how == "size":
        path.write_bytes(b"x" * 99)
    elif how == "gone":
        path.unlink()
    elif how == "touched":
        os.utime(path, (1e9, 1e9))


@pytest.mark.parametrize(
    ("how", "words"),
    [("bytes", "has other contents"), ("size", "has 99 bytes instead of 100"), ("gone", "is gone")],
)
def test_changed_images_are_refused(tmp_path, images, how, words):
    with_images(tmp_path / "run", images, **CUT).train()
    change(images, how)
    with pytest.raises(DataChangedError) as error:
        with_images(tmp_path / "run", images, resume=True).train()
    assert f"{images}/3.png: {words}" in str(error.value) and error.value.exit_code == 65
    with_images(tmp_path / "run", images, resume=True, resume_anyway=True).train()
    # Accepted once, the data are those of the run.
    with_images(tmp_path / "run", images, resume=True, train_cfg__max_iters=8).train()


def test_a_file_that_was_only_touched_is_the_same(tmp_path, images):
    with_images(tmp_path / "run", images, **CUT).train()
    change(images, "touched")
    with_images(tmp_path / "run", images, resume=True).train()
    records = DataFiles.load(tmp_path / "run").records
    assert records[f"{images}/3.png"].mtime_ns == 10**18


def test_without_time_for_checksums_a_touched_file_counts_as_changed(tmp_path, images, monkeypatch):
    monkeypatch.setattr(data_files, "SECONDS", -1.0)
    with_images(tmp_path / "run", images, **CUT).train()
    assert {r.sha256 for r in DataFiles.load(tmp_path / "run").records.values()} == {None}
    change(images, "touched")
    with pytest.raises(DataChangedError, match="no checksum to tell whether it is the same"):
        with_images(tmp_path / "run", images, resume=True).train()


def test_a_checkpoint_of_another_folder_brings_its_record(tmp_path, images):
    with_images(tmp_path / "run", images, **CUT).train()
    change(images, "size")
    source = str(tmp_path / "run/checkpoints/iter_4.pth")
    with pytest.raises(DataChangedError, match=r"3\.png: has 99 bytes"):
        with_images(tmp_path / "new", images, resume=True, load_from=source).train()


def test_files_that_nobody_touched_are_not_read(tmp_path, monkeypatch):
    folder = tmp_path / "images"
    folder.mkdir()
    paths = [str(folder / f"{n}.png") for n in range(3)]
    for path in paths:
        open(path, "w").close()
    files = DataFiles(tmp_path)
    files.update(paths)
    files.save(tmp_path)
    again = DataFiles.load(tmp_path)
    monkeypatch.setattr(data_files, "sha256", lambda path: pytest.fail(f"{path} was read"))
    assert again.differences(paths) == []


def test_annotations_and_parts_are_among_the_files(tmp_path):
    class Part:
        ann_file = str(tmp_path / "a.json")

        def __len__(self):
            return 1

        def get_data_info(self, index):
            return dict(img_path="s3://far", seg_map_path="b.png", img_path2="c.png", height=3)

    class Whole:
        datasets = (Part(),)

    (tmp_path / "a.json").write_text("{}")
    assert list(files_of(Whole())) == [str(tmp_path / "a.json"), "b.png", "c.png"]
    assert list(files_of(None)) == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"path": "a"}', '{"path": 1, "size": 1}'])
def test_a_record_of_nonsense_counts_as_none(tmp_path, text):
    (tmp_path / data_files.NAME).write_text(text)
    found = DataFiles.load(tmp_path)
    assert found is None or found.records == {}
