"""Check on a GPU what no CPU can show, each part in a process of its own; about 8 minutes.

    python tools/check_gpu.py [PART ...] [--device cuda] [--small]

    step       time and memory of a step beside a bare loop and MMDetection's mean teacher
    waits      places of ssdet where a step makes the CPU wait for the GPU
    repeat     the same run twice, and stopped and resumed: are the weights the same?
    nccl       one process of torchrun, with nccl
    operators  ssdet.ops against what compiled mmcv computed, and beside torchvision's kernels

`--device cpu --small` tries the parts where there is no GPU. The exit code is 1 if a part failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import ssdet  # before MMDetection, for whose operators it stands in

# isort: split
import benchmark_step as steps
import torch
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS

from ssdet.engine.configs import load_config
from ssdet.ops import nms, roi_align, torchvision_kernels
from ssdet.registry import HOOKS

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 240  # seconds of a part
DEMO = "mean_teacher/faster-rcnn_demo.py"
BURN_IN, STOP, END = 2, 5, 10  # iterations
# Hooks whose step is watched: one list for boxes that any detector may have.
WATCHED = [
    dict(type="FixedThresholdHook", score=0.0),
    dict(type="GMMThresholdHook"),
    dict(type="PseudoMosaicHook", size=(256, 320), images=2, flip=0.0),
    dict(type="PseudoMixupHook"),
    dict(type="PseudoLabelMonitorHook"),
    dict(type="TeacherEMAHook", momentum=0.999),
]


def step(device: str, small: bool) -> bool:
    """Print a line for each model and precision."""
    precisions = ["fp32"] if device == "cpu" else list(steps.PRECISIONS)
    size, rounds = ((128, 160), 2) if small else ((512, 640), 10)
    for name in ("retinanet", "faster-rcnn", "soft-teacher"):
        for precision in precisions:
            given = argparse.Namespace(
                depth=18 if small else 50, images=1 if small else 4, boxes=20, size=size,
                rounds=rounds, device=device, precision=precision,
            )  # fmt: skip
            print(steps.compare(name, given), flush=True)
    return True


def waits(device: str, small: bool) -> bool:
    """Count where ssdet's code makes the CPU wait, in one step of a list of hooks."""
    if device == "cpu":
        print("needs a GPU: a CPU waits for nothing")
        return True
    found: Counter[str] = Counter()

    def note(message: Any, *_: Any, **__: Any) -> None:
        if "synchroniz" in str(message):
            frames = [f for f in traceback.extract_stack() if "/ssdet/" in f.filename]
            found[f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "elsewhere"] += 1

    network: Any = ssdet.registry.MODELS.build(
        dict(type="TeacherStudentDetector", detector=steps.small("retinanet", 18, 20))
    ).to(device)
    network.train()
    hooks = [HOOKS.build(dict(hook)) for hook in WATCHED]
    for hook in hooks:
        network.attach(hook)
    optimizer = steps.wrapper(network.student.parameters(), None)
    for number in range(4):
        if number == 3:  # the others warm up
            torch.cuda.set_sync_debug_mode("warn")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = note
            network.train_step(steps.batch(number, 2, (256, 320)), optimizer)
    torch.cuda.set_sync_debug_mode("default")
    for place, count in found.most_common():
        print(f"{count:4} {place.replace(str(ROOT) + '/', '')}")
    inside = sum(n for place, n in found.items() if "/ssdet/hooks/" in place)
    print(f"{sum(found.values())} waits in a step, {inside} of them in hooks (the goal is 0)")
    return True


def repeat(device: str, small: bool) -> bool:
    """Train twice, and in two parts; compare all weights bit for bit."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    with tempfile.TemporaryDirectory() as folder:
        whole = _weights(Path(folder) / "a", END)
        again = _weights(Path(folder) / "b", END)
        _weights(Path(folder) / "c", STOP)
        resumed = _weights(Path(folder) / "c", END, resume=True)
    same = [_same(whole, other) for other in (again, resumed)]
    for name, differing in zip(("again", "stopped and resumed"), same, strict=True):
        told = f"{len(differing)} of {len(whole)} tensors differ, first {differing[:1]}"
        print(f"{END} iterations {name}: {told if differing else 'bit for bit the same'}")
    return not any(same)


def nccl(device: str, small: bool) -> bool:
    """Train in one process of torchrun."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=1",
            "tools/train.py", DEMO, "--launcher", "pytorch", "--work-dir", folder,
            "--cfg-options", f"iterations={END}", f"burn_in={BURN_IN}",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:])
    print(f"torchrun with one process: exit code {done.returncode}")
    return done.returncode == 0


def operators(device: str, small: bool) -> bool:
    """Compare what they compute, and time NMS and RoIAlign beside torchvision's."""
    tests = ["tests/ops/test_fixtures.py", "tests/ops/test_torchvision.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:warnings", *tests]
    passed = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    serves, works = torchvision_kernels.serves, torchvision_kernels.works(device)
    sides = {"ssdet.ops": lambda _: False, **({"torchvision": lambda _: True} if works else {})}
    for name, call in _calls(device).items():
        times = []
        for side, use in sides.items():
            torchvision_kernels.serves = use  # type: ignore[assignment]
            times.append(f"{side} {_milliseconds(call, device):.2f} ms")
        torchvision_kernels.serves = serves
        print(f"{name}: {', '.join(times)}")
    return passed


def _weights(folder: Path, end: int, *, resume: bool = False) -> dict[str, Any]:
    config = load_config(DEMO, {"iterations": END, "burn_in": BURN_IN})
    config.update(work_dir=str(folder), runner_type="SafeRunner", resume=resume)
    config.train_cfg.update(max_iters=END, val_interval=END)
    config.default_hooks.checkpoint.update(interval=STOP)
    config.log_level = "ERROR"
    config.randomness = dict(seed=0, deterministic=True)
    with redirect_stdout(StringIO()):  # pycocotools tells how it goes
        runner = RUNNERS.build(config)
        runner.train_loop._max_iters = end
        runner.train()
    path = folder / "checkpoints" / f"iter_{end}.pth"
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return saved["state_dict"]


def _same(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [
        key for key, value in one.items()
        if not (torch.equal(value, other[key]) if torch.is_tensor(value) else value == other[key])
    ]  # fmt: skip


def _calls(device: str) -> dict[str, Callable[[], Any]]:
    torch.manual_seed(0)
    corners = torch.rand(2000, 2, device=device) * 400
    boxes = torch.cat([corners, corners + 20 + 80 * torch.rand(2000, 2, device=device)], 1)
    scores = torch.rand(2000, device=device)
    features = torch.rand(2, 256, 100, 100, device=device)
    rois = torch.cat([torch.zeros(512, 1, device=device), boxes[:512]], 1)
    pooled = torch.zeros(512, 256, 7, 7, device=device)
    none = torch.zeros(0, device=device)
    pooling = dict(
        aligned_height=7, aligned_width=7, spatial_scale=0.25, sampling_ratio=0, pool_mode=1,
        aligned=True,
    )  # fmt: skip
    return {
        "NMS of 2,000 boxes": lambda: nms.nms(boxes, scores, iou_threshold=0.5, offset=0),
        "RoIAlign of 512 boxes, 256 channels": lambda: roi_align.roi_align_forward(
            features, rois, pooled, none, none, **pooling
        ),
    }


def _milliseconds(call: Callable[[], Any], device: str, rounds: int = 20) -> float:
    wait = torch.cuda.synchronize if device != "cpu" else lambda: None
    call()
    wait()
    start = time.perf_counter()
    for _ in range(rounds):
        call()
    wait()
    return (time.perf_counter() - start) / rounds * 1000


PARTS = dict(step=step, waits=waits, repeat=repeat, nccl=nccl, operators=operators)


def main() -> int:
    """Run one part here, or several in processes of their own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[[], *PARTS], default=[])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true", help="small models and images")
    given = parser.parse_args()
    if len(given.parts) == 1:
        ssdet.register()
        MMLogger.get_instance("benchmark", log_level="ERROR")
        return 0 if PARTS[given.parts[0]](given.device, given.small) else 1
    failed = []
    for part in given.parts or PARTS:
        print(f"== {part}", flush=True)
        options = ["--device", given.device, *(["--small"] if given.small else [])]
        command = [sys.executable, "-W", "ignore", __file__, part, *options]
        start = time.time()
        try:
            code = subprocess.run(command, check=False, timeout=LIMIT).returncode
        except subprocess.TimeoutExpired:
            code = f"none after {LIMIT} s"
        print(f"-- {part}: exit code {code}, {time.time() - start:.0f} s", flush=True)
        failed += [part] if code else []
    print(f"failed: {', '.join(failed) or 'nothing'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
