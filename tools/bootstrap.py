"""Make the virtual environment that `make quickstart` and `make test` use.

    python3 tools/bootstrap.py .venv --torch "torch==2.13.0" [--compile-mmcv]

It needs python3 alone: where Debian's python3-venv is missing, pip is fetched from PyPI. mmcv is
built without compiled operators (seconds) unless `--compile-mmcv` asks for them (10 minutes); its
wheel never comes from pip's cache, which cannot tell the two kinds apart.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("venv", type=Path)
    parser.add_argument("--torch", default="torch==2.13.0", help="requirement, with pip options")
    parser.add_argument("--compile-mmcv", action="store_true")
    args = parser.parse_args()
    if sys.version_info < (3, 10):  # noqa: UP036  (any python3 may start this script)
        sys.exit(f"ssdet needs Python 3.10 or newer, this is {sys.version.split()[0]}")
    started = time.time()
    steps = [
        ("virtual environment", lambda: create(args.venv)),
        (args.torch, lambda: pip(args.venv, *shlex.split(args.torch))),
        ("mmcv", lambda: install_mmcv(args.venv, args.compile_mmcv)),
        ("ssdet and what it needs", lambda: pip(args.venv, "-e", f"{ROOT}[dev]")),
        ("one OpenCV", lambda: keep_one_opencv(args.venv)),
        ("check", lambda: check(args.venv)),
    ]
    for number, (name, act) in enumerate(steps, start=1):
        print(f"[{number}/{len(steps)}] {name} ...", flush=True)
        act()
    print(f"ready in {time.time() - started:.0f} s: {args.venv}", flush=True)


def create(venv: Path) -> None:
    """A virtual environment with pip, also where ensurepip is not installed."""
    base = [sys.executable, "-m", "venv", str(venv)]
    if subprocess.run(base, capture_output=True).returncode == 0:
        return
    subprocess.run([*base, "--clear", "--without-pip"], check=True)
    with urllib.request.urlopen("https://pypi.org/pypi/pip/json", timeout=60) as answer:
        files = json.load(answer)["urls"]
    url = next(file["url"] for file in files if file["filename"].endswith(".whl"))
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / url.rsplit("/", 1)[1]
        urllib.request.urlretrieve(url, wheel)
        run(python(venv), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel))


def install_mmcv(venv: Path, compiled: bool) -> None:
    lines = (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
    mmcv = next(line for line in lines if line.startswith("onedl-mmcv"))
    if not compiled:
        pip(venv, "--no-cache-dir", mmcv)
        return
    pip(venv, "setuptools", "wheel", "ninja", "packaging")
    os.environ["MMCV_WITH_OPS"] = "1"
    os.environ["PATH"] = f"{python(venv).parent}{os.pathsep}{os.environ['PATH']}"
    pip(venv, "--no-cache-dir", "--no-build-isolation", "--no-binary", "onedl-mmcv", mmcv)


def keep_one_opencv(venv: Path) -> None:
    """mmcv asks for one wheel of OpenCV and imaug for two, which overwrite each other's files.

    The ordinary wheel needs libGL; where that is missing, the headless one takes its place.
    """
    found = "import importlib.metadata as m; print(m.version('opencv-python'))"
    version = subprocess.check_output([python(venv), "-c", found], text=True).strip()
    for name in ("opencv-python", "opencv-python-headless"):
        both = ("opencv-python", "opencv-python-headless")
        run(python(venv), "-m", "pip", "uninstall", "--quiet", "--yes", *both)
        pip(venv, "--no-deps", f"{name}=={version}")
        if not subprocess.run([python(venv), "-c", "import cv2"], capture_output=True).returncode:
            return


def check(venv: Path) -> None:
    run(python(venv), "-c", "import ssdet, mmdet.models, mmseg.models")
    # yapf, which formats configs, writes a cache on its first call, and another process that reads
    # it half written stops with "Ran out of input".
    run(python(venv), "-c", "from yapf.yapflib.yapf_api import FormatCode; FormatCode('a = 1')")


def python(venv: Path) -> Path:
    return venv.absolute() / "bin" / "python"


def pip(venv: Path, *arguments: str) -> None:
    run(python(venv), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def run(*command: object) -> None:
    code = subprocess.run([str(part) for part in command]).returncode
    if code:
        sys.exit(f"\nThis step failed: {shlex.join(str(part) for part in command)}")


if __name__ == "__main__":
    main()
