"""Compare the stand-ins of ssdet.ops with compiled mmcv, or record what compiled mmcv computes.

    python tools/record_ops.py --check [--seeds 5]     both, live, on the same inputs
    python tools/record_ops.py                         write tests/ops/fixtures/*.pt

Both need an mmcv with compiled operators (`make ops`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from host_kernels import HostKernels  # noqa: E402

from ssdet.ops import backends  # noqa: E402
from ssdet.ops.extension import PortableExtension  # noqa: E402
from tests.ops.cases import GPU_ONLY, build, build_large, differences, extension, run  # noqa: E402


def record(folder: Path) -> None:
    """Write one file for each operator with inputs, settings and what compiled mmcv made of it."""
    folder.mkdir(parents=True, exist_ok=True)
    cases: dict[str, dict[str, Any]] = {}
    with extension(HostKernels(), GPU_ONLY):
        for case in build():
            entry = {"case": case._asdict(), "expected": run(case)}
            cases.setdefault(case.op, {})[case.name] = entry
    for op, entries in cases.items():
        torch.save(entries, folder / f"{op}.pt")
        print(f"{op}: {len(entries)} cases, {(folder / f'{op}.pt').stat().st_size / 1024:.0f} KB")


def check(seeds: int) -> int:
    """Compare on fresh inputs; returns the number of cases that differ."""
    host, portable = HostKernels(), PortableExtension()
    cases = [case for seed in range(seeds) for case in (*build(seed, ties=200), *build_large(seed))]
    failures = 0
    for case in cases:
        with extension(host, GPU_ONLY):
            expected = run(case)
        with extension(portable):
            found = run(case)
        for text in differences(expected, found):
            failures += 1
            print(f"DIFFERS {case.op} {case.name}: {text}")
    names = sorted({case.op for case in cases})
    print(f"{len(cases)} cases of {len(names)} operators compared, {failures} differences")
    return failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare live, write nothing")
    parser.add_argument("--seeds", type=int, default=5, help="how many draws of inputs to compare")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "ops" / "fixtures")
    given = parser.parse_args()
    if set(backends().values()) != {"mmcv"}:
        sys.exit("record_ops: this mmcv has no compiled operators (mmcv._ext). Run: make ops")
    if given.check:
        sys.exit(1 if check(given.seeds) else 0)
    record(given.out)


if __name__ == "__main__":
    main()
