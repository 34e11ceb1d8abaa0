"""Throughput of `ssdet label` beside a plain loop, memory of the merge, and time to open a source.

python tools/benchmark_label.py speed CHECKPOINT IMAGES     images a second, interleaved
python tools/benchmark_label.py merge --images 1000000      stand-in results, peak memory
python tools/benchmark_label.py names --images 10000000     a list of names, time and memory
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CLASSES = tuple(f"class {n}" for n in range(80))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    speed_ = commands.add_parser("speed")
    speed_.add_argument("checkpoint")
    speed_.add_argument("images")
    speed_.add_argument("--config")
    speed_.add_argument("--number", type=int, default=100)
    speed_.add_argument("--rounds", type=int, default=3)
    speed_.add_argument("--batch-size", type=int, default=8)
    speed_.add_argument("--threshold", type=float, default=0.3)
    speed_.set_defaults(run=speed)
    for name, run in (("merge", merge), ("names", names)):
        part = commands.add_parser(name)
        part.add_argument("--images", type=int, default=1_000_000)
        part.add_argument("--boxes", type=int, default=5, help="of an image")
        part.add_argument("--format", default="coco")
        part.set_defaults(run=run)
    args = parser.parse_args(arguments)
    args.run(args)
    return 0


def speed(args: argparse.Namespace) -> None:
    """The loop and the labeler take turns on the same images, in one process."""
    import torch
    from mmdet.apis import inference_detector
    from mmengine.registry import init_default_scope

    from ssdet.datasets.sources import open_source
    from ssdet.labeling.labeler import Labeler, cores
    from ssdet.labeling.network import load_network

    network = load_network(args.checkpoint, args.config)
    init_default_scope(network.config.get("default_scope", "mmdet"))  # as `init_detector` does
    source = open_source(args.images)
    places = range(min(args.number, len(source)))
    plain: Any = network.build("cpu")
    plain.cfg, plain.dataset_meta = with_pipeline(network), {"classes": network.classes}
    limits = (args.threshold,) * len(network.classes)
    labeler = Labeler(network, limits, batch_size=args.batch_size, workers=cores())

    def loop() -> int:
        found = 0
        for place in places:
            one = inference_detector(plain, source.address(place)).pred_instances.cpu().numpy()
            found += int((one["scores"] >= args.threshold).sum())
        return found

    def ours() -> int:
        return sum(len(record.boxes) for record in next(labeler.run(source, [places])))

    loop(), ours()  # the first pass of each prepares memory
    rates: dict[str, list[float]] = {"loop": [], "ours": []}
    for _ in range(args.rounds):
        boxes = {}
        for name, run in (("loop", loop), ("ours", ours)):
            start = time.perf_counter()
            boxes[name] = run()
            rates[name].append(len(places) / (time.perf_counter() - start))
        print(f"  loop {rates['loop'][-1]:.2f}, ours {rates['ours'][-1]:.2f} images/s; {boxes}")
    ratios = sorted(b / a for a, b in zip(rates["loop"], rates["ours"], strict=True))
    print(
        f"{len(places)} images, {torch.get_num_threads()} threads: loop "
        f"{max(rates['loop']):.2f}, ours {max(rates['ours']):.2f} images/s; ratio "
        f"{ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f} ... {ratios[-1]:.2f})"
    )


def with_pipeline(network: Any) -> Any:
    """The config as `inference_detector` reads it."""
    config = network.config.copy()
    config.test_dataloader = dict(dataset=dict(pipeline=network.pipeline()))
    return config


def merge(args: argparse.Namespace) -> None:
    """Shards with made-up boxes, merged: seconds and the growth of the process."""
    import numpy as np

    from ssdet.formats.labeled import LabeledImage, LabelSet, objects
    from ssdet.formats.writers import write_labels
    from ssdet.labeling.shards import ShardFolder

    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        shards = ShardFolder(Path(folder) / "shards", args.images)
        shards.open({"stand-in": True})
        corners = random.uniform(0, 300, (1000, args.boxes, 2))
        boxes = np.concatenate([corners, corners + random.uniform(5, 300, corners.shape)], 2)
        some = [objects((640, 640), b, range(args.boxes), random.random(args.boxes)) for b in boxes]
        start = time.perf_counter()
        for number in range(len(shards)):
            places = shards.places(number)
            shards.write(
                number,
                [LabeledImage(f"{p:08}.jpg", 640, 640, **some[p % 1000]) for p in places],
            )
        written, before = time.perf_counter() - start, peak()
        start = time.perf_counter()
        out = Path(folder) / "labels.json"
        write_labels(LabelSet(folder, CLASSES, shards), out, args.format)
        seconds, after = time.perf_counter() - start, peak()
        size = out.stat().st_size / 2**20 if out.is_file() else 0.0
        total = shards.total()
        print(
            f"{args.format}: {total.images:,} images, {total.boxes:,} boxes, {len(shards):,} "
            f"shards written in {written:.0f} s; merged in {seconds:.0f} s into {size:,.0f} MiB; "
            f"peak of the process {before:.0f} MiB before the merge, {after:.0f} MiB after"
        )


def names(args: argparse.Namespace) -> None:
    """A list of so many names, opened as a source and as unlabeled images of a training."""
    from ssdet.datasets import UnlabeledImages
    from ssdet.datasets.sources import is_long, open_source

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.txt"
        with path.open("w") as file:
            for number in range(args.images):
                file.write(f"train/part-{number // 1000:05}/image-{number:010}-of-a-camera.jpg\n")
        start = time.perf_counter()
        source = open_source(path)
        checksum = source.checksum()
        last = source.names[len(source) - 1]
        seconds, used = time.perf_counter() - start, peak()
        told = json.dumps({"images": len(source), "last": last, "sha256": checksum[:12]})
        print(f"{told}: opened in {seconds:.1f} s, peak of the process {used:.0f} MiB")
        del source
        if not is_long(str(path)):  # of a short list, a training looks at the files
            return
        start = time.perf_counter()
        data = UnlabeledImages(str(path))
        seconds = time.perf_counter() - start
        print(f"UnlabeledImages of {len(data):,}: {seconds:.1f} s, peak {peak():.0f} MiB")


def peak() -> float:
    """The most memory that the process has had, in MiB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10


if __name__ == "__main__":
    sys.exit(main())
