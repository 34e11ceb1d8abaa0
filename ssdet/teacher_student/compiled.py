"""Which parts of a student `torch.compile` gets, and layers that hooks cannot reach then."""

from __future__ import annotations

from itertools import islice
from typing import Any

from torch import nn

from ..exits import UsageError

PARTS = ("backbone", "neck")  # of a student of MMDetection or MMSegmentation
ENCODERS = ("backbone", "encoder")  # of one of transformers, at any depth


def compile_parts(student: nn.Module, settings: dict[str, Any] | bool) -> None:
    """Compile what makes the features; heads and losses look at samples, which Dynamo cannot trace.

    These are the backbone and the neck, or the backbone or encoder of a model of transformers.
    Names of parameters stay as they are, and copies of the student are not compiled.
    """
    if settings is not True and not isinstance(settings, dict):
        raise UsageError(
            f"compile_student={settings!r}: give True or False, or a dict of arguments of "
            "torch.nn.Module.compile; from the command line "
            "--cfg-options model.compile_student=True, or model.compile_student.mode=..."
        )
    parts = [one for name, one in student.named_children() if name in PARTS]
    if not parts:
        inner = (one for name, one in student.named_modules() if name.split(".")[-1] in ENCODERS)
        parts = list(islice(inner, 1))
    if not parts:
        raise UsageError(
            f"compile_student: {type(student).__name__} has no backbone, neck or encoder "
            "that could be compiled. Leave compile_student out."
        )
    for part in parts:
        part.compile(**({} if settings is True else settings))


def layer_for_hook(network: nn.Module, name: str) -> nn.Module:
    """A layer by name; refused within a compiled part, where hooks on layers are not called."""
    layer = network
    for part in name.split("."):
        layer = layer.get_submodule(part)
        if is_compiled(layer):
            raise UsageError(
                f"{name}: lies in a part of {type(network).__name__} that compile_student "
                "compiles, so no hook can read or change it. Leave out compile_student, or the "
                "hook that names the layer."
            )
    return layer


def is_compiled(module: nn.Module) -> bool:
    """Whether calls of a module go through `torch.compile`."""
    return getattr(module, "_compiled_call_impl", None) is not None
