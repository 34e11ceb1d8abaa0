"""Plain variables of a config, set on the command line, reach everything that uses them."""

import re
from types import SimpleNamespace

import pytest

from ssdet.engine import configs
from ssdet.engine.configs import load_config
from ssdet.exits import UsageError


@pytest.fixture
def config(tmp_path):
    (tmp_path / "base.py").write_text(
        "share = 40\nname = 'a'\nbatch = (4, 8)\nboth = share + 1\n"
        "data = dict(share=share, path=f'{name}@{share}', batch_size=sum(batch))\n"
    )
    (tmp_path / "top.py").write_text("_base_ = './base.py'\nhalf = _base_.share / 2\n")
    return str(tmp_path / "top.py")


def test_a_variable_reaches_bases_and_what_is_computed(config):
    found = load_config(config, {"share": 10, "name": "b", "batch": (2, 2)})
    assert found.data == {"share": 10, "path": "b@10", "batch_size": 4}
    assert (found.both, found.half, found.share) == (11, 5, 10)


def test_without_options_nothing_changes(config):
    load_config(config, {"share": 10})
    assert load_config(config).data["path"] == "a@40"


def test_ordinary_options_are_merged_as_ever(config):
    assert load_config(config, {"data.share": 3, "new": 1}).data["path"] == "a@40"


@pytest.fixture
def composed(tmp_path):
    """A network in a base, changed and used by the config, as all of ours."""
    (tmp_path / "base.py").write_text(
        "detector = dict(head=dict(width=256, classes=80), stages=[dict(x=1), dict(x=2)])\n"
        "wide = {**detector, 'name': 'wide'}\n"
    )
    (tmp_path / "top.py").write_text(
        "_base_ = './base.py'\ndetector = _base_.detector\ndetector.head.classes = 20\n"
        "detector['stages'][1]['x'] = 5\nmodel = dict(detector=detector, burn_in=3)\n"
        "train_dataloader = dict(batch_size=2)\nval_dataloader = train_dataloader\n"
    )
    return str(tmp_path / "top.py")


@pytest.mark.parametrize(
    ("key", "value", "reach"),
    [
        ("detector.head.width", 8, lambda c: c.model.detector.head.width),
        ("detector.head.width", 8, lambda c: c.wide.head.width),
        ("detector.head.depth", 3, lambda c: c.model.detector.head.depth),  # a new one
        ("detector.head.classes", 5, lambda c: c.model.detector.head.classes),  # set twice
        ("detector.head.sizes", [1, 2], lambda c: c.model.detector.head.sizes),
        ("detector.stages.0.x", 9, lambda c: c.model.detector.stages[0].x),
    ],
)
def test_a_value_of_a_dict_reaches_what_is_built(composed, key, value, reach):
    assert reach(load_config(composed, {key: value})) == value
    assert load_config(composed).model.detector.head == dict(width=256, classes=20)


def test_what_mmengine_reads_itself_is_changed_alone(composed):
    config = load_config(composed, {"train_dataloader.batch_size": 4, "model.burn_in": 0})
    assert (config.train_dataloader.batch_size, config.val_dataloader.batch_size) == (4, 2)
    assert config.model.burn_in == 0
    assert load_config(composed, {"randomness.seed": 3}).randomness.seed == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detector.stages.1.x": 7}, r"x=7: the config gives it another value after 'detector'"),
        ({"detektor.head.width": 7}, r"has no 'detektor'; did you mean detector"),
        ({"modle": 7}, r"has no 'modle'; did you mean model"),
        ({"neck.x": 7}, r"neck\.x: the config has no 'neck'; its names: "),
        ({"detector.stages.7.x": 1}, r"detector\.stages has no entry '7': found 0 \{'x': 1\}, 1 "),
        ({"detector.head.width.x": 1}, r"'x' does not lead into detector\.head\.width: found 256"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(composed, options, words):
    with pytest.raises(UsageError, match=words):
        load_config(composed, options)


@pytest.fixture
def listed(tmp_path):
    """What MMEngine itself reads: hooks in a list, a tuple, and a value that is None."""
    file = tmp_path / "config.py"
    file.write_text(
        "custom_hooks = [dict(type='TeacherEMAHook', momentum=0.9), dict(type='GalleryHook')]\n"
        "model = dict(indices=[0, 1], size=(4, 8), inner=None)\n"
    )
    return str(file)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("custom_hooks.1", None, "an entry of a list: found dict(type='GalleryHook', ...); set its "
         "values, such as custom_hooks.1.KEY=VALUE; or leave it out in a config of your own"),
        ("custom_hooks.2.interval", 5, "custom_hooks has no entry '2': found 0 TeacherEMAHook, 1 "
         "GalleryHook; take one of these"),
        ("custom_hooks.gallery", None, "custom_hooks has no entry 'gallery': found 0 TeacherEMA"),
        ("custom_hooks.-1.interval", 5, "custom_hooks has no entry '-1': found 0 TeacherEMAHook"),
        ("custom_hooks.0.momentum.x", 5, "'x' does not lead into custom_hooks.0.momentum"),
        ("model.indices.1", 3, 'an entry of a list: found 1; set the list: model.indices="[...]"'),
        ("model.size.0", 3, "'0' leads into a tuple: found (4, 8); set it whole: model.size="),
        ("model.inner.x", 3, "'x' does not lead into model.inner: found None; names lead into"),
    ],
)  # fmt: skip
def test_an_option_that_leads_nowhere_is_one_clear_message(listed, option, value, words):
    with pytest.raises(UsageError) as found:
        load_config(listed, {option: value})
    assert str(found.value).startswith(f"--cfg-options {option}: {words}")


def test_the_way_that_the_message_names_leaves_a_hook_out(listed, tmp_path):
    with pytest.raises(UsageError) as found:
        load_config(listed, {"custom_hooks.1": None})
    lines = re.search(r"\((_base_ = '.*')\): (.*)$", str(found.value)).groups()
    own = tmp_path / "own.py"
    own.write_text("\n".join(lines))
    assert [hook.type for hook in load_config(str(own)).custom_hooks] == ["TeacherEMAHook"]


def test_hooks_and_new_entries_are_still_set(listed):
    found = load_config(listed, {"custom_hooks.0.momentum": 0.5, "model.new.x": 1})
    assert (found.custom_hooks[0].momentum, found.model.new.x) == (0.5, 1)
    assert load_config(listed, {"custom_hooks": None}).custom_hooks is None
    gone = load_config(listed, {"default_hooks.memory": None})
    assert gone.default_hooks == {"memory": None}


def test_a_shipped_config_with_a_network_of_another_package():
    """`dual_polish` takes its network from MMDetection, and keeps its scope."""
    name = "dual_polish/faster-rcnn_r50_coco.py"
    config = load_config(name, {"detector.roi_head.bbox_head.fc_out_channels": 64})
    changed = config.model.detector
    assert changed.roi_head.bbox_head.fc_out_channels == 64
    plain = load_config(name).model.detector
    plain.roi_head.bbox_head.fc_out_channels = 64
    assert changed == plain
    name = "consistent_teacher/retinanet_r50_coco.py"
    config = load_config(name, {"detector.bbox_head.feat_channels": 8, "gallery.interval": 7})
    assert config.model.detector.bbox_head.feat_channels == 8
    assert config.custom_hooks[-1].interval == 7


def test_a_number_takes_the_place_of_a_computed_one_and_others_follow(tmp_path):
    """As the length of a training, which configs compute from the split."""
    (tmp_path / "base.py").write_text("split = '1_16'\niterations = 80 * len(split)\n")
    top = tmp_path / "top.py"
    top.write_text("_base_ = './base.py'\nhalf = _base_.iterations // 2\n")
    assert load_config(str(top), {"split": "1_8"}).half == 120
    assert load_config(str(top), {"iterations": 30}).half == 15
    assert load_config(str(top), {"iterations": 30}).iterations == 30


def test_what_is_computed_can_not_be_set_by_the_back_door(config):
    found = load_config(config, {"both": 5})
    assert found.both == 5 and found.data["share"] == 40


def test_a_cache_that_another_process_is_still_writing_is_read_again(config, monkeypatch):
    tried = []

    def first_import_fails(name):
        tried.append(name)
        if len(tried) == 1:
            raise EOFError("Ran out of input")

    monkeypatch.setattr(configs, "importlib", SimpleNamespace(import_module=first_import_fails))
    assert load_config(config).half == 20
    assert tried == ["yapf", "yapf"]
