"""What happens when a module of another package is imported: later, less, or something of ours too.

`import ssdet` costs nothing, and still everything of ssdet is there once a package of OpenMMLab is
used: `when_imported` waits for the module that matters. `spare` keeps a module from importing
what it needs for one rare class only.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

Action = Callable[[ModuleType], None]
# Imported in a moment, they load what is named: a stand-in helps although they are there.
LAZY = ("transformers",)


def when_imported(name: str, action: Action) -> None:
    """Call `action` with a module as soon as it is imported: now, if that was done already."""
    module = sys.modules.get(name)
    if module is not None and not getattr(module.__spec__, "_initializing", False):
        action(module)
    else:
        _watcher().after.setdefault(name, []).append(action)


def spare(name: str, unused: Sequence[str]) -> None:
    """Import a module without those that it imports; each of them is imported when it is used.

    Only that one module sees stand-ins. Nothing changes where it was imported already, or for what
    is not installed.
    """
    if name not in sys.modules:
        _watcher().without[name] = unused


class _Watcher(MetaPathFinder):
    """Finds nothing by itself: it adds to what the other finders do."""

    def __init__(self) -> None:
        self.after: dict[str, list[Action]] = {}
        self.without: dict[str, Sequence[str]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.after and name not in self.without:
            return None
        actions, unused = self.after.pop(name, []), self.without.pop(name, ())
        others = (f.find_spec(name, path, target) for f in sys.meta_path if f is not self)
        spec = next((spec for spec in others if spec is not None), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            with _stand_ins(unused):
                execute(module)
            for action in actions:
                action(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _watcher() -> _Watcher:
    found = next((finder for finder in sys.meta_path if isinstance(finder, _Watcher)), None)
    if found is None:
        found = _Watcher()
        sys.meta_path.insert(0, found)
    return found


@contextmanager
def _stand_ins(names: Sequence[str]) -> Iterator[None]:
    """Let `names` be imported without importing them."""
    absent = []
    for name in names:
        package, *_ = name.split(".")
        if package not in sys.modules and find_spec(package) is None:
            continue  # not installed: whoever imports it should hear of it
        parts = name.split(".")
        absent += [".".join(parts[: n + 1]) for n in range(len(parts))]
    stand_ins = {
        name: _StandIn(name)
        for name in absent
        if name not in sys.modules or name.split(".")[0] in LAZY
    }
    there = {name: sys.modules[name] for name in stand_ins if name in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in stand_ins.items():
            module.complete = True
            if sys.modules.get(name) is module:
                del sys.modules[name]
        sys.modules.update(there)


class _StandIn(ModuleType):
    """A module that is imported when something of it is used."""

    complete = False  # the module that imports it has run: what is asked for now is used

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        inside = sys.modules.get(f"{self.__name__}.{name}")
        if isinstance(inside, _StandIn):
            return inside
        if self.complete:
            return getattr(importlib.import_module(self.__name__), name)
        return _Later(name, (), {"__module__": self.__name__, "origin": self.__name__})


class _Later(type):
    """The class of a stand-in for a class (or a function) of a module that is not imported yet."""

    origin: str

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if "origin" in vars(cls):
            return cls._real()(*args, **kwargs)
        # A class derived from it while the real one was not there.
        cls.__bases__ = tuple(b._real() if type(b) is _Later else b for b in cls.__bases__)
        return super().__call__(*args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or "origin" not in vars(cls):
            raise AttributeError(name)
        return getattr(cls._real(), name)

    def __instancecheck__(cls, instance: object) -> bool:
        if "origin" not in vars(cls):
            return super().__instancecheck__(instance)
        return cls.origin in sys.modules and isinstance(instance, cls._real())

    def _real(cls) -> Any:
        return getattr(importlib.import_module(cls.origin), cls.__name__)
