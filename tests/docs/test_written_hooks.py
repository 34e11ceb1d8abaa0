"""The hooks that the pages write are hooks: they train, judge as said, and refuse as said."""

import ast
import re

import pytest
import torch

from ssdet.registry import HOOKS

from ..helpers import build_pair, losses, multi_branch, total
from ..seg_helpers import build_seg, seg_batch
from .pages import PAGES, blocks, read


@pytest.fixture
def written():
    """Run the Python blocks of a page; what they registered is forgotten afterwards."""
    known = dict(HOOKS.module_dict)

    def run(page):
        for number, code in enumerate(blocks(read(page), "python")):
            space = run.space if number else {"__name__": "my_hooks"}
            exec(compile(code, page, "exec"), space)
            run.space = space

    yield run
    HOOKS.module_dict.clear()
    HOOKS.module_dict.update(known)


def trained(model, batch, **hook):
    model.attach(HOOKS.build(hook))
    found = losses(model, batch)
    assert torch.isfinite(total(found))
    return found


def test_the_first_hook_is_short():
    first = blocks(read("docs/tasks/write-a-hook.md"), "python")[0]
    assert len([line for line in first.splitlines() if line.strip()]) <= 15


def test_hooks_that_filter(written):
    written("docs/tasks/write-a-hook.md")
    found = trained(build_pair(), multi_branch(), type="MinSizeHook", pixels=1000)
    assert found["pseudo/kept"] == 0 and found["pseudo/dropped_small"] > 0
    found = trained(build_pair(), multi_branch(), type="BorderHook", margin=0.5)
    assert found["pseudo/kept"] == 0 and found["pseudo/dropped_border"] > 0
    with pytest.raises(ValueError, match=r"BorderHook: margin=2 is not in \[0, 0.5\]"):
        HOOKS.build(dict(type="BorderHook", margin=2))


def test_the_threshold_rises_for_boxes_and_pixels(written):
    written("docs/tasks/write-a-threshold.md")
    for build, batch in ((build_pair, multi_branch), (build_seg, seg_batch)):
        model = build()
        model.iteration = 50
        setting = dict(start=0.2, end=0.6, length=100)
        found = trained(model, batch(), type="RisingThresholdHook", **setting)
        assert found["threshold/all"] == pytest.approx(0.4)


@pytest.mark.parametrize("page", PAGES)
def test_hooks_of_the_configs_that_pages_show_can_be_built(page, written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for writes in ("docs/tasks/write-a-hook.md", "docs/tasks/write-a-threshold.md"):
        written(writes)
    shown = re.findall(r"dict\(type=['\"]\w+Hook['\"][^()]*\)", read(page))
    for config in shown:
        if "BestOfOverlapHook" not in config:  # the tutorial runs it
            call = ast.parse(config, mode="eval").body
            HOOKS.build({key.arg: ast.literal_eval(key.value) for key in call.keywords})
