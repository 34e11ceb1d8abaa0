"""Whether the text of a config is data: a config is a program, and only a named one is run."""

import ast

_DATA = (
    ast.Module, ast.Assign, ast.Name, ast.Store, ast.Load, ast.Constant, ast.keyword, ast.Dict,
    ast.List, ast.Tuple, ast.Set, ast.UnaryOp, ast.USub, ast.UAdd, ast.Call,
)  # fmt: skip


def code_in(text: str) -> str | None:
    """The first line of a config that is more than `name = value`; None if there is none.

    Values are those that MMEngine writes into a run folder: constants, lists, dicts, `dict(...)`,
    and `float('inf')`.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
    lines = text.splitlines()
    for statement in tree.body:
        for node in ast.walk(statement):
            if not isinstance(node, _DATA) or (isinstance(node, ast.Call) and not _builds(node)):
                return lines[statement.lineno - 1].strip()
    return None


def _builds(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    constant = all(isinstance(value, ast.Constant) for value in call.args)
    return name == "dict" or (name in ("float", "set", "tuple") and constant)
