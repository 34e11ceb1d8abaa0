"""CPU seconds until each command of ssdet has answered, beside the imports that it might need.

python tools/benchmark_startup.py --repeats 3
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

SSDET = [sys.executable, "-m", "ssdet.cli"]
COCO = ["coco", "a.json", "--images", "images"]
PROGRAMS = {
    "python": [sys.executable, "-c", ""],
    "import torch": [sys.executable, "-c", "import torch"],
    "import mmdet.apis, mmseg.apis": [
        sys.executable, "-W", "ignore", "-c",
        # With our operators, which they need, but without the imports that we spare them.
        "import sys, ssdet; sys.meta_path = [f for f in sys.meta_path if "
        "not hasattr(f, 'without')]; "
        "import mmdet.apis, mmseg.apis",
    ],
    "the same after import ssdet": [
        sys.executable, "-W", "ignore", "-c", "import ssdet, mmdet.apis, mmseg.apis",
    ],
    "ssdet --help": [*SSDET, "--help"],
    "ssdet init --list": [*SSDET, "init", "--list"],
    "ssdet split": [*SSDET, "split", *COCO, "--percent", "10", "--out", "splits", "--force"],
    "ssdet convert": [*SSDET, "convert", *COCO, "--to", "coco", "--out", "b.json", "--force"],
    "ssdet doctor DATA": [*SSDET, "doctor", "a.json", "--unlabeled", "images"],
    "ssdet report": [*SSDET, "report", "run"],
    "ssdet env": [*SSDET, "env"],
}  # fmt: skip


def write_data(folder: Path, images: int) -> None:
    """A COCO data set of small images, and a run folder with some numbers."""
    (folder / "images").mkdir()
    (folder / "run").mkdir()
    rng = np.random.default_rng(0)
    records, boxes = [], []
    for number in range(1, images + 1):
        pixels = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        records.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 48})
        box = {"image_id": number, "category_id": 1, "bbox": [4, 4, 20, 20], "area": 400}
        boxes.append({"id": number, "iscrowd": 0, **box})
    classes = [{"id": 1, "name": "thing"}]
    content = {"images": records, "annotations": boxes, "categories": classes}
    (folder / "a.json").write_text(json.dumps(content))
    lines = [json.dumps({"mode": "train", "iter": n, "loss": 1 / n}) for n in range(1, 201)]
    (folder / "run" / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "run" / "run.json").write_text("{}")


def seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """CPU seconds and seconds of one call."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def first_line(folder: Path) -> float:
    """Seconds until `ssdet train` prints its first line."""
    start = time.perf_counter()
    command = [*SSDET, "train", "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=nowhere) as process:
        next(iter(process.stdout or ()))
        taken = time.perf_counter() - start
        process.kill()
    return taken


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="the median of so many calls")
    parser.add_argument("--images", type=int, default=300)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, args.images)
        print("| command | CPU seconds | seconds |\n|---|---|---|")
        for title, command in PROGRAMS.items():
            runs = [seconds(command, folder) for _ in range(args.repeats)]
            cpu, wall = (median(values) for values in zip(*runs, strict=True))
            print(f"| {title} | {cpu:.2f} | {wall:.2f} |", flush=True)
        wall = median(first_line(folder) for _ in range(args.repeats))
        print(f"| ssdet train CONFIG, first line | | {wall:.2f} |")


if __name__ == "__main__":
    main()
