"""Trainings without a labeled image: what starts from a checkpoint learns, and is watched."""

import pytest
import torch

from ssdet.engine.configs import load_config
from tests.test_demos import _confidence, run, small  # noqa: F401


@pytest.mark.parametrize(
    "name", ["deeplabv3plus_demo_source-free.py", "faster-rcnn_demo_test-time.py"]
)
def test_a_model_adapts_without_labels(name, tmp_path):
    cfg = small(f"adaptation/{name}", tmp_path, 2)
    cfg.train_dataloader.batch_size, cfg.train_dataloader.sampler.batch = 2, (2,)
    runner = run(cfg)
    (source,) = runner.train_dataloader.dataset.datasets
    assert not runner.train_dataloader.dataset.is_labeled(0) and len(source) > 0
    model = runner.model
    apart = [
        not torch.equal(student, teacher)
        for student, teacher in zip(
            model.student.parameters(), model.teacher.parameters(), strict=True
        )
    ]
    assert any(apart), "the student has moved"
    log = runner.message_hub.log_scalars
    assert not any(key.startswith("train/sup_") for key in log)
    assert any(key.startswith("train/unsup") and value.data[0].max() > 0
               for key, value in log.items() if "loss" in key)  # fmt: skip
    hooks = [type(hook).__name__ for hook in runner.hooks]
    assert "PseudoLabelMonitorHook" in hooks


def test_the_validation_is_in_the_domain_of_the_unlabeled_images():
    for name in ("deeplabv3plus_demo.py", "faster-rcnn_demo.py"):
        cfg = load_config(f"adaptation/{name}", {"domain": "noise"})
        labeled, unlabeled = cfg.train_dataloader.dataset.datasets
        assert "domain" not in labeled.pipeline[0].shared[0]
        assert unlabeled.pipeline[0].shared[0].domain == "noise"
        assert cfg.val_dataloader.dataset.pipeline[0].domain == "noise"
        assert cfg.test_dataloader.dataset.pipeline[0].domain == "noise"
