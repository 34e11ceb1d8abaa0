"""MMDetection's own mean teacher on a protocol of ssdet, for `benchmark_labels.py --peer`.

The losses, the pseudo labels, the moving average and the evaluation are MMDetection's code. Only a
burn-in is added, since it has none: its recipe wants a checkpoint that was trained before.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmdet.models.detectors import SemiBaseDetector
from mmdet.registry import MODELS
from mmengine.config import Config

from ssdet.engine.exits import UsageError

THRESHOLD, MOMENTUM = 0.4, 0.005  # MMDetection's momentum is the share that is new


@MODELS.register_module()
class SemiDetectorWithBurnIn(SemiBaseDetector):
    """`SemiBaseDetector` after `burn_in` iterations with labels alone.

    Student and teacher then start as they would from a checkpoint: as copies of each other.
    """

    def __init__(self, *args: Any, burn_in: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.burn_in = burn_in
        self.register_buffer("iteration", torch.zeros((), dtype=torch.long))

    def loss(self, inputs: dict[str, Any], samples: dict[str, Any]) -> dict[str, Any]:
        """The losses of the labelled images, or MMDetection's of both."""
        iteration = int(self.iteration)
        self.iteration += 1
        if iteration < self.burn_in:
            return self.loss_by_gt_instances(inputs["sup"], samples["sup"])
        if iteration == self.burn_in > 0:
            self.teacher.load_state_dict(self.student.state_dict())
        for sample in (*samples["unsup_teacher"], *samples["unsup_student"]):
            matrix = sample.homography_matrix.astype("float32")  # as MMDetection's own are
            sample.set_metainfo({"homography_matrix": matrix})
        return super().loss(inputs, samples)


def peer(protocol: Config) -> Config:
    """A protocol with MMDetection's model, hook and validation in place of ours."""
    if "detector" not in protocol.model:
        raise UsageError(
            f"--peer: MMDetection has detectors only, and {protocol.filename} has none"
        )
    config = copy.deepcopy(protocol)
    detector = config.model.detector
    config.model = dict(
        type="SemiDetectorWithBurnIn",
        detector=detector,
        burn_in=config.model.burn_in,
        data_preprocessor=dict(
            type="MultiBranchDataPreprocessor", data_preprocessor=detector.data_preprocessor
        ),
        semi_train_cfg=dict(cls_pseudo_thr=THRESHOLD),
        semi_test_cfg=dict(predict_on="teacher"),
    )
    config.custom_hooks = [dict(type="MeanTeacherHook", momentum=MOMENTUM)]
    config.val_cfg = dict(type="TeacherStudentValLoop")
    config.test_cfg = dict(type="TestLoop")
    config.custom_imports = dict(imports=["ssdet", "benchmark_peer"])
    return config
