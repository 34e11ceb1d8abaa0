"""The methods, each a shipped config on own data, taken apart into its statements."""

import ast
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..engine.configs import find_config
from ..engine.exits import UsageError
from .literals import literal


@dataclass(frozen=True)
class Method:
    """A method that `ssdet init` can write.

    Attributes:
        config: The shipped config that is followed, for one kind of model on own data.
        task: 'detection' or 'segmentation'.
        passes: How often each unlabelled image is seen in a training.
    """

    config: str
    task: str
    passes: int


# A new method is one line here; its config uses `configs/_base_/datasets/own_{det,seg}.py`.
METHODS = {
    "mean-teacher": Method("mean_teacher/retinanet_r50_own.py", "detection", 40),
    "fixmatch": Method("fixmatch_seg/deeplabv3plus_r50_own.py", "segmentation", 80),
}
VIEWS = {"detection": "own_det.py", "segmentation": "own_seg.py"}


@dataclass
class Statement:
    """An assignment of a config with the comment lines above it.

    Attributes:
        target: What is assigned, such as `model` or `detector.bbox_head.num_classes`.
        text: As it stands in the file.
        constant: Whether the value is written out.
    """

    target: str
    text: str
    constant: bool

    def assigned(self, value: object, comment: str | None = None) -> str:
        """The same assignment of another value, with the comment behind it, or another one."""
        own = self.text.splitlines()[-1].partition("  # ")[2]
        line = f"{self.target} = {literal(value, len(self.target) + 3)}"
        remark = comment or own
        return f"{line}  # {remark}" if remark and len(line + remark) < 96 else line


def find_method(name: str, task: str) -> Method:
    """The method of this name, if it is one for the task."""
    method = METHODS.get(name)
    if method is not None and method.task == task:
        return method
    known = [key for key, value in METHODS.items() if value.task == task]
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        raise UsageError(f"--method {name!r}: no such method; did you mean {close[0]!r}?")
    what = (
        f"a method for {method.task}, and the base is a model for {task}" if method else "unknown"
    )
    raise UsageError(
        f"--method {name!r}: {what}; for {task}: {', '.join(known)}. `ssdet init --list` shows all"
    )


def method_statements(method: Method) -> list[Statement]:
    """What the method's config says beyond its bases and the model that it is shown with."""
    statements = [
        statement
        for statement in read_statements(find_config(method.config))
        if not re.fullmatch(r"detector|segmentor|.*\.num_classes|auto_scale_lr", statement.target)
    ]
    for statement in statements:
        statement.text = statement.text.replace("_base_.", "")
    return statements


def view_statements(task: str) -> list[Statement]:
    """How images become views: the shipped data config of the task."""
    return read_statements(find_config(f"_base_/datasets/{VIEWS[task]}"))


def read_statements(path: Path) -> list[Statement]:
    """The assignments of a config, without `_base_` and what stands above it."""
    text = path.read_text(encoding="utf-8")
    lines, end, found = text.splitlines(), 0, []
    for node in ast.parse(text).body:
        start, end = end, node.end_lineno or 0
        if isinstance(node, ast.Assign):
            block = lines[start:end] if start else lines[node.lineno - 1 : end]
            target = ast.unparse(node.targets[0])
            constant = isinstance(node.value, (ast.Constant, ast.Tuple))
            found.append(Statement(target, "\n".join(block), constant))
    return [statement for statement in found if statement.target != "_base_"]


def constants(statements: Iterable[Statement]) -> dict[str, object]:
    """The values that are written out, by name."""
    return {
        statement.target: ast.literal_eval(statement.text.partition("=")[2].strip())
        for statement in statements
        if statement.constant
    }
