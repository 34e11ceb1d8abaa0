"""A trial of a training: two steps, an evaluation, a checkpoint written and read; what it costs."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook

from ..exits import Exit, RunError
from ..registry import RUNNERS
from .checkpoint_file import read_checkpoint
from .checkpoint_index import find_latest
from .unknown_settings import nearest

STEPS, _IMAGES = 2, 2
_OFF = ("run_folder", "logger", "metrics", "monitor", "report", "visualization")
# Words of an error, and what to do about it.
_ADVICE = {
    "gt_edge_map": "the model learns from edge maps, which pseudo labels do not have; take another",
    "out of memory": "make batch or image_scale smaller, or train with --amp",
    "must match": "if the sides of images are no multiples of the model's stride: "
    "model.detector.data_preprocessor.pad_size_divisor=32",
    "selected index k out of range": "the model takes more candidates than such small images "
    "have: make image_scale larger",
    "gt_masks": "the model learns outlines: with_mask=True, and labels that have them",
    "gt_sem_seg": "the model learns label maps beside boxes: take one that does not",
}


@dataclass
class Trial:
    """What a trial cost.

    Attributes:
        compute, data: Seconds of the last step, and of loading its images in one process.
        evaluation: Seconds of an image in an evaluation.
        save: Seconds of a checkpoint.
        memory: Bytes: of the GPU, or of the whole process on a CPU; 0 where no system call tells.
        device: "GPU" or "CPU".
        losses: Of the last step.
        iterations, evaluations, images: Of the training: its length, how often and on how many
            images it evaluates.
        workers: Processes that load images.
    """

    compute: float = 0.0
    data: float = 0.0
    evaluation: float = 0.0
    save: float = 0.0
    memory: int = 0
    device: str = "CPU"
    losses: dict[str, float] = field(default_factory=dict)
    iterations: int = 0
    evaluations: int = 0
    images: int = 0
    workers: int = 0

    @property
    def seconds(self) -> float:
        """How long the training will take."""
        step = self.compute + self.data
        if self.workers:
            step = max(self.compute, self.data / self.workers)
        each = self.evaluation * self.images + self.save
        return self.iterations * step + self.evaluations * each

    @property
    def told(self) -> str:
        """The result in a line."""
        used = f"{self.memory / 2**30:.2g} GB on the {self.device}; " if self.memory else ""
        return (
            f"{STEPS} steps, an evaluation, a checkpoint: {self.compute:.2g} s a step and "
            f"{self.data:.2g} s for its images, {self.evaluation:.2g} s an image to evaluate, "
            f"{used}{self.iterations} iterations and {self.evaluations} evaluations take about "
            f"{_duration(self.seconds)} here"
        )


def try_out(config: Any, name: str) -> Trial:
    """Train for two steps with labeled and unlabeled images, evaluate, save and load.

    The config is not changed and nothing stays on the disk. The burn-in is left out, so that pseudo
    labels are learned, too. What goes wrong is a `RunError` that names the part.
    """
    trial = Trial()
    with tempfile.TemporaryDirectory() as folder, _quiet():
        stage = ["building it"]
        try:
            _run(copy.deepcopy(config), Path(folder), trial, stage)
        except Exception as error:
            raise _explained(error, name, stage[0]) from error
    return trial


def _run(config: Any, folder: Path, trial: Trial, stage: list[str]) -> None:
    loop = dict(config.get("train_cfg") or {})
    shorten(config, folder)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    runner = RUNNERS.build(config)
    trial.workers = _without_workers(runner._train_dataloader)
    _without_workers(runner._val_dataloader)
    trial.images = _fewer_images(runner._val_dataloader)
    # Behind the hooks of the method, before the one that writes checkpoints.
    runner.register_hook(_Watch(trial, stage), priority="LOW")
    runner.train()
    trial.iterations = loop.get("max_iters") or (
        loop.get("max_epochs", 1) * _epoch(runner.train_dataloader)
    )
    interval = loop.get("val_interval") or trial.iterations
    rounds = trial.iterations if loop.get("max_iters") else loop.get("max_epochs", 1)
    trial.evaluations = max(rounds // max(interval, 1), 1) if trial.images else 0
    stage[0] = "reading its checkpoint"
    path, _ = find_latest(folder)
    if path is None:
        raise RuntimeError("no checkpoint was written")
    runner.model.load_state_dict(read_checkpoint(path)["state_dict"])
    if torch.cuda.is_available():
        trial.memory, trial.device = torch.cuda.max_memory_allocated(), "GPU"
    else:
        trial.memory = _peak()


def shorten(config: Any, folder: Path) -> None:
    """Two iterations, then an evaluation and a checkpoint, in a folder of their own."""
    config.work_dir = str(folder)
    config.runner_type = "SafeRunner"
    config.launcher, config.log_level, config.resume = "none", "ERROR", False
    config.train_cfg = dict(type="IterBasedTrainLoop", max_iters=STEPS, val_interval=STEPS)
    hooks = dict(config.get("default_hooks") or {})
    hooks |= dict.fromkeys(_OFF)
    hooks["checkpoint"] = dict(type="AtomicCheckpointHook", interval=STEPS, by_epoch=False)
    config.default_hooks = hooks
    config.visualizer = dict(type="Visualizer", vis_backends=None)
    if "burn_in" in config.get("model", {}):
        # The last step has unlabeled images; a hook may need the teacher of a burn-in.
        config.model.burn_in = min(config.model.burn_in, STEPS - 1)
    if config.get("param_scheduler"):
        config.param_scheduler = [s for s in _listed(config.param_scheduler) if not _by_epoch(s)]


class _Watch(Hook):
    """Times the parts of a trial."""

    def __init__(self, trial: Trial, stage: list[str]) -> None:
        self.trial, self.stage = trial, stage
        self.last = self.begun = time.perf_counter()

    def before_train(self, runner: Any) -> None:
        self.stage[0] = "a step of training"
        self.last = time.perf_counter()

    def before_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        self.begun = time.perf_counter()
        self.trial.data = self.begun - self.last

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.last = time.perf_counter()
        self.trial.compute = self.last - self.begun
        self.trial.losses = {
            key: float(torch.as_tensor(value).detach())
            for key, value in (outputs or {}).items()
            if "loss" in key
        }
        if runner.iter + 1 >= STEPS:
            self.stage[0] = "writing its checkpoint"

    def before_val(self, runner: Any) -> None:
        self.trial.save = time.perf_counter() - self.last
        self.stage[0] = "an evaluation"
        self.begun = time.perf_counter()

    def after_val(self, runner: Any) -> None:
        count = min(_IMAGES, self.trial.images) or 1
        self.trial.evaluation = (time.perf_counter() - self.begun) / count


def _without_workers(loader: Any) -> int:
    """Images are loaded here; returns by how many processes they would have been."""
    if not isinstance(loader, dict):
        return 0
    workers = int(loader.get("num_workers") or 0)
    loader.update(num_workers=0, persistent_workers=False)
    loader.pop("prefetch_factor", None)
    return workers


def _fewer_images(loader: Any) -> int:
    """The data set is cut down to a few images; returns how many there are."""
    if not isinstance(loader, dict):
        return 0
    from mmengine.registry import DATASETS

    dataset = DATASETS.build(loader["dataset"])
    count = len(dataset)
    if hasattr(dataset, "get_subset_") and count > _IMAGES:
        dataset.get_subset_(_IMAGES)
    loader["dataset"] = dataset
    return count


def _peak() -> int:
    """The most bytes that this process has had; 0 on Windows, where Python cannot tell."""
    try:
        import resource
    except ImportError:
        return 0
    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024  # macOS counts bytes, Linux KB


def _epoch(loader: Any) -> int:
    try:
        return len(loader)
    except TypeError:
        return len(loader.dataset)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _by_epoch(scheduler: Mapping[str, Any]) -> bool:
    return bool(scheduler.get("by_epoch", True))


def _explained(error: Exception, name: str, stage: str) -> RunError:
    text = str(error)
    told = f"config {name}: {stage} fails: {type(error).__name__}: {text}{nearest(error)}"
    advice = next((more for word, more in _ADVICE.items() if word in text), "")
    if isinstance(error, RunError):
        told = f"config {name}: {stage} fails: {text}"
    wrapped = RunError(f"{told}{'. ' if advice else ''}{advice}")
    wrapped.exit_code = error.exit_code if isinstance(error, RunError) else Exit.USAGE
    return wrapped


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Evaluators print tables, and models warn: here only an error counts."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
