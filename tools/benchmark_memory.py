"""Memory of a training step with what is there to save it, and whether its gradient stays the same.

python tools/benchmark_memory.py [--size 256] [--images 2]

One step of a RetinaNet-R18 with labeled and unlabeled images, on a CPU. The peak is that of the
allocations within the step, as PyTorch's profiler records them: what the machine does besides has
no part in it, and it repeats to the byte.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.structures import InstanceData
from torch.nn.parallel import DistributedDataParallel
from torch.profiler import ProfilerActivity, profile

from ssdet.engine.configs import load_config
from ssdet.engine.out_of_memory import _backward
from ssdet.hooks import FixedThresholdHook, TeacherEMAHook
from ssdet.registry import MODELS

MIB = 2**20


def peak(work: Callable[[], Any]) -> tuple[float, Any]:
    """The most MiB that were allocated at once within a call, beyond what was before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        result = work()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        record.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    events = [event for event in events if event.get("name") == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda one: one["ts"]):
        now += event["args"]["Bytes"]
        most = max(most, now)
    return most / MIB, result


def pair(**settings: Any) -> Any:
    """Teacher and student with equal random weights in each call, without batch norm."""
    torch.manual_seed(0)
    detector = copy.deepcopy(load_config("ssdet::_base_/models/retinanet_r18_small.py").detector)
    detector.backbone.update(init_cfg=None, with_cp=settings.pop("with_cp", False))
    detector.test_cfg.score_thr = 0.0
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=detector, **settings))
    model.train().init_weights()
    model.attach(FixedThresholdHook(score=0.0))
    model.attach(TeacherEMAHook(momentum=0.999))
    return model


def batch(size: int, images: int) -> dict[str, Any]:
    """Random images; one box in each labeled one."""

    def sample(labeled: bool) -> DetDataSample:
        shape = dict(img_shape=(size, size), ori_shape=(size, size), scale_factor=(1.0, 1.0))
        found = DetDataSample(metainfo=shape)
        boxes = torch.tensor([[size / 8, size / 8, size / 2, size / 2]])[: int(labeled)]
        labels = torch.zeros(len(boxes), dtype=torch.long)
        found.gt_instances = InstanceData(bboxes=boxes, labels=labels)
        return found

    torch.manual_seed(1)
    pictures = torch.randint(0, 255, (2 * images, 3, size, size), dtype=torch.uint8).unbind()
    none: list[None] = [None] * images
    labeled, unlabeled = [*pictures[:images], *none], [*none, *pictures[images:]]
    return dict(
        inputs=dict(sup=labeled, unsup_teacher=unlabeled, unsup_student=list(unlabeled)),
        data_samples=dict(
            sup=[*(sample(True) for _ in none), *none],
            unsup_teacher=[*none, *(sample(False) for _ in none)],
            unsup_student=[*none, *(sample(False) for _ in none)],
        ),
    )


def step(model: Any, data: dict[str, Any], *, parts: bool = False) -> dict[str, torch.Tensor]:
    """The gradient of one step; in parts: backward after each branch."""
    optimizer = OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=0.0))
    model.release = partial(_backward, model, optimizer) if parts else None
    data = model.data_preprocessor(copy.deepcopy(data), True)
    total, _ = model.parse_losses(model(**data, mode="loss"))
    total.backward()
    model.release = None
    return {n: p.grad for n, p in model.student.named_parameters() if p.grad is not None}


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference of two gradients, as a share of the largest element."""
    most = max(float(value.abs().max()) for value in one.values())
    return max(float((one[name] - other[name]).abs().max()) for name in one) / most


def steps(data: dict[str, Any]) -> list[str]:
    """Rows of the first table."""
    rows, plain = [], None
    for name, settings, parts in (
        ("as it is", {}, False),
        ("`joint_pass=True`", dict(joint_pass=True), False),
        ("activation checkpointing (`backbone.with_cp=True`)", dict(with_cp=True), False),
        ("backward after each branch (`oom=retry`)", {}, True),
        ("both of these", dict(with_cp=True), True),
    ):
        most, gradient = peak(partial(step, pair(**settings), data, parts=parts))
        plain = plain or gradient
        off = difference(plain, gradient)
        rows.append(f"| {name} | {most:.1f} | {off:.1e} |")
    return rows


def teachers(data: dict[str, Any]) -> list[str]:
    """Rows of the second one: the teacher's pass in two precisions."""
    model = pair().eval()
    views = model._step(**model.data_preprocessor(copy.deepcopy(data), True)).weak_views
    rows, plain = [], None
    for name, on in (("float32", False), ("bfloat16", True)):
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=on):
            most, found = peak(partial(model.student.extract_feat, views.inputs))
            scores = model.student.bbox_head(found)[0]
        scores = torch.cat([one.float().sigmoid().flatten() for one in scores])
        plain = scores if plain is None else plain
        off = float((scores - plain).abs().max())
        rows.append(f"| {name} | {most:.1f} | {off:.1e} |")
    return rows


def frozen() -> list[str]:
    """What DDP and the optimizer hold of student and teacher."""
    model = pair()
    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    reduced = DistributedDataParallel(model)._build_params_for_reducer()[0]
    torch.distributed.destroy_process_group()
    config = dict(
        optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.01),
        paramwise_cfg=dict(norm_decay_mult=0.0),
    )
    groups = build_optim_wrapper(model, config).optimizer.param_groups
    counts = {
        "student": sum(p.numel() for p in model.student.parameters()),
        "teacher": sum(p.numel() for p in model.teacher.parameters()),
        "reduced by DDP": sum(p.numel() for p in reduced),
        "in the optimizer": sum(p.numel() for group in groups for p in group["params"]),
    }
    return [f"| {name} | {count / 1e6:.2f} |" for name, count in counts.items()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=256, help="sides of the images")
    parser.add_argument("--images", type=int, default=2, help="of each branch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # a line for each frozen parameter
    data = batch(options.size, options.images)
    print(
        "| step | peak, MiB | difference of the gradient |\n|---|---|---|", *steps(data), sep="\n"
    )
    print(
        "\n| backbone and neck of the teacher | peak, MiB | difference of scores |\n|---|---|---|"
    )
    print(*teachers(data), sep="\n")
    print("\n| parameters | million |\n|---|---|", *frozen(), sep="\n")


if __name__ == "__main__":
    main()
