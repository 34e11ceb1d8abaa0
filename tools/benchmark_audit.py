"""How many planted faults `ssdet audit` finds, and what its choice of images is worth.

Writes demo scenes with planted faults to a folder: swapped classes, dropped boxes, moved boxes,
copies saved again, photographs among the unlabeled scenes. Trains a small detector on all labels,
and one on each half; then audits and compares with what was planted. Finished trainings are reused.

python tools/benchmark_audit.py --out work/audit --iterations 500
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssdet.datasets import DigitScenes, DigitScenesSeg
from ssdet.datasets.demo.digit_scenes import instances_of
from ssdet.engine.configs import load_config
from ssdet.labeling.audit import Asked, Audit, Suspect, audit

ROOT = Path(__file__).resolve().parents[1]
RARE = 2  # the class that few scenes show
KINDS = {"swapped": "swapped", "dropped": "overlooked", "moved": "badly placed"}
CONFIG = """_base_ = {base!r}
loader = [dict(type='LoadImageFromFile')]
planted = dict(
    type='LabeledImages', source={source!r}, images={images!r}, only={only!r},
    pipeline=[dict(type='WeakStrongViews', shared=loader, views=dict(sup=_base_.sup_view))])
train_dataloader = dict(dataset=dict(datasets=[planted]))
"""
PIXELS = """_base_ = {base!r}
planted = dict(
    type='LabeledMasks', source={source!r}, format='masks', images={images!r}, masks={masks!r},
    classes=['background', '0', '3'], values=[0, 1, 2],
    pipeline=[dict(
        type='WeakStrongViews', shared=[dict(type='LoadImageFromFile'), dict(type='LoadMask')],
        views=dict(sup=_base_.sup_view))])
train_dataloader = dict(dataset=dict(datasets=[planted]))
"""


@dataclass
class Planted:
    """What was planted: (image, class, box) of each fault, and names of images."""

    faults: dict[str, list[tuple[str, int, list[float]]]] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    rare: dict[str, int] = field(default_factory=dict)


def write_data(folder: Path, labeled: int, unlabeled: int, faults: int, seed: int) -> Planted:
    """Write images, `labels.json`, `unlabeled.txt` and the lists of the halves."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    draw, planted = np.random.default_rng(seed), Planted()
    scenes = _scenes(labeled + unlabeled, seed)
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": [
        {"id": n + 1, "name": str(n)} for n in range(3)]}  # fmt: skip
    names = []
    for number, (picture, instances) in enumerate(scenes):
        name = f"{number:04d}.png"
        cv2.imwrite(str(images / name), picture)
        names.append(name)
        if number >= labeled:
            planted.rare[name] = sum(one["bbox_label"] == RARE for one in instances)
            continue
        height, width = picture.shape[:2]
        record = {"id": number, "file_name": name, "height": height, "width": width}
        content["images"].append(record)
        for one in instances:
            content["annotations"].append(
                {"image_id": number, "bbox": one["bbox"], "category_id": one["bbox_label"] + 1}
            )
    _plant(content["annotations"], faults, draw, planted, names)
    pool = names[labeled:] + _plant_images(images, names, planted, draw)
    for number, one in enumerate(content["annotations"]):
        x1, y1, x2, y2 = one["bbox"]
        one |= {"id": number, "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0}
        one["area"] = (x2 - x1) * (y2 - y1)
    (folder / "labels.json").write_text(json.dumps(content))
    (folder / "unlabeled.txt").write_text("".join(f"images/{name}\n" for name in pool))
    for half in (0, 1):
        lines = names[half * labeled // 2 : (half + 1) * labeled // 2]
        (folder / f"half{half}.txt").write_text("".join(f"{name}\n" for name in lines))
    return planted


def _scenes(count: int, seed: int) -> list[tuple[np.ndarray, list[dict[str, Any]]]]:
    """Scenes of the digits 0 and 1; every tenth may show a 2."""
    few = dict(image_size=128, clutter=0.3, pipeline=[dict(type="LoadDigitScene")])
    common = DigitScenes(count=count, digits=(0, 1), seed=seed, **few)
    rare = DigitScenes(count=count, digits=(0, 1, 2), seed=seed + 1000, **few)
    found = []
    for number in range(count):
        scene = (rare if number % 10 == 9 else common).get_data_info(number)["scene"].open()
        found.append((scene.image, instances_of(scene)))
    return found


def _plant(
    annotations: list[dict[str, Any]], count: int, draw: Any, planted: Planted, names: Sequence[str]
) -> None:
    """Change `count` annotations in each of the three ways."""
    order = draw.permutation(len(annotations))[: 3 * count].reshape(3, count)
    gone = []
    for kind, numbers in zip(KINDS, order, strict=True):
        planted.faults[kind] = []
        for number in numbers:
            one = annotations[number]
            label, box = one["category_id"] - 1, list(one["bbox"])
            if kind == "swapped":
                one["category_id"] = (label + int(draw.integers(1, 3))) % 3 + 1
            elif kind == "moved":
                one["bbox"] = _moved(box, draw)
            else:
                gone.append(number)
            planted.faults[kind].append((names[one["image_id"]], label, box))
    for number in sorted(gone, reverse=True):
        del annotations[number]


def _moved(box: list[float], draw: Any) -> list[float]:
    """By a third to a half of the sides, and up to a third smaller or larger."""
    sides = np.array([box[2] - box[0], box[3] - box[1]])
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    middle += draw.uniform(0.33, 0.5, 2) * sides * draw.choice([-1, 1], 2)
    sides = sides * draw.uniform(0.7, 1.3, 2)
    low, high = (middle - sides / 2).clip(0, 120), (middle + sides / 2).clip(8, 128)
    return [float(edge) for edge in (*low, *high)]


def _plant_images(images: Path, names: Sequence[str], planted: Planted, draw: Any) -> list[str]:
    """Ten scenes saved again, smaller and as JPEG, and ten parts of photographs."""
    from sklearn.datasets import load_sample_images

    for number in draw.choice(len(names), 10, replace=False):
        picture = cv2.imread(str(images / names[number]))
        name = f"copy-{names[number][:-4]}.jpg"
        small = cv2.resize(picture, (112, 112), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(images / name), small, [cv2.IMWRITE_JPEG_QUALITY, 80])
        planted.copies[name] = names[number]
    for number in range(10):
        photograph = load_sample_images().images[number % 2][..., ::-1]
        top, left = (int(draw.integers(0, side - 256)) for side in photograph.shape[:2])
        part = cv2.resize(photograph[top : top + 256, left : left + 256], (128, 128))
        cv2.imwrite(str(images / f"photo-{number}.png"), part)
        planted.foreign.append(f"photo-{number}.png")
    return [*planted.copies, *planted.foreign]


def train(folder: Path, name: str, iterations: int, only: str | None) -> Path:
    """A supervised training on the labels of `folder`; returns its last checkpoint."""
    config = folder / f"{name}.py"
    base = str(ROOT / "configs/quickstart/detection_baseline.py")
    labels, images = str(folder / "labels.json"), str(folder / "images")
    list_ = None if only is None else str(folder / only)
    config.write_text(CONFIG.format(base=base, source=labels, images=images, only=list_))
    path = folder / name / "checkpoints" / f"iter_{iterations}.pth"
    _train(path, str(config), folder / name, iterations)
    return path


def _train(checkpoint: Path, config: str, folder: Path, iterations: int) -> None:
    """Train until the checkpoint is there."""
    if checkpoint.is_file():
        return
    command = [sys.executable, "-m", "ssdet.cli", "train", config, "--work-dir", str(folder)]
    command += ["--resume", "--cfg-options", f"iterations={iterations}"]
    with folder.with_suffix(".log").open("w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)


def look(folder: Path, checkpoints: Sequence[Path], count: int, halves: bool) -> Audit:
    """Audit the folder with these checkpoints."""
    lists = tuple(str(folder / f"half{half}.txt") for half in (0, 1)) if halves else ()
    asked = Asked(count=count, unlabeled=str(folder / "unlabeled.txt"), trained_on=lists)
    if halves:
        asked = Asked(parts=("labels",), trained_on=lists)
    name = str(folder / "all.py")
    return audit(load_config(name), name, [str(path) for path in checkpoints], asked)


def look_at_pixels(folder: Path, count: int, faults: int, seed: int, iterations: int) -> None:
    """Objects of label maps swapped or erased; the judge is the quickstart's teacher.

    It has learned from 8 labeled scenes and many unlabeled ones. Those with faults are others.
    """
    draw = np.random.default_rng(seed)
    scenes = DigitScenesSeg(
        count=600 + count, digits=(0, 3), image_size=64, clutter=0.5, pipeline=[], cache=True
    )
    planted = _write_maps(folder, scenes, count, faults, draw)
    base = str(ROOT / "configs/quickstart/segmentation_semi.py")
    places = {name: str(folder / f"pixels/{name}") for name in ("images", "masks")}
    config = folder / "pixels.py"
    config.write_text(PIXELS.format(base=base, source=str(folder / "pixels"), **places))
    path = folder / "pixels_teacher" / "checkpoints" / f"iter_{iterations}.pth"
    _train(path, base, folder / "pixels_teacher", iterations)
    asked = Asked(parts=("labels",))
    found = audit(load_config(str(config)), str(config), [str(path)], asked).suspects
    print(f"\nLabel maps of {count} scenes; {len(found)} regions are listed\n")
    print("| planted | n | precision at 10 | recall at n | at 2n |\n|---|---|---|---|---|")
    every = [fault for own in planted.values() for fault in own]
    _row("all", _hit_regions(found, every), len(every))
    for kind, own in planted.items():
        others = [fault for fault in every if fault not in own]
        left = [one for one, hit in zip(found, _hit_regions(found, others), strict=True) if not hit]
        _row(f"{kind} (the other kind taken out)", _hit_regions(left, own), len(own))


def _write_maps(
    folder: Path, scenes: Any, count: int, faults: int, draw: Any
) -> dict[str, list[tuple[str, list[float]]]]:
    """The scenes from number 600 on, which the quickstart does not have."""
    for name in ("images", "masks"):
        (folder / "pixels" / name).mkdir(parents=True, exist_ok=True)
    opened = [scenes.get_data_info(600 + n)["scene"].open() for n in range(count)]
    maps = [scene.label_map.copy() for scene in opened]
    objects = [(n, k) for n, scene in enumerate(opened) for k in range(len(scene.labels))]
    order = draw.permutation(len(objects))[: 2 * faults]
    planted: dict[str, list[tuple[str, list[float]]]] = {"swapped": [], "erased": []}
    for place, number in enumerate(order):
        image, one = objects[number]
        kind = "swapped" if place < faults else "erased"
        visible = opened[image].masks[one] & (opened[image].label_map > 0)
        maps[image][visible] = 2 - int(opened[image].labels[one]) if kind == "swapped" else 0
        planted[kind].append((f"{image:04d}.png", opened[image].boxes[one].tolist()))
    for number, (scene, map_) in enumerate(zip(opened, maps, strict=True)):
        cv2.imwrite(str(folder / "pixels" / "images" / f"{number:04d}.png"), scene.image)
        cv2.imwrite(str(folder / "pixels" / "masks" / f"{number:04d}.png"), map_)
    return planted


def _hit_regions(
    found: Sequence[Suspect], planted: Sequence[tuple[str, list[float]]]
) -> list[bool]:
    """Whether the middle of a region lies in a planted object; each object counts once."""
    left, result = list(planted), []
    for one in found:
        x, y = (one.box[0] + one.box[2]) / 2, (one.box[1] + one.box[3]) / 2
        name = Path(one.where.path).name
        place = next((n for n, (image, box) in enumerate(left) if image == name
                      and box[0] <= x <= box[2] and box[1] <= y <= box[3]), None)  # fmt: skip
        result.append(place is not None)
        if place is not None:
            del left[place]
    return result


def hits(found: Sequence[Suspect], planted: Sequence[tuple[str, int, list[float]]]) -> list[bool]:
    """For each finding whether it is a planted fault; each fault counts once."""
    left, result = list(planted), []
    for one in found:
        name = Path(one.where.path).name
        place = next((n for n, fault in enumerate(left) if fault[0] == name and
                      _same(one, fault[2])), None)  # fmt: skip
        result.append(place is not None)
        if place is not None:
            del left[place]
    return result


def _same(found: Suspect, box: list[float]) -> bool:
    """Whether a finding means the object that was in this box before it was touched."""
    from ssdet.labeling.audit.criteria import ious

    boxes = [each for each in (found.box, found.better) if each is not None]
    return bool((ious(np.array([box]), np.array(boxes)) >= 0.5).any())


def print_labels(title: str, result: Audit, planted: Planted) -> None:
    """Precision and recall among the first k of each kind, and of all kinds together."""
    print(f"\n{title}\n\n| planted | listed as | n | precision at 10 | recall at n | at 2n |")
    print("|---|---|---|---|---|---|")
    for kind, listed in KINDS.items():
        own = [one for one in result.suspects if one.kind == listed]
        _row(f"{kind} | {listed}", hits(own, planted.faults[kind]), len(planted.faults[kind]))
    every = [fault for faults in planted.faults.values() for fault in faults]
    _row("all | any kind", hits(result.suspects, every), len(every))
    objects = int(result.objects.sum())
    print(f"\nBy chance a precision of {len(every) / (objects + len(every)):.2f}: "
          f"{len(every)} faults in {objects} labels.")  # fmt: skip


def _row(name: str, right: Sequence[bool], count: int) -> None:
    """At n, the number of planted faults, recall and precision are the same."""
    at = {k: sum(right[:k]) for k in (10, count, 2 * count)}
    shares = at[10] / 10, at[count] / count, at[2 * count] / count
    print(f"| {name} | {count} | " + " | ".join(f"{share:.2f}" for share in shares) + " |")


def print_choice(title: str, result: Audit, planted: Planted, draw: Any) -> None:
    """Objects of the rare class in the first images, and in as many that are drawn at random."""
    order = [planted.rare.get(Path(one.look.path).name, 0) for one in result.choices]
    pool = [*planted.rare.values(), *[0] * (len(planted.copies) + len(planted.foreign))]
    print(f"\n{title}: {sum(pool)} rare objects in {len(pool)} images\n")
    print("| images | chosen | at random (mean, 5 % to 95 %) |\n|---|---|---|")
    for count in (10, 20, 40):
        sums = [int(draw.permutation(pool)[:count].sum()) for _ in range(2000)]
        low, high = np.quantile(sums, [0.05, 0.95])
        print(f"| {count} | {sum(order[:count])} | {np.mean(sums):.1f} ({low:.0f} to {high:.0f}) |")


def print_images(result: Audit, planted: Planted) -> None:
    """Copies and foreign images that were found."""
    pairs = {frozenset((Path(t.first.path).name, Path(t.second.path).name)) for t in result.twins}
    copies = sum(frozenset(pair) in pairs for pair in planted.copies.items())
    odd = {Path(one.look.path).name for one in result.odd if one.kind == "foreign"}
    photos = len(odd & {*planted.foreign})
    print(f"\nCopies: {copies} of {len(planted.copies)} found, {len(pairs) - copies} other pairs. "
          f"Photographs: {photos} of {len(planted.foreign)} found, {len(odd) - photos} scenes "
          "besides.")  # fmt: skip


def main() -> None:
    """Write, train, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("work_dirs/benchmark_audit"))
    parser.add_argument("--labeled", type=int, default=120)
    parser.add_argument("--unlabeled", type=int, default=400)
    parser.add_argument("--faults", type=int, default=15, help="of each of the three kinds")
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--pixels", type=int, default=60, help="labeled scenes of label maps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train-only", nargs="+", choices=("all", "half0", "half1"))
    args = parser.parse_args()
    folder = args.out.resolve()
    planted = write_data(folder, args.labeled, args.unlabeled, args.faults, args.seed)
    lists = {"all": None, "half0": "half0.txt", "half1": "half1.txt"}
    paths = {name: train(folder, name, args.iterations, only) for name, only in lists.items()
             if name in (args.train_only or lists)}  # fmt: skip
    if args.train_only:
        return
    one = look(folder, [paths["all"]], 40, halves=False)
    print_labels("One teacher, trained on all labels, faults included", one, planted)
    two = look(folder, [paths["half0"], paths["half1"]], 40, halves=True)
    print_labels("Two teachers, each judging the half that it has not seen", two, planted)
    print_choice("Label next, with the teacher", one, planted, np.random.default_rng(0))
    print_images(one, planted)
    look_at_pixels(folder, args.pixels, args.faults, args.seed, 400)


if __name__ == "__main__":
    main()
