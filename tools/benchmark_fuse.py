"""What `ssdet fuse` gains: labels of made-up models for the demo scenes, alone and fused.

python tools/benchmark_fuse.py --seeds 0 1 2 --out work_dirs/fuse

Three models label 400 scenes: a mediocre one, a worse one, and one that is nearly always wrong.
Their labels are drawn from the truth with noise, independently of each other; no model is trained.
The first 100 scenes are the labeled ones of `--truth`, and the others are scored: box AP of COCO,
and mean IoU over all pixels. Each seed draws other scenes and other mistakes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from benchmark_methods import spread
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ssdet.datasets import DigitScenes
from ssdet.datasets.demo.digit_scenes import instances_of
from ssdet.datasets.demo.imperfect_labels import DigitDetections
from ssdet.datasets.external_labels import DigitExternalLabels
from ssdet.labeling.fuse import fuse, fuse_folders
from ssdet.labels import IGNORE

SCENES, LABELED = 400, 100
DIGITS = (0, 1, 2)
BOXES: dict[str, dict[str, float]] = {
    "mediocre": {},
    "worse": {"missed": 0.5, "confused": 0.3, "shift": 0.1, "phantoms": 2},
    "garbage": {"missed": 0.9, "confused": 0.67, "phantoms": 3},
}
MAPS: dict[str, dict[str, Any]] = {
    "mediocre": {"missed": 0.2, "confused": 0.2},
    "worse": {"missed": 0.4, "confused": 0.3, "rim": 2},
    "garbage": {"missed": 0.6, "confused": 0.7, "rim": 3},
}
Table = dict[str, list[float]]


def scenes_of(seed: int, kind: type[DigitScenes] = DigitScenes, **options: Any) -> DigitScenes:
    """The scenes, with the labels of one of the models."""
    return kind(split="train", count=SCENES, digits=DIGITS, clutter=0.5, seed=seed, **options)


def write(found: Iterable[list[dict[str, Any]]], data: DigitScenes, part: range, to: Path) -> Path:
    """A COCO file of some scenes, from the boxes of each of all scenes."""
    classes = enumerate(data.metainfo["classes"], start=1)
    images, annotations = [], list[dict[str, Any]]()
    for number, instances in enumerate(found):
        if number not in part:
            continue
        height, width = data.scenes.size
        image = {"id": number, "file_name": f"{number:06d}.png"}
        images.append({**image, "width": width, "height": height})
        for one in instances:
            x1, y1, x2, y2 = one["bbox"]
            record = {"id": len(annotations) + 1, "image_id": number, "iscrowd": 0}
            record |= {"category_id": one["bbox_label"] + 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            record |= {"area": (x2 - x1) * (y2 - y1)}
            annotations.append(record | {k: one[k] for k in ("score",) if k in one})
    categories = [{"id": n, "name": name} for n, name in classes]
    content = {"images": images, "annotations": annotations, "categories": categories}
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(content), encoding="utf-8")
    return to


def box_ap(file: Path, truth: Path) -> float:
    """COCO's box AP, in percent, of the scenes that are scored."""
    with contextlib.redirect_stdout(io.StringIO()):
        real = COCO(str(truth))
        content = json.loads(file.read_text(encoding="utf-8"))
        places = {one["id"]: int(one["file_name"][:6]) for one in content["images"]}
        found = [{**one, "image_id": places[one["image_id"]]} for one in content["annotations"]]
        found = [one for one in found if one["image_id"] in real.imgs]
        score = COCOeval(real, real.loadRes(found), "bbox")
        score.evaluate()
        score.accumulate()
        score.summarize()
    return 100 * float(score.stats[0])


def boxes(seed: int, out: Path) -> Table:
    """Box AP of each source, and of what is fused."""
    data = scenes_of(seed)
    real = [instances_of(data.get_data_info(n)["scene"].open()) for n in range(SCENES)]
    truth = write(real, data, range(LABELED, SCENES), out / "truth.json")
    labeled = write(real, data, range(LABELED), out / "labeled.json")
    files = []
    for number, (name, noise) in enumerate(BOXES.items()):
        source = scenes_of(seed, DigitDetections, detector=number, **noise)
        found = (source.get_data_info(n)["instances"] for n in range(SCENES))
        files.append(write(found, data, range(SCENES), out / f"{name}.json"))
    table = {f"{path.stem} alone": [box_ap(path, truth)] for path in files}
    for mode in ("wbf", "vote", "union"):
        for said in (None, labeled):
            fuse(files, out / "fused.json", mode=mode, truth=said, force=True)
            name = f"`--mode {mode}{' --truth' if said else ''}`"
            table[name] = [box_ap(out / "fused.json", truth)]
    return table


def maps(seed: int, out: Path) -> Table:
    """Mean IoU of each source, and of what is fused."""
    data = scenes_of(seed)
    for number in range(SCENES):
        scene = data.get_data_info(number)["scene"].open()
        _save(scene.label_map, out / "truth" / f"{number:06d}.png")
        if number < LABELED:
            _save(scene.label_map, out / "labeled" / f"{number:06d}.png")
        for place, (name, noise) in enumerate(MAPS.items()):
            dice = np.random.default_rng([seed, number, place])
            labels = DigitExternalLabels(**noise).labels_of(scene, len(DIGITS), dice)
            _save(labels, out / name / f"{number:06d}.png")
    folders = [out / name for name in MAPS]
    table = {f"{folder.name} alone": [mean_iou(folder, out / "truth")] for folder in folders}
    for mode in ("majority", "dawid-skene"):
        for truth in (None, out / "labeled"):
            how: Any = {"mode": mode, "truth": truth, "force": True}
            fuse_folders(folders, out / "fused", classes=len(DIGITS) + 1, **how)
            name = f"`--mode {mode}{' --truth' if truth else ''}`"
            table[name] = [mean_iou(out / "fused", out / "truth")]
    return table


def _save(labels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def mean_iou(folder: Path, truth: Path) -> float:
    """Of all classes, in percent, over the scenes that are scored; an unknown pixel is wrong."""
    classes = len(DIGITS) + 1
    counts = np.zeros((classes, 256))
    for number in range(LABELED, SCENES):
        name = f"{number:06d}.png"
        real, said = (np.asarray(Image.open(one / name)).ravel() for one in (truth, folder))
        known = real != IGNORE
        np.add.at(counts, (real[known], said[known]), 1)
    right = np.diag(counts[:, :classes])
    union = counts.sum(1) + counts[:, :classes].sum(0) - right
    return 100 * float((right / np.maximum(union, 1)).mean())


def main(arguments: list[str] | None = None) -> int:
    """Draw, fuse, score; print the tables and write them to OUT/table.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("work_dirs/fuse"))
    args = parser.parse_args(arguments)
    lines = []
    for kind, metric in ((boxes, "box AP"), (maps, "mean IoU")):
        table: Table = {}
        for seed in args.seeds:
            for name, values in kind(seed, args.out / f"{kind.__name__}-{seed}").items():
                table.setdefault(name, []).extend(values)
        lines += [f"| {kind.__name__} | {metric} |", "|---|---|"]
        lines += [f"| {name} | {spread(values)} |" for name, values in table.items()] + [""]
    text = "\n".join(lines)
    (args.out / "table.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
