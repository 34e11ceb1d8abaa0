"""Plain variables of a config, set on the command line, reach everything that uses them."""

from types import SimpleNamespace

import pytest

from ssdet.engine import configs
from ssdet.engine.configs import load_config


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
