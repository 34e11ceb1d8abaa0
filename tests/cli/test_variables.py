"""Plain variables of a config, set on the command line, reach everything that uses them."""

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
        ({"detector.stages.7.x": 1}, r"'7' does not lead into"),
        ({"detector.head.width.x": 1}, r"'x' does not lead into '256'"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(composed, options, words):
    with pytest.raises(UsageError, match=words):
        load_config(composed, options)


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
