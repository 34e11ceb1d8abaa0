"""How many images a minute `ssdet doctor` checks: generated ones, in a folder that is removed.

python tools/benchmark_doctor.py --images 10000 --workers 2
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from ssdet.doctor import examine_data
from ssdet.formats import Guess

VARIETY = 50  # different images; each file gets an end of its own, so that contents differ


def generate(folder: Path, count: int, size: tuple[int, int]) -> int:
    """Write the images; return their bytes."""
    rng = np.random.default_rng(0)
    scenes = []
    for _ in range(min(VARIETY, count)):
        pixels = rng.integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        scenes.append(cv2.imencode(".jpg", cv2.resize(pixels, size))[1].tobytes())
    total = 0
    for number in range(count):
        data = scenes[number % len(scenes)] + number.to_bytes(4, "big")
        (folder / f"{number:06}.jpg").write_bytes(data)
        total += len(data)
    return total


def main() -> None:
    """Generate, check, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 480), metavar=("W", "H"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="decode the images, too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        size = generate(Path(name), args.images, tuple(args.size))
        start = time.perf_counter()
        parts = {"unlabeled": Guess("images", Path(name), "")}
        found = examine_data(parts, full=args.full, workers=args.workers)
        seconds = time.perf_counter() - start
    if found.found:
        raise SystemExit(f"unexpected: {found.found[0]}")
    print(
        f"{args.images} images of {args.size[0]}x{args.size[1]} ({size / 1e6:.0f} MB), "
        f"{args.workers} processes: {seconds:.1f} s, {args.images / seconds * 60:,.0f} images a "
        f"minute ({found.looked_at['files']})"
    )


if __name__ == "__main__":
    main()
