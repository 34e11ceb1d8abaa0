"""MMDetection's own mean teacher on a protocol of ssdet, for `benchmark_labels.py --peer`.

The losses, the pseudo labels, the moving average and the evaluation are MMDetection's code. Its
recipe wants a checkpoint that was trained before; it gets the one that all methods get. It trains
in float32: its pseudo boxes would be rounded to bfloat16, to two pixels.
"""

from __future__ import annotations

import copy
from typing import Any

from mmdet.models.detectors import SemiBaseDetector
from mmdet.registry import MODELS
from mmengine.config import Config

from ssdet.exits import UsageError

THRESHOLD, MOMENTUM = 0.4, 0.005  # MMDetection's momentum is the share that is new


@MODELS.register_module()
class SemiDetectorOfViews(SemiBaseDetector):
    """`SemiBaseDetector` on views whose matrices have more digits than its own."""

    def loss(self, inputs: dict[str, Any], samples: dict[str, Any]) -> dict[str, Any]:
        """The losses of the labeled and the unlabeled images."""
        for sample in (*samples["unsup_teacher"], *samples["unsup_student"]):
            matrix = sample.homography_matrix.astype("float32")
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
        type="SemiDetectorOfViews",
        detector=detector,
        data_preprocessor=dict(
            type="MultiBranchDataPreprocessor", data_preprocessor=detector.data_preprocessor
        ),
        semi_train_cfg=dict(cls_pseudo_thr=THRESHOLD),
        semi_test_cfg=dict(predict_on="teacher"),
    )
    config.optim_wrapper.type = "OptimWrapper"
    config.custom_hooks = [dict(type="MeanTeacherHook", momentum=MOMENTUM)]
    config.val_cfg = dict(type="TeacherStudentValLoop")
    config.test_cfg = dict(type="TestLoop")
    config.custom_imports = dict(imports=["ssdet", "benchmark_peer"])
    return config
