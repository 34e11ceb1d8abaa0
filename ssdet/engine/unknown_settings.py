"""A setting that its class does not know, or a class that nobody does: which one may be meant."""

from __future__ import annotations

import difflib
import inspect
import re
import traceback
from typing import Any

from mmengine.registry import Registry

_UNKNOWN = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")
_NO_CLASS = re.compile(r"(\w+) is not in the \S+::.* registry")
_MANY = 12  # settings that are named where none is near


def nearest(error: BaseException) -> str:
    """What to add to the message about a wrong name; nothing for other errors."""
    if isinstance(error, KeyError) and (unknown := _NO_CLASS.search(str(error))):
        near = difflib.get_close_matches(unknown[1], _registered(error), n=1)
        return f"; did you mean {near[0]}?" if near else ""
    match = _UNKNOWN.search(str(error)) if isinstance(error, TypeError) else None
    built = _class_of(error, match[1]) if match else None
    if match is None or built is None:
        return ""
    known = _settings(built)
    near = difflib.get_close_matches(match[2], known, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; {built.__name__} has {', '.join(known)}" if len(known) <= _MANY else ""


def _class_of(error: BaseException, name: str) -> type | None:
    """The class that MMEngine was building; the one that complained may be a base of it."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        built = frame.f_locals.get("obj_cls")
        if isinstance(built, type) and name in (base.__name__ for base in built.__mro__):
            return built
    return None


def _registered(error: BaseException) -> list[str]:
    """The classes of the registry that was asked, and of those that it asks itself."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        registry, found = frame.f_locals.get("registry"), list[str]()
        while isinstance(registry, Registry):
            found += registry.module_dict
            registry = registry.parent
        if found:
            return found
    return []


def _settings(built: type) -> list[str]:
    """Names of the arguments of a class and of its bases."""
    found: dict[str, Any] = {}
    for base in built.__mro__[:-1]:
        if "__init__" in vars(base):
            found |= inspect.signature(vars(base)["__init__"]).parameters
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [name for name, one in found.items() if name != "self" and one.kind not in kinds]
