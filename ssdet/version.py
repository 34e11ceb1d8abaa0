"""The version of ssdet, and those of the packages that a result depends on."""

import platform
from importlib import metadata

__version__ = "0.1.0"

PACKAGES = (
    "torch", "onedl-mmengine", "onedl-mmcv", "onedl-mmdetection", "onedl-mmsegmentation", "numpy",
)  # fmt: skip


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    found = {"ssdet": __version__, "python": platform.python_version()}
    return found | {name: version_of(name) or "not installed" for name in PACKAGES}


def version_of(distribution: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
