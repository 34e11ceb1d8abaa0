"""Time a training step of ssdet beside a bare loop and beside MMDetection's own mean teacher.

    python tools/benchmark_step.py [--models retinanet faster-rcnn dino deeplabv3plus soft-teacher]
                                   [--size 256 320] [--rounds 20] [--device cpu]
                                   [--precision fp32] [--threads 1] [--channels-last] [--compile]
                                   [--memory] [--views]

All sides start from the same weights and get the same images: as many labeled as unlabeled ones,
with the same number of pseudo boxes. Each round takes a step of every side in turn. A bare loop is
what is left if nothing can be exchanged: the teacher labels, the student learns from all images in
one pass, the optimizer steps, the teacher's weights move. MMDetection's side is its
`SemiBaseDetector`, for `soft-teacher` its `SoftTeacher`. Data loading is part of it with `--views`:
each side then reads the photographs of its step itself, ssdet through `WeakStrongViews`, the others
through MMDetection's `MultiBranch`.
On a CPU the time of the process counts, so that a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ssdet  # before MMDetection, for whose operators it stands in

# isort: split
import benchmark_memory
import benchmark_views
import numpy as np
import torch
from mmdet.engine.hooks import MeanTeacherHook
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData
from torch import Tensor, nn

from ssdet.engine.configs import load_config
from ssdet.hooks import BackgroundScoreHook, BoxJitterHook, FixedThresholdHook, TeacherEMAHook
from ssdet.registry import MODELS

BASES = {
    "retinanet": "mmdet::_base_/models/retinanet_r50_fpn.py",
    "faster-rcnn": "mmdet::_base_/models/faster-rcnn_r50_fpn.py",
    "dino": "mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py",
    "deeplabv3plus": "mmseg::_base_/models/deeplabv3plus_r50-d8.py",
    "soft-teacher": "mmdet::_base_/models/faster-rcnn_r50_fpn.py",
}
SIDES = {  # beside ssdet
    "dino": ("bare",),  # `SemiBaseDetector` cannot build a second one of the same config
    "deeplabv3plus": ("bare",),  # MMSegmentation has no teacher
    "soft-teacher": ("MMDetection",),
}
PRECISIONS = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}
MOMENTUM = 0.999
JITTER, ANY_SPREAD = (10, 0.06), 1e9  # Soft Teacher's; all boxes teach regression, too
Step = Callable[[dict[str, Any]], float]


def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=list(BASES), default=list(BASES))
    parser.add_argument("--depth", type=int, default=18, help="of the ResNet (18 or 50)")
    parser.add_argument("--images", type=int, default=4, help="labeled, and as many unlabeled")
    parser.add_argument("--boxes", type=int, default=20, help="pseudo boxes of an image")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 320), metavar=("H", "W"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=list(PRECISIONS), default="fp32")
    parser.add_argument("--channels-last", action="store_true", help="in ssdet: channels_last=True")
    parser.add_argument("--compile", action="store_true", help="in ssdet: compile_student=dict()")
    parser.add_argument("--views", action="store_true", help="read the images in the step")
    parser.add_argument("--memory", action="store_true", help="compare peaks on a CPU, too")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    ssdet.register()
    MMLogger.get_instance("benchmark", log_level="ERROR")  # what the models tell of their weights
    for name in given.models:
        print(compare(name, given), flush=True)


def compare(name: str, given: argparse.Namespace) -> str:
    """Build all sides and measure them."""
    others = SIDES.get(name, ("bare", "MMDetection"))
    settings = dict(channels_last=given.channels_last)
    if given.compile:
        settings["compile_student"] = dict()
    makers = dict(ssdet=partial(ours, settings), bare=bare, MMDetection=peer)
    sides = {}
    for side in ("ssdet", *others):
        torch.manual_seed(0)
        model = small(name, given.depth, given.boxes)
        sides[side] = makers[side](name, model, given.device, PRECISIONS[given.precision])
    size = tuple(given.size)
    with tempfile.TemporaryDirectory() as folder:
        if given.views:
            scope = "mmseg" if name == "deeplabv3plus" else "mmdet"
            reader = benchmark_views.StepReader(scope, Path(folder), given.images, size)
            sides = {side: reading(step, reader, side != "ssdet") for side, step in sides.items()}
            return measured(name, given, sides, lambda seed: seed)
        return measured(name, given, sides, lambda seed: batch(seed, given.images, size))


def reading(step: Step, reader: benchmark_views.StepReader, side: bool) -> Callable[[int], float]:
    """A step that reads its images first."""
    return lambda seed: step(reader.read(side, seed))


def measured(
    name: str, given: argparse.Namespace, sides: dict[str, Callable], data_of: Callable[[int], Any]
) -> str:
    """Take the steps of all sides in turn, and put the medians into a line."""
    times: dict[str, list[float]] = {side: [] for side in sides}
    memory: dict[str, float] = {}
    for number in range(given.rounds + 2):  # the first two warm up
        for side, step in sides.items():
            data = data_of(number)
            seconds, peak = timed(step, data, given.device)
            if number >= 2:
                times[side].append(seconds)
                memory[side] = max(peak, memory.get(side, 0))
    if given.memory and given.device == "cpu":
        memory = {
            side: benchmark_memory.peak(partial(step, data_of(0)))[0]
            for side, step in sides.items()
        }
    own = statistics.median(times["ssdet"]) * 1000
    others = [side for side in sides if side != "ssdet"]
    parts = [f"{name}, {given.device}, {given.precision}: {own:.0f} ms a step of ssdet"]
    for other in others:
        ratios = [a / b for a, b in zip(times["ssdet"], times[other], strict=True)]
        low, half, high = np.quantile(ratios, (0.25, 0.5, 0.75))
        line = f"{half:.2f} x {other} ({low:.2f} to {high:.2f})"
        if any(memory.values()):
            line += f", memory {memory['ssdet'] / memory[other]:.2f} x"
        parts.append(line)
    return "; ".join(parts)


def timed(step: Callable, data: Any, device: str) -> tuple[float, int]:
    """Seconds of a step, and the memory that it takes on a GPU."""
    if device == "cpu":
        start = time.process_time()
        step(data)
        return time.process_time() - start, 0
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.synchronize()
    start = time.perf_counter()
    step(data)
    torch.cuda.synchronize()
    return time.perf_counter() - start, torch.cuda.max_memory_allocated()


def small(name: str, depth: int, boxes: int) -> ConfigDict:
    """A model with a ResNet of this depth, whose teacher always finds boxes."""
    model = load_config(BASES[name]).model
    if name == "deeplabv3plus":
        return _small_segmentor(model, depth)
    model.backbone.update(depth=depth, init_cfg=None)
    if depth == 18:
        model.neck.in_channels = [width // 4 for width in model.neck.in_channels]
    test = model.test_cfg.get("rcnn", model.test_cfg)
    test.update(max_per_img=boxes, **({} if name == "dino" else {"score_thr": 0.0}))
    return model


def _small_segmentor(model: ConfigDict, depth: int) -> ConfigDict:
    model.update(pretrained=None, auxiliary_head=None)
    model.data_preprocessor.size_divisor = 1
    model.backbone.depth = depth
    for part in (model.backbone, model.decode_head):
        part.norm_cfg = dict(type="BN", requires_grad=True)
    if depth == 18:
        model.decode_head.update(in_channels=512, c1_in_channels=64, channels=128)
    return model


def batch(seed: int, images: int, size: tuple[int, int]) -> dict[str, Any]:
    """Noise with three annotated boxes an image, as the loader gives it."""
    random = torch.Generator().manual_seed(seed)
    draw = [torch.randint(0, 256, (3, *size), generator=random).byte() for _ in range(2 * images)]
    inputs: dict[str, list] = {}
    samples: dict[str, list] = {}
    for branch in ("sup", "unsup_teacher", "unsup_student"):
        has = [(n < images) == (branch == "sup") for n in range(2 * images)]
        inputs[branch] = [draw[n] if one else None for n, one in enumerate(has)]
        samples[branch] = [sample(n, size) if one else None for n, one in enumerate(has)]
    return dict(inputs=inputs, data_samples=samples)


def sample(number: int, size: tuple[int, int]) -> DetDataSample:
    """Three boxes, and a view that is the image itself."""
    meta = dict(
        img_shape=size, ori_shape=size, batch_input_shape=size, img_id=number,
        img_path=f"{number}.jpg", scale_factor=(1.0, 1.0),
        homography_matrix=np.eye(3, dtype=np.float32),
    )  # fmt: skip
    boxes = torch.tensor([[8.0, 8, 60, 60], [70, 20, 150, 120], [30, 90, 200, 240]])
    found = DetDataSample(metainfo=meta)
    found.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0, 1, 2]))
    map_ = torch.arange(size[0])[:, None] // 16 % 3 + torch.zeros(size, dtype=torch.long)
    found.gt_sem_seg = PixelData(data=map_[None])
    return found


def wrapper(parameters: Any, precision: torch.dtype | None) -> OptimWrapper:
    """SGD, in half precision where that is asked for."""
    optimizer = torch.optim.SGD(parameters, lr=1e-4, momentum=0.9)
    if precision is None:
        return OptimWrapper(optimizer)
    return AmpOptimWrapper(dtype=str(precision).partition(".")[2], optimizer=optimizer)


def ours(
    settings: dict[str, Any],
    name: str,
    model: ConfigDict,
    device: str,
    precision: torch.dtype | None,
) -> Step:
    """The step of `ssdet train` with its usual hooks, in a joint pass where they allow it."""
    average = TeacherEMAHook(momentum=MOMENTUM)
    hooks: list[Any] = [FixedThresholdHook(score=0.0), average]
    config = dict(type="TeacherStudentDetector", detector=model, joint_pass=True)
    if name == "deeplabv3plus":
        config = dict(type="TeacherStudentSegmentor", segmentor=model, joint_pass=True)
    elif name == "soft-teacher":
        config["joint_pass"] = False
        jitter = BoxJitterHook(times=JITTER[0], scale=JITTER[1], max_spread=ANY_SPREAD)
        hooks = [FixedThresholdHook(score=0.0), jitter, BackgroundScoreHook(), average]
    network: Any = MODELS.build({**config, **settings}).to(device)
    network.init_weights()
    network.train()
    for hook in hooks:
        network.attach(hook)
    optimizer = wrapper(network.student.parameters(), precision)
    average.watch(optimizer.optimizer)

    def step(data: dict[str, Any]) -> float:
        losses = network.train_step(data, optimizer)
        average.after_train_iter(None, 0)
        return float(losses["loss"])

    return step


def peer(name: str, model: ConfigDict, device: str, precision: torch.dtype | None) -> Step:
    """MMDetection's `SemiBaseDetector` or `SoftTeacher`, with its `MeanTeacherHook`."""
    own = model.data_preprocessor
    settings = dict(cls_pseudo_thr=0.0)
    if name == "soft-teacher":
        settings.update(
            pseudo_label_initial_score_thr=0.0, rpn_pseudo_thr=0.0, reg_pseudo_thr=ANY_SPREAD,
            jitter_times=JITTER[0], jitter_scale=JITTER[1], min_pseudo_bbox_wh=(1e-2, 1e-2),
        )  # fmt: skip
    config = dict(
        type="SoftTeacher" if name == "soft-teacher" else "SemiBaseDetector", detector=model,
        data_preprocessor=dict(type="MultiBranchDataPreprocessor", data_preprocessor=own),
        semi_train_cfg=ConfigDict(settings), semi_test_cfg=dict(predict_on="teacher"),
    )  # fmt: skip
    with DefaultScope.overwrite_default_scope("mmdet"):
        network: Any = MODELS.build(dict(config, _scope_="mmdet")).to(device)
    network.init_weights()
    network.teacher.load_state_dict(network.student.state_dict())
    network.train()
    hook = MeanTeacherHook(momentum=1 - MOMENTUM)
    optimizer = wrapper(network.student.parameters(), precision)

    def step(data: dict[str, Any]) -> float:
        losses = network.train_step(data, optimizer)
        hook.after_train_iter(SimpleNamespace(iter=0, model=network), 0)
        return float(losses["loss"])

    return step


def bare(name: str, model: ConfigDict, device: str, precision: torch.dtype | None) -> Step:
    """The same sum with nothing around it."""
    scope = "mmseg" if name == "deeplabv3plus" else "mmdet"
    with DefaultScope.overwrite_default_scope(scope):
        student: Any = MODELS.build(dict(model, _scope_=scope)).to(device)
    student.init_weights()
    teacher = copy.deepcopy(student).eval().requires_grad_(False)
    student.train()
    optimizer = wrapper(student.parameters(), precision)

    def images(data: dict[str, Any], branch: str) -> tuple[Tensor, list]:
        given = [[v for v in data[key][branch] if v is not None] for key in data]
        whole = student.data_preprocessor(dict(inputs=given[0], data_samples=given[1]), True)
        return whole["inputs"], whole["data_samples"]

    def step(data: dict[str, Any]) -> float:
        with optimizer.optim_context(student):
            weak, found = images(data, "unsup_teacher")
            strong, targets = images(data, "unsup_student")
            with torch.no_grad(), torch.autocast(device, enabled=False):
                label(teacher, weak, found, targets)
            labeled_images, truth = images(data, "sup")
            both = torch.cat([labeled_images, strong])
            total = total_of(student.loss(both, [*truth, *targets]))
        optimizer.update_params(total)
        move(teacher, student)
        return float(total)

    return step


def label(teacher: Any, weak: Tensor, found: list, targets: list) -> None:
    """Give the predictions of the teacher to the samples of the student."""
    if hasattr(teacher, "bbox_head") or hasattr(teacher, "roi_head"):
        for target, one in zip(targets, teacher.predict(weak, found, rescale=False), strict=True):
            target.gt_instances = one.pred_instances
    else:
        metas = [one.metainfo for one in found]
        classes = teacher.encode_decode(weak, metas).argmax(1)
        for target, one in zip(targets, classes, strict=True):
            target.gt_sem_seg = PixelData(data=one[None])


def total_of(losses: dict[str, Any]) -> Tensor:
    """The sum of everything that is called a loss."""
    parts = [v for k, v in losses.items() if "loss" in k]
    means = [sum(one.mean() for one in p) if isinstance(p, list) else p.mean() for p in parts]
    return torch.stack(means).sum()


@torch.no_grad()
def move(teacher: nn.Module, student: nn.Module) -> None:
    """The moving average of all weights in one call."""
    torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 1 - MOMENTUM)


if __name__ == "__main__":
    main()
