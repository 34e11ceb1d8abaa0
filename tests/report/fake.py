"""Run folders as a training leaves them, with numbers that are made up but look like real ones."""

import json
import math


def run_folder(path, *, role="semi", task="detection", iterations=400, seed=0, top=0.5, **info):
    """A finished run; `top` is where its metric ends (0 to 1)."""
    path.mkdir(parents=True, exist_ok=True)
    lines = [train_line(i, iterations, role) for i in range(10, iterations + 1, 10)]
    lines += [
        val_line(i, top * (1 - math.exp(-3 * i / iterations)), role, task)
        for i in range(iterations // 4, iterations + 1, iterations // 4)
    ]
    write_lines(path / "metrics.jsonl", sorted(lines, key=lambda line: line["iter"]))
    record = {
        "command": f"ssdet train {role}.py --seed {seed}",
        "max_iterations": iterations,
        "state": "finished",
        "seed": seed,
        "versions": {"ssdet": "0.1.0", "torch": "2.13.0"},
        "device": "cpu (x86_64)",
        **info,
    }
    (path / "run.json").write_text(json.dumps(record))
    (path / "config.py").write_text("max_iters = 400\n")
    return path


def train_line(i, iterations, role):
    t = i / iterations
    wobble = 1 + 0.15 * math.sin(i * 1.7) + 0.1 * math.sin(i * 0.31)
    line = {"mode": "train", "iter": i, "lr": 0.01, "loss": wobble * (2.0 * math.exp(-2 * t) + 0.3)}
    if role == "semi":
        line |= {
            "sup_loss_cls": wobble * (1.2 * math.exp(-2 * t) + 0.15),
            "sup_loss_bbox": wobble * (0.8 * math.exp(-2 * t) + 0.1),
            "unsup_loss_cls": wobble * (0.1 + 0.5 * t * math.exp(-t)),
            "pseudo/kept": max(0.0, 2.4 * t * wobble),
            "pseudo/dropped_score": 5 * (1 - 0.6 * t) * wobble,
            "pseudo/score": 0.9 + 0.06 * t,
        }
    return line


def val_line(i, value, role, task):
    key = {"detection": "coco/bbox_mAP", "segmentation": "mIoU"}[task]
    scale = 100 if task == "segmentation" else 1
    line = {"mode": "val", "iter": i}
    if role == "baseline":
        return line | {key: value * scale}
    return line | {f"teacher/{key}": value * scale, f"student/{key}": (value - 0.02) * scale}


def stats_line(i, classes=("0", "1", "2"), kept=(5, 3, 2), proposed=(20, 15, 9)):
    score = [0.93 if k else None for k in kept]
    rows = {"classes": list(classes), "proposed": list(proposed), "kept": list(kept)}
    return {"iter": i, "images": 100, "unit": "boxes", **rows, "score": score}


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
