"""Print versions, devices and the backend of each operator."""

from __future__ import annotations

import argparse
from collections import defaultdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`ssdet env` has no options."""


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    import torch

    from .. import ops
    from ..version import versions

    rows = [*versions().items()]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            rows.append((f"cuda:{index}", torch.cuda.get_device_name(index)))
    else:
        rows.append(("device", f"cpu, {torch.get_num_threads()} threads"))
    by_backend = defaultdict(list)
    for operator, backend in ops.backends().items():
        by_backend[backend].append(operator)
    rows += [(f"ops: {backend}", ", ".join(names)) for backend, names in by_backend.items()]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0
