"""How the cost of a step grows: with processes, classes, boxes, and labeled annotations.

    python tools/benchmark_scale.py processes      two processes on two cores beside one on one
    python tools/benchmark_scale.py classes        20 to 1,200 classes
    python tools/benchmark_scale.py boxes          10 to 1,000 pseudo boxes an image
    python tools/benchmark_scale.py annotations    a COCO file of a million boxes

A RetinaNet-R18 with random weights on noise, one thread for each process, on the CPU. Names of
unlabeled images: `python tools/benchmark_label.py names`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from benchmark_step import batch, small
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper

from ssdet.engine import PortableDistributedDataParallel
from ssdet.engine.profile import STEP_POINTS, Stopwatch
from ssdet.hooks import GMMThresholdHook, TeacherEMAHook
from ssdet.registry import MODELS

SIZE, IMAGES, WARMUP = (128, 160), 2, 2
CLASSES, BOXES = (20, 80, 300, 1200), (10, 100, 300, 1000)
READ = """
import sys, time
import ssdet
from ssdet.registry import DATASETS
from mmdet.datasets import CocoDataset
start = time.perf_counter()
data = CocoDataset(ann_file=sys.argv[1], data_prefix=dict(img=""), metainfo=dict(classes=["a"]),
                   pipeline=[], lazy_init=False)
print(len(data), time.perf_counter() - start)
"""


def main() -> None:
    """Run one part, and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["processes", "classes", "boxes", "annotations"])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--annotations", type=int, default=1_000_000, help="boxes of the file")
    given = parser.parse_args()
    parts = dict(processes=processes, classes=classes, boxes=boxes, annotations=annotations)
    print(*parts[given.part](given), sep="\n")


# ------------------------------------------------------------------ processes


def processes(given: argparse.Namespace) -> list[str]:
    """Images a second of one process and of two, and what these send to each other."""
    found = {}
    for count in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            arguments = (count, given.rounds, folder)
            mp.spawn(_process, arguments, nprocs=count)
            found[count] = json.loads(Path(folder, "result.json").read_text())
    one, two = (count * 2 * IMAGES / found[count]["seconds"] for count in (1, 2))
    sent = found[2]["bytes"] / 2**20
    return [
        "| processes | images a second | MiB sent in a step |\n|---|---|---|",
        f"| 1 | {one:.2f} | |",
        f"| 2 | {two:.2f} ({two / one:.2f} times as many) | {sent:.1f} |",
    ]


def _process(rank: int, count: int, rounds: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/store", count)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=count)
    sent = _counted()
    model = pair(20, 20)
    ddp = PortableDistributedDataParallel(model) if count > 1 else model
    optimizer = OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=1e-4))
    times = []
    for number in range(rounds + WARMUP):
        data = batch(number * count + rank, IMAGES, SIZE)
        dist.barrier()
        sent["bytes"] = 0
        start = time.perf_counter()
        ddp.train_step(data, optimizer)
        model.hooks[-1].update()
        times.append(time.perf_counter() - start)
    if rank == 0:
        gradients = sum(p.nbytes for p in model.student.parameters() if p.requires_grad)
        sent["bytes"] += gradients  # which DDP sends without those two
        result = dict(seconds=statistics.median(times[WARMUP:]), bytes=sent["bytes"])
        Path(folder, "result.json").write_text(json.dumps(result))
    dist.destroy_process_group()


def _counted() -> dict[str, int]:
    """Bytes that this process gives to `all_reduce` and `all_gather` from now on."""
    sent = {"bytes": 0}

    def counting(call: Callable, place: int, *args: Any, **more: Any) -> Any:
        sent["bytes"] += args[place].nbytes
        return call(*args, **more)

    for name, place in (("all_reduce", 0), ("all_gather", 1)):
        setattr(dist, name, partial(counting, getattr(dist, name), place))
    return sent


# ------------------------------------------------------------------ classes and boxes


def classes(given: argparse.Namespace) -> list[str]:
    """A step with more and more classes."""
    rows = [f"| {n:,} | {_step_of(given.rounds, n, 100)} |" for n in CLASSES]
    return ["| classes | a step, ms | of it labels and hooks, ms |\n|---|---|---|", *rows]


def boxes(given: argparse.Namespace) -> list[str]:
    """A step with more and more pseudo boxes."""
    rows = [f"| {n:,} | {_step_of(given.rounds, 20, n)} |" for n in BOXES]
    return ["| boxes an image | a step, ms | of it labels and hooks, ms |\n|---|---|---|", *rows]


def pair(classes: int, boxes: int) -> Any:
    """Teacher and student, with mixtures of scores fitted for each class and a moving average."""
    torch.manual_seed(0)
    detector: ConfigDict = small("retinanet", 18, boxes)
    detector.bbox_head.num_classes = classes
    model: Any = MODELS.build(dict(type="TeacherStudentDetector", detector=detector))
    model.init_weights()
    model.train()
    for hook in (GMMThresholdHook(), TeacherEMAHook(momentum=0.999)):
        model.attach(hook)
    return model


def _step_of(rounds: int, classes: int, boxes: int) -> str:
    """Median CPU time of a step, and of what is neither a network nor its gradient."""
    torch.set_num_threads(1)
    model = pair(classes, boxes)
    watch = Stopwatch(time.process_time)
    _watch(watch, model)
    optimizer = OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=1e-4))
    steps, more = [], []
    for number in range(rounds + WARMUP):
        data = batch(number, IMAGES, SIZE)
        before, start = watch.seconds["labels and hooks"], time.process_time()
        model.train_step(data, optimizer)
        model.hooks[-1].update()
        steps.append(time.process_time() - start)
        more.append(watch.seconds["labels and hooks"] - before)
    whole, part = (statistics.median(each[WARMUP:]) * 1000 for each in (steps, more))
    return f"{whole:.0f} | {part:.0f}"


def _watch(watch: Stopwatch, model: Any) -> None:
    """Labeling counts, and so do the hooks; the teacher's forward pass in the labeling does not."""

    def timed(owner: Any, name: str, section: str) -> None:
        wrap: Callable = watch.timed(section, getattr(owner, name))
        setattr(owner, name, wrap)

    for name in ("label", "transfer"):
        timed(model, name, "labels and hooks")
    for hook in model.hooks:
        for point in (*STEP_POINTS, "update"):
            if hasattr(hook, point):
                timed(hook, point, "labels and hooks")
    for part in ("backbone", "neck", "bbox_head"):
        timed(getattr(model.teacher, part), "forward", "networks")


# ------------------------------------------------------------------ annotations


def annotations(given: argparse.Namespace) -> list[str]:
    """A COCO file of many boxes: `ssdet doctor` on it, and the data set that a training reads."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "many.json")
        path.write_text(json.dumps(_coco(given.annotations)))
        size = path.stat().st_size / 2**20
        doctor = _timed([sys.executable, "-m", "ssdet.cli", "doctor", str(path)])
        read = _timed([sys.executable, "-c", READ, str(path)])
    return [
        f"{given.annotations:,} boxes, {size:.0f} MiB\n",
        "| command | seconds | peak of all commands so far, MiB |\n|---|---|---|",
        f"| `ssdet doctor` | {doctor[0]:.1f} | {doctor[1]:.0f} |",
        f"| the data set of a training | {read[0]:.1f} | {read[1]:.0f} |",
    ]


def _coco(count: int, of_image: int = 10) -> dict[str, Any]:
    images = [
        dict(id=n, file_name=f"{n:07d}.jpg", width=640, height=480)
        for n in range(-(-count // of_image))
    ]
    found = [
        dict(
            id=n, image_id=n // of_image, category_id=1, iscrowd=0, area=400,
            bbox=[n % 600, n % 400, 20, 20],
        )
        for n in range(count)
    ]  # fmt: skip
    return dict(images=images, annotations=found, categories=[dict(id=1, name="a")])


def _timed(command: list[str]) -> tuple[float, float]:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode not in (0, 65):  # 65: the images are not there
        tail = (done.stdout + done.stderr)[-2000:]
        raise SystemExit(f"{' '.join(command[1:])}: exit code {done.returncode}:\n{tail}")
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10


if __name__ == "__main__":
    main()
