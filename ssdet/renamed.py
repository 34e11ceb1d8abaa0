"""Names from the previous release: they still work, with a warning that gives the new name.

Everything listed here is removed in the next release. Former names of config files are in
`ssdet.engine.renamed_configs`.
"""

from __future__ import annotations

import functools
from typing import Any

from mmengine.logging import print_log

from . import registry

CLASSES = {
    "DigitSecondLabels": "DigitExternalLabels",
    "LoadSecondLabels": "LoadExternalLabels",
    "PackSecondLabels": "PackExternalLabels",
    "PseudoLabelBankHook": "PseudoLabelDiskHook",
    "PseudoLabelStoreHook": "PseudoBoxMemoryHook",
    "SecondSourceHook": "ExternalLabelsHook",
}
ARGUMENTS = {
    "CopyPasteHook": {"most": "max_objects"},
    "LabelDistributionThresholdHook": {"between": "uncertain_as"},
    "PolishHook": {"sure": "min_confidence"},
    "TeacherStudentDetector": {"joint_features": "joint_pass"},
    "TeacherStudentSegmentor": {"joint_features": "joint_pass"},
}


def install() -> None:
    """Let the old names work; called once, when all classes are registered."""
    for old, new in CLASSES.items():
        owner, cls = _registered(new)
        if old not in owner.module_dict:
            owner.register_module(name=old, module=_former(old, cls))
    for name, arguments in ARGUMENTS.items():
        _accept(_registered(name)[1], arguments)


def current(name: str) -> str:
    """The current name of a class."""
    return CLASSES.get(name, name)


def _registered(name: str) -> tuple[Any, type]:
    owners = (getattr(registry, kind) for kind in registry.__all__)
    owner = next(owner for owner in owners if name in owner.module_dict)
    return owner, owner.module_dict[name]


def _former(old: str, cls: Any) -> type:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        _warn(f"{old} is now called {cls.__name__}")
        cls.__init__(self, *args, **kwargs)

    return type(old, (cls,), {"__init__": __init__, "__module__": __name__, "__doc__": cls.__doc__})


def _accept(cls: Any, arguments: dict[str, str]) -> None:
    """Let a class take arguments under their old names."""
    plain = cls.__init__
    if getattr(plain, "takes_old_names", False):
        return

    @functools.wraps(plain)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        for old, new in arguments.items():
            if old not in kwargs:
                continue
            if new in kwargs:
                raise TypeError(
                    f"{cls.__name__}: {old} and {new} are the same argument: leave out "
                    f"{old}, the old name"
                )
            _warn(f"{cls.__name__}: the argument {old} is now called {new}")
            kwargs[new] = kwargs.pop(old)
        plain(self, *args, **kwargs)

    __init__.takes_old_names = True  # type: ignore[attr-defined]
    cls.__init__ = __init__


def _warn(message: str) -> None:
    advice = "The old name works in this release and will be removed in the next one."
    print_log(f"{message}. {advice}", logger="current", level=30)
