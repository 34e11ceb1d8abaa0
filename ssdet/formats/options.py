"""What messages call a setting: a flag on the command line, an argument in Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_in_python = ContextVar("in_python", default=False)


@contextmanager
def python_arguments() -> Iterator[None]:
    """Within it, messages name arguments of a function: `val_images=...`, not `--val-images`."""
    token = _in_python.set(True)
    try:
        yield
    finally:
        _in_python.reset(token)


def option(name: str, value: object = None, *, metavar: str = "") -> str:
    """A setting as the user writes it.

    Args:
        name: As an argument: `val_images`.
        value: What it was set to, or should be.
        metavar: Shown where the value is not known.
    """
    if _in_python.get():
        return f"{name}={'...' if value is None else repr(value)}"
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, (tuple, list)):
        value = ",".join(map(str, value))
    shown = metavar if value is None or value is True else str(value)
    return f"{flag} {shown}".strip()
