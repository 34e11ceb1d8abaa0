"""What the README tells a stranger to type is true."""

import ast
import re
from pathlib import Path

import pytest
import torch

from ssdet.cli import main
from ssdet.registry import DATASETS, HOOKS, MODELS, TASK_UTILS, TRANSFORMS

from .helpers import build_pair, losses, multi_branch, total

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_the_hook_of_the_readme_trains(tmp_path):
    code = next(block for block in blocks("python") if "register_module" in block)
    assert len(code.strip().splitlines()) <= 15
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    hook = HOOKS.build(dict(type="MinSizeHook", pixels=1000))
    model = build_pair()
    model.attach(hook)
    found = losses(model, multi_branch())
    assert found["pseudo/kept"] == 0 and found["pseudo/dropped_small"] > 0
    assert torch.isfinite(total(found))


def test_files_that_the_readme_names_exist():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_mixed_list_of_the_readme_is_the_shipped_one():
    def hooks(code):
        return ast.dump(ast.parse(code[code.index("custom_hooks") :]))

    shown = next(block for block in blocks("python") if "GMMThresholdHook" in block)
    assert hooks(shown) == hooks((ROOT / "configs/mixed/faster-rcnn_demo.py").read_text())


def methods_rows():
    """The cells of each row of the tables in docs/methods.md."""
    text = (ROOT / "docs" / "methods.md").read_text()
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] not in ("method", "part")]


@pytest.mark.parametrize("row", methods_rows(), ids=lambda row: row[0].replace(" ", "-"))
def test_a_row_of_the_methods_is_true(row):
    name, source, parts, config, tests, measured = row
    assert name and source
    registries = (HOOKS, MODELS, TASK_UTILS, DATASETS, TRANSFORMS)
    for part in re.findall(r"`([A-Z]\w+)[`(]", parts):
        assert any(part in registry.module_dict for registry in registries), part
    (folder,) = re.findall(r"^\[(\w+)\]\(\.\./configs/\1\)$", config)
    assert (ROOT / "configs" / folder / "README.md").is_file()
    paths = re.findall(r"`([^`]+)`", tests)
    assert paths
    for path in paths:
        assert (ROOT / path).is_file(), path
    assert "benchmarks.md" in measured or re.search(r"\d", measured)


def test_every_method_has_a_row():
    linked = {re.findall(r"configs/(\w+)", row[3])[0] for row in methods_rows()}
    folders = {path.name for path in (ROOT / "configs").iterdir() if path.is_dir()}
    assert folders - {"_base_", "quickstart", "label_efficiency"} == linked


def test_commands_of_the_readme_are_known(capsys):
    commands = set(
        re.findall(r"^ *(?:\.venv/bin/)?ssdet (\w+)", "\n".join(blocks("bash")), flags=re.M)
    )
    assert commands
    for command in commands:
        try:
            main([command, "--help"])
        except SystemExit as stop:
            assert not stop.code
    capsys.readouterr()
