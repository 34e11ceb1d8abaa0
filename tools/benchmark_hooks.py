"""The share of each hook in a step of a full-size detector, on scenes of 512 pixels.

    python tools/benchmark_hooks.py [--models retinanet faster-rcnn] [--iterations 10]

A ResNet-50 with random weights, two labeled and two unlabeled scenes a step, 100 pseudo boxes an
image for the hooks to work on. It is `ssdet train --profile` on a config that has the five hooks
of the project's name: average, dual thresholds, mixtures, copy-paste and box jitter.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch

from ssdet.cli import main as ssdet
from ssdet.engine.profile import FOLDER

CONFIG = """
_base_ = ['ssdet::_base_/models/{model}_r50.py', 'ssdet::_base_/datasets/digits_det.py',
          'ssdet::_base_/schedules/demo_det.py']
detector = _base_.detector
detector.backbone.init_cfg = None
{head}
{thresholds}
model = dict(type='TeacherStudentDetector', detector=detector, burn_in=0)
batch = (2, 2)
train_dataloader = dict(batch_size=4, sampler=dict(batch=batch))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999),
    {hooks},
    dict(type='CopyPasteHook', prob=1.0),
    dict(type='ProfileHook', iterations={iterations}, warmup=3)]
train_cfg = dict(max_iters={iterations} + 5, val_interval=100000)
val_dataloader = val_cfg = val_evaluator = None
optim_wrapper = dict(optimizer=dict(lr=1e-4))
"""
MODELS = {
    "retinanet": dict(
        head="detector.bbox_head.num_classes = 3",
        thresholds="detector.test_cfg.score_thr = 0.0",
    ),
    "faster-rcnn": dict(
        head="detector.roi_head.bbox_head.num_classes = 3",
        thresholds="detector.test_cfg.rcnn.score_thr = 0.0",
    ),
}
THRESHOLDS = {
    "mixtures": "dict(type='GMMThresholdHook', default=0.0, floor=0.0)",
    "dual": "dict(type='DualThresholdHook', criteria=('confidence',), "
    "defaults=dict(confidence=(0.0, 0.0)))",
}
JITTER = ",\n    dict(type='BoxJitterHook', times=10, scale=0.06)"


def main() -> None:
    """Print one table for each model and kind of thresholds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for model in args.models:
        for kind in THRESHOLDS:
            print(f"\n{model}, {kind} thresholds\n")
            for name, share in sorted(
                shares(model, kind, args.iterations).items(), key=lambda item: -item[1]
            ):
                print(f"| {name} | {share:.1%} |")


def shares(model: str, kind: str, iterations: int) -> dict[str, float]:
    """The share of each pass and hook in a step, largest first."""
    jitter = JITTER if model == "faster-rcnn" else ""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.py")
        text = CONFIG.format(
            model=model, hooks=THRESHOLDS[kind] + jitter, iterations=iterations, **MODELS[model]
        )
        config.write_text(text)
        options = ["--work-dir", folder + "/run", "--cfg-options", "image_size=512"]
        if code := ssdet(["train", str(config), *options]):
            raise SystemExit(code)
        steps = json.loads(Path(folder, "run", FOLDER, "steps.json").read_text())["milliseconds"]
    return {name: value / sum(steps.values()) for name, value in steps.items()}


if __name__ == "__main__":
    main()
