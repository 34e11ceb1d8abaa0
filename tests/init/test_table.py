"""The table of methods: what it says is true, and the pages that are made of it are up to date."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ssdet.cli import main
from ssdet.recipes import METHODS
from ssdet.recipes.methods import TABLE
from ssdet.recipes.table import methods_page
from ssdet.registry import DATASETS, HOOKS, MODELS, TASK_UTILS, TRANSFORMS

ROOT = Path(__file__).parents[2]
ROWS = [method for methods in TABLE.values() for method in methods]


def test_the_page_is_made_of_the_table():
    """Else: python -m ssdet.recipes.table docs/methods.md"""
    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8") == methods_page()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_a_row_is_true(row):
    assert row.name and row.source
    registries = (HOOKS, MODELS, TASK_UTILS, DATASETS, TRANSFORMS)
    parts = re.findall(r"`([A-Z]\w+)[`(]", row.parts)
    assert parts
    for part in parts:
        assert any(part in registry.module_dict for registry in registries), part
    assert (ROOT / "configs" / row.config / "README.md").is_file()
    assert row.tests
    for path in row.tests:
        assert (ROOT / path).is_file(), path
    assert re.search(r"\d", row.measured)


def test_every_config_folder_has_a_row():
    folders = {path.name for path in (ROOT / "configs").iterdir() if path.is_dir()}
    assert folders - {"_base_", "quickstart", "label_efficiency"} == {row.config for row in ROWS}


def test_no_two_methods_have_one_name():
    names = [name for row in ROWS for name in row.recipes]
    assert sorted(names) == sorted(METHODS)


def test_list(capsys):
    with pytest.raises(SystemExit):
        main(["init", "--list"])
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith("  ")]
    for name, method in METHODS.items():
        assert any(line.split(maxsplit=1) == [name, method.does] for line in lines), name
    assert max(map(len, lines)) < 100


def test_the_list_waits_for_nothing():
    code = """if True:
        import sys
        sys.argv = ["ssdet"]
        from ssdet.cli import main
        try:
            main(["init", "--list"])
        finally:
            print({"torch", "mmengine", "mmdet", "mmseg"} & set(sys.modules))
    """
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "mixpl" in said.stdout, said.stderr
    assert said.stdout.endswith("set()\n")
