"""A model that trains in a millisecond, and a runner for it."""

import copy
import itertools
import random
from typing import ClassVar

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from ssdet.engine import SafeRunner
from ssdet.registry import DATASETS, METRICS, MODELS

_count = itertools.count()


@DATASETS.register_module()
class ToyData(Dataset):
    metainfo: ClassVar = dict(classes=("a",), palette=[(1, 2, 3)])
    read = 0
    sum = "abc"

    def __len__(self):
        return 8

    def __getitem__(self, index):
        ToyData.read += 1
        return {"x": torch.full((3,), index / 8), "i": index}

    def checksum(self):
        return ToyData.sum


@MODELS.register_module()
class ToyModel(BaseModel):
    """Its loss draws from all three global generators."""

    def __init__(self, broken=()):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.calls, self.broken = 0, broken

    def forward(self, x, i, mode="tensor"):
        y = self.layer(torch.stack(x))
        if mode != "loss":
            return [float(value) for value in y]
        self.calls += 1
        noise = torch.randn(1) * 0.1 + random.random() + np.random.rand()
        loss = ((y - noise) ** 2).mean()
        factor = float("nan") if self.calls in self.broken else 1.0
        return {"loss_a": loss * factor, "loss_b": loss * 0.5, "pseudo/kept": torch.stack(x).sum()}


@MODELS.register_module()
class ToyPair(ToyModel):
    """A model with a teacher, as the loops know one."""

    def __init__(self):
        super().__init__()
        self.predict_with = "student"
        self.asked = []

    def forward(self, x, i, mode="tensor"):
        if mode == "loss":
            return super().forward(x, i, mode)
        self.asked.append((self.predict_with, tuple(i)))
        value = {"teacher": 2.0, "student": 1.0}[self.predict_with]
        return [value] * len(x)


@METRICS.register_module()
class ToyMetric(BaseMetric):
    fail = False

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        if ToyMetric.fail:
            raise RuntimeError("no metric today")
        return {"aAcc": 0.5, "mIoU": sum(results) / len(results)}


BASE = dict(
    model=dict(type="ToyModel"),
    train_dataloader=dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type="InfiniteSampler", shuffle=True),
        dataset=dict(type="ToyData"),
        collate_fn=dict(type="pseudo_collate"),
    ),
    train_cfg=dict(type="IterBasedTrainLoop", max_iters=6, val_interval=3),
    optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1, momentum=0.9)),
    param_scheduler=[
        dict(type="LinearLR", start_factor=0.1, begin=0, end=4, by_epoch=False),
    ],
    val_dataloader=dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type="DefaultSampler", shuffle=False),
        dataset=dict(type="ToyData"),
        collate_fn=dict(type="pseudo_collate"),
    ),
    val_evaluator=dict(type="ToyMetric"),
    val_cfg=dict(type="TeacherStudentLoop"),
    default_hooks=dict(
        logger=dict(type="ProgressHook", interval=1),
        metrics=dict(type="MetricsFileHook", interval=1),
        checkpoint=dict(
            type="AtomicCheckpointHook",
            by_epoch=False,
            interval=2,
            max_keep_ckpts=2,
            save_best="auto",
        ),
    ),
    visualizer=dict(type="Visualizer", vis_backends=[]),
    randomness=dict(seed=0),
    default_scope="mmengine",
)


def toy(work_dir, *, runner=SafeRunner, **changes):
    """A runner for the toy; `checkpoint__interval=3` changes a value inside."""
    config = Config(copy.deepcopy(BASE))
    config.work_dir = str(work_dir)
    # MMEngine's own runner keeps loggers and message hubs by this name and the second of the start.
    config.experiment_name = f"toy{next(_count)}"
    if "train_cfg" in changes:
        config.train_cfg = changes.pop("train_cfg")
    config.merge_from_dict({key.replace("__", "."): value for key, value in changes.items()})
    if runner is Runner:
        hooks = config.default_hooks
        hooks.logger = dict(type="LoggerHook", interval=1)
        hooks.update({name: dict(type=kind) for name, kind in PLAIN.items()})
    return runner.from_cfg(config)


PLAIN = {"run_folder": "RunFolderHook", "stop": "GracefulStopHook", "finite": "FiniteGuardHook"}
