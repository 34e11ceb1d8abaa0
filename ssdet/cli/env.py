"""Print versions, devices, extras and the backend of each operator."""

from __future__ import annotations

import argparse
from collections import defaultdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`ssdet env` has no options."""


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    import torch

    from .. import ops
    from ..extras import extras, opencv
    from ..version import versions

    rows = [*versions().items()]
    rows.append(("opencv", ", ".join(f"{name} {found}" for name, found in opencv().items())))
    if len(opencv()) > 1:
        rows.append(("", _TWO_OPENCVS))
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            rows.append((f"cuda:{index}", torch.cuda.get_device_name(index)))
    else:
        rows.append(("device", f"cpu, {torch.get_num_threads()} threads"))
    by_backend = defaultdict(list)
    for operator, backend in ops.backends().items():
        by_backend[backend].append(operator)
    absent = by_backend.pop("absent", [])
    rows += [(f"ops: {backend}", ", ".join(names)) for backend, names in by_backend.items()]
    if absent:
        rows.append(("ops: absent", f"{len(absent)} that few models use; one that does says so"))
    rows += [(f"extra {name}", _extra(name, parts)) for name, parts in extras().items()]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0


_TWO_OPENCVS = (
    "They share a folder and overwrite each other. Keep one: pip uninstall -y opencv-python "
    "opencv-python-headless && pip install --no-deps opencv-python"
)


def _extra(name: str, parts: dict[str, str | None]) -> str:
    there = ", ".join(f"{part} {found}" for part, found in parts.items() if found)
    missing = ", ".join(part for part, found in parts.items() if not found)
    if not missing:
        return there
    return f"{there}; " * bool(there) + f"missing: {missing} (pip install 'ssdet[{name}]')"
