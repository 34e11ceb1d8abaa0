"""Build the sdist, of it the wheel, install that into an empty environment, and try it there.

python tools/check_package.py

What ssdet needs is taken from the environment that runs this script, so that it takes a minute. The
wheel itself is installed by pip, and nothing of the checkout is in reach.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIG = "ssdet::quickstart/segmentation_semi.py"
TRY = """
import ssdet
from mmdet.registry import HOOKS, MODELS
assert {env!r} in ssdet.__file__, ssdet.__file__
assert HOOKS.get("TeacherEMAHook") and MODELS.get("TeacherStudentDetector")
assert callable(ssdet.semi_supervise)
"""


def main() -> None:
    """Each step is printed before it is done; the first one that fails ends the script."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sdist = build(folder, ROOT, "sdist")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / "source", filter="data")
        (source,) = (folder / "source").iterdir()
        wheel = build(folder, source, "wheel")
        compare(wheel)
        install(folder / "env", wheel)
        smoke(folder / "env", folder)
    print("the package is whole")


def build(folder: Path, source: Path, kind: str) -> Path:
    """Let the backend of pyproject.toml write an archive into `folder`."""
    code = f"from setuptools import build_meta as b; b.build_{kind}({str(folder)!r})"
    run([sys.executable, "-W", "ignore", "-c", code], source)
    return next(folder.glob("*.tar.gz" if kind == "sdist" else "*.whl"))


def compare(wheel: Path) -> None:
    """Every file of the package, and every config, is in the wheel, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    list_files = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.check_output([*list_files, "ssdet", "configs"], cwd=ROOT, text=True)
    files = set(listed.splitlines()) - {"ssdet/.mim/configs"}
    files = {f"ssdet/.mim/{f}" if f.startswith("configs/") else f for f in files}
    if packed != files:
        sys.exit(f"missing: {sorted(files - packed)}; too much: {sorted(packed - files)}")


def install(env: Path, wheel: Path) -> None:
    """An environment with the wheel; a `.pth` file lets it see the dependencies of this one."""
    venv.create(env, with_pip=True)
    python = str(env / "bin" / "python")
    run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)], env)
    paths = {"base": str(env), "platbase": str(env)}
    (Path(sysconfig.get_path("purelib", vars=paths)) / "dependencies.pth").write_text(
        sysconfig.get_path("purelib") + "\n"
    )


def smoke(env: Path, folder: Path) -> None:
    """The commands of a first hour, in a folder of their own."""
    here = folder / "work"
    here.mkdir()
    ssdet, python = str(env / "bin" / "ssdet"), str(env / "bin" / "python")
    run([python, "-W", "ignore", "-c", TRY.format(env=str(env))], here)
    for arguments in (["--version"], ["init", "--list"], ["env"]):
        run([ssdet, *arguments], here)
    changes = ["iterations=4", "train_cfg.val_interval=4"]
    run([ssdet, "train", CONFIG, "--work-dir", "run", "--cfg-options", *changes], here)
    checkpoint = next((here / "run" / "checkpoints").glob("iter_*.pth"))
    run([ssdet, "export", str(checkpoint)], here)
    run([ssdet, "report", "run"], here)
    if not (here / "run" / "report.html").is_file():
        sys.exit("ssdet report wrote no page")


def run(command: list[str], cwd: Path) -> None:
    """Run quietly; what fails shows its output."""
    print("$", " ".join(command), flush=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


if __name__ == "__main__":
    main()
