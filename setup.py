"""Packaging of ssdet; metadata lives here, tool settings in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def requirements(name: str) -> list[str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


USES = ("demo", "weights", "hf", "remote", "ray", "federated", "onnx", "slurm", "docs", "dev")
EXTRAS = {name: requirements(name) for name in USES}
# The tests draw demo data and export to ONNX.
EXTRAS["dev"] += EXTRAS["demo"] + EXTRAS["onnx"]


class BuildWithConfigs(build_py):
    """Put `configs/` where MMEngine looks for `ssdet::...`: `ssdet/.mim/configs`."""

    def run(self) -> None:
        super().run()
        target = Path(self.build_lib) / "ssdet" / ".mim"
        shutil.rmtree(target, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "configs", target / "configs", ignore=ignored)
        shutil.copy(ROOT / "ssdet" / ".mim" / "model-index.yml", target)


about: dict[str, str] = {}
exec((ROOT / "ssdet" / "version.py").read_text(), about)

setup(
    name="ssdet",
    version=about["__version__"],
    description="Semi-supervised detection and segmentation for MMDetection and MMSegmentation",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["ssdet", "ssdet.*"]),
    package_data={
        "ssdet": [
            "py.typed",
            "report/templates/*",
            "labeling/audit/templates/*",
            "labeling/discovery/templates/*",
        ]
    },
    install_requires=requirements("runtime"),
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["ssdet = ssdet.cli:command"]},
    cmdclass={"build_py": BuildWithConfigs},
)
