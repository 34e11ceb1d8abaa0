"""The README's list of hooks and the table of methods are true (commands: docs/test_pages.py)."""

import ast
import re
from pathlib import Path

import pytest

from ssdet.registry import DATASETS, HOOKS, MODELS, TASK_UTILS, TRANSFORMS

from .docs.pages import blocks, read

ROOT = Path(__file__).parents[1]


def test_the_mixed_list_of_the_readme_is_the_shipped_one():
    def hooks(code):
        return ast.dump(ast.parse(code[code.index("custom_hooks") :]))

    (shown,) = blocks(read("README.md"), "python")
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
