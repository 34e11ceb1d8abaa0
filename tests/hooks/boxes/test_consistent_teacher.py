"""The warm-up of Consistent-Teacher: queues fill while the student learns from labels alone."""

import pytest
import torch

from ssdet.engine.configs import load_config
from ssdet.hooks import GMMThresholdHook

from ...families.detectors import small_config
from ...helpers import build_pair, losses, multi_branch


def test_queues_fill_in_the_warm_up_and_the_student_waits():
    torch.manual_seed(0)
    detector = small_config("fam3d")
    detector.test_cfg.score_thr = 0.0
    model = build_pair(detector, unsup_weight=2.0, unsup_ramp=dict(length=2, kind="step"))
    # An untrained teacher promises no box at all (the sum of its scores is small): take many.
    hook = GMMThresholdHook(count_ratio=50.0)
    model.attach(hook)
    batch, seen = multi_branch(), []
    for _ in range(4):
        found = losses(model, batch)
        seen.append(
            float(sum(v for k, v in found.items() if k.startswith("unsup") and "loss" in k))
        )
    assert seen[:2] == [0, 0]
    assert seen[2] > 0
    assert seen[3] > 0
    assert (hook.history.queue > 0).sum() > 2 * hook.min_scores


def test_full_size_configs_wait_with_the_weight_and_not_with_the_teacher():
    for name, wait in (("coco", 10000), ("coco_2x8", 10000), ("coco-full", 10000), ("voc", 1000)):
        model = load_config(f"consistent_teacher/retinanet_r50_{name}.py").model
        assert model.get("burn_in", 0) == 0
        assert model.unsup_ramp == dict(length=wait, kind="step")


@pytest.mark.parametrize(
    ("name", "batch", "weight", "rate", "kept", "iou_weight"),
    [
        ("coco", (1, 4), 2.0, 0.01, 0.9995, 2.0),
        ("coco_2x8", (1, 1), 1.0, 0.005, 0.9998, 2.0),
        ("coco-full", (1, 4), 2.0, 0.01, 0.9998, 3.0),
        ("voc", (1, 4), 2.0, 0.01, 0.9995, 2.0),
    ],
)
def test_published_settings(name, batch, weight, rate, kept, iou_weight):
    cfg = load_config(f"consistent_teacher/retinanet_r50_{name}.py")
    assert cfg.train_dataloader.sampler.batch == batch
    assert cfg.train_dataloader.batch_size == sum(batch)
    assert cfg.model.unsup_weight == weight
    assert cfg.optim_wrapper.optimizer.lr == rate
    assert cfg.optim_wrapper.clip_grad.max_norm == 20
    assert cfg.custom_hooks[0].momentum == kept
    assert cfg.custom_hooks[1].background_weight == 0.01
    assert cfg.model.detector.train_cfg.assigner.iou_weight == iou_weight
    decays = [s for s in cfg.param_scheduler if s.type == "MultiStepLR"]
    assert [s.milestones for s in decays] == ([[480000, 640000]] if name == "coco-full" else [])
    # Batch norm learns its scales with few labels of COCO only.
    trained = cfg.model.detector.backbone.norm_cfg.requires_grad
    assert trained == (name in ("coco", "coco_2x8"))
