"""What is declared is what is imported, and what is missing is named."""

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import ssdet
from ssdet.cli import main
from ssdet.exits import UsageError
from ssdet.extras import extras, load, opencv

ROOT = Path(__file__).parents[1]
PACKAGE = Path(ssdet.__file__).parent
# A module and the distribution that brings it, where the names differ.
DISTRIBUTIONS = {
    "PIL": "pillow", "cv2": "opencv-python", "mmcv": "onedl-mmcv", "mmdet": "onedl-mmdetection",
    "mmengine": "onedl-mmengine", "mmseg": "onedl-mmsegmentation", "yaml": "pyyaml",
    "sklearn": "scikit-learn",
}  # fmt: skip
OPTIONAL = {"torchvision"}  # used where it is there, and never asked for


def declared(name):
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return {re.match(r"[\w.-]+", line)[0] for line in lines if re.match(r"\w", line)}


def imported():
    """Distributions that the files of ssdet import, at any depth, with one file of each."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names | {"ssdet"} | OPTIONAL:
                    found[DISTRIBUTIONS.get(top, top)] = path
    return found


def test_what_is_imported_is_declared_and_nothing_else():
    assert set(imported()) == declared("runtime")


def test_what_an_extra_brings_is_loaded_through_its_door():
    doors = set()
    for path in PACKAGE.rglob("*.py"):
        for module, extra in re.findall(r"load\(\"([\w.]+)\", extra=\"(\w+)\"\)", path.read_text()):
            top = module.partition(".")[0]
            assert DISTRIBUTIONS.get(top, top) in declared(extra), path
            doors.add(extra)
    assert "demo" in doors


def test_a_missing_extra_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(UsageError, match=r"not installed.*'demo': pip install 'ssdet\[demo\]'"):
        load("sklearn.datasets", extra="demo")


def test_what_an_installed_extra_lacks_itself_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import something_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_that_nobody_has"):
        load("half_installed", extra="demo")


def test_env_lists_the_extras_and_warns_of_two_opencvs(capsys, monkeypatch):
    requires = [
        "torch",
        'here>=1; extra == "one"',
        "gone; extra == 'one'",
        'pytest; extra == "dev"',
    ]
    versions = {"here": "1.5", "opencv-python": "4.1", "opencv-python-headless": "4.2"}
    monkeypatch.setattr(metadata, "requires", lambda name: requires)
    monkeypatch.setattr("ssdet.extras.version_of", versions.get)
    assert extras() == {"one": {"here": "1.5", "gone": None}}
    assert opencv() == {"opencv-python": "4.1", "opencv-python-headless": "4.2"}
    main(["env"])
    text = capsys.readouterr().out
    assert "here 1.5; missing: gone (pip install 'ssdet[one]')" in text
    assert "pip uninstall -y opencv-python opencv-python-headless" in text


def test_setup_offers_the_extras():
    names = "demo docs dev federated hf onnx ray remote slurm weights".split()  # noqa: SIM905
    code = """
import runpy, setuptools
setuptools.setup = lambda **options: print(*sorted(options["extras_require"]))
runpy.run_path("setup.py")
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == sorted(names), done.stderr
