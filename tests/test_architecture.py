"""The design's rules that a machine can hold: who imports whom, names that clash, lengths."""

import ast
import importlib
from pathlib import Path

import pytest

import ssdet
from ssdet import registry

ROOT = Path(ssdet.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PURE = ("thresholds", "mixing", "losses", "ops", "validation")
# From what a person calls down to the maths: a package imports its own layer and those below it.
LAYERS = (
    ("cli", "notebook"),
    ("report", "labeling", "doctor", "recipes", "testing"),
    ("evaluation", "engine", "datasets", "formats", "hooks", "models"),
    ("teacher_student",),
    PURE,
)
# Imported by all layers.
SHARED = (
    "exits", "extras", "imports", "labels", "messages", "openmmlab", "ranks", "registry",
    "renamed", "run_files", "seeds", "total_batch", "version",
)  # fmt: skip
# It says what is registered, so it names everything.
WHOLE = ("__init__", "openmmlab")
LAYER = {name: number for number, layer in enumerate(LAYERS) for name in layer}


def package(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path):
    """Packages of ssdet that a file imports, at any depth of its code."""
    here = ["ssdet", *path.relative_to(ROOT).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else []
            names = base + (node.module.split(".") if node.module else [])
            yield from ([[*names, a.name] for a in node.names] if len(names) < 2 else [names])
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path):
    own = package(path)
    packages = {names[1] for names in imported(path) if names[0] == "ssdet" and len(names) > 1}
    packages -= {own} if own in PURE else {own, *SHARED}
    if own in SHARED and own not in WHOLE:
        assert not packages - set(SHARED)
    elif own in PURE:
        assert packages <= {"labels", "validation"}
    elif own not in WHOLE:
        assert {name for name in packages if LAYER[name] < LAYER[own]} == set()
        assert packages <= set(LAYER)


def test_no_name_of_ours_exists_in_the_packages_we_extend():
    import mmdet.registry
    import mmdet.utils
    import mmseg.registry
    import mmseg.utils

    mmdet.utils.register_all_modules(init_default_scope=False)
    mmseg.utils.register_all_modules(init_default_scope=False)
    ours = 0
    for kind in registry.__all__:
        root = getattr(registry, kind)
        mine = {k for k, v in root.module_dict.items() if v.__module__.startswith("ssdet.")}
        ours += len(mine)
        for package in (mmdet.registry, mmseg.registry):
            child = getattr(package, kind, None)
            assert not mine & set(child.module_dict if child is not None else {})
    assert ours >= 8


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_budgets_of_length(path):
    text = path.read_text()
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 70, node.name
            assert len(node.args.args) - (node.args.args[:1] != []) <= 6, node.name
        assert not isinstance(node, ast.Assert)


def test_every_package_can_be_imported_alone():
    for path in FILES:
        names = path.relative_to(ROOT.parent).with_suffix("").parts
        if "__main__" not in names:
            importlib.import_module(".".join(names).removesuffix(".__init__"))
