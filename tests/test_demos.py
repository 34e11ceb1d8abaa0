"""The demo of every method trains, is resumed and is evaluated; in a few iterations, on few scenes.

What a demo of full length measures stands in docs/benchmarks.md.
"""

import math
from pathlib import Path

import pytest
import torch
from mmengine.registry import HOOKS, RUNNERS

from ssdet.engine.configs import load_config
from ssdet.hooks import StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels

CONFIGS = Path(__file__).parents[1] / "configs"
DEMOS = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob("*/*_demo.py"))


class ConfidenceForTests(StepHook):
    """A teacher of some iterations is sure of nothing; this one, and any second one, says it is.

    The hook also sees which parameters of the student get a gradient.
    """

    phase = Phase.LABEL

    def on_attach(self, model):
        super().on_attach(model)
        label = model.label

        def surely(*args, **kwargs):
            pseudo = label(*args, **kwargs)
            for labels in [pseudo] if isinstance(pseudo, PixelLabels) else pseudo:
                labels.scores = 0.95 + 0.05 * labels.scores
            return pseudo

        model.label = surely
        learning = {n: p for n, p in model.student.named_parameters() if p.requires_grad}
        self.without_gradient = set(learning)
        for name, parameter in learning.items():
            parameter.register_post_accumulate_grad_hook(self._seen(name))

    def _seen(self, name):
        return lambda _: self.without_gradient.discard(name)


def small(name, work_dir, iterations):
    """The config with little data and a burn-in of one iteration; else as shipped."""
    cfg = load_config(name)
    cfg.work_dir = str(work_dir)
    cfg.model.burn_in = min(1, cfg.model.get("burn_in", 0))
    if "unsup_ramp" in cfg.model:
        cfg.model.unsup_ramp.length = 1
    cfg.train_cfg.update(max_iters=iterations, val_interval=iterations)
    cfg.default_hooks.checkpoint.update(interval=iterations, save_best=None)
    for hook in ("logger", "metrics"):
        cfg.default_hooks[hook].interval = 1
    loader = cfg.train_dataloader
    for dataset in loader.dataset.datasets:
        dataset.update(count=8, labeled=4)
    loader.batch_size, loader.sampler.batch = 4, (2, 2)
    for part in ("val_dataloader", "test_dataloader"):
        cfg[part].dataset.count = cfg[part].batch_size = 4
    model = cfg.model.get("detector")
    if model is not None:
        model.test_cfg.get("rcnn", model.test_cfg).score_thr = 0.0
    for hook in cfg.custom_hooks:
        if hook["type"] == "CalibratedThresholdHook":  # such a teacher is never right
            hook.update(target=0.0, background=0.0)
        if hook["type"] == "OpenSetHook":  # to its classifiers everything is unknown yet
            hook.update(unknown=0.9)
    cfg.custom_hooks.insert(0, dict(type="ConfidenceForTests", priority="VERY_HIGH"))
    return cfg


def run(cfg):
    runner = RUNNERS.build(cfg)
    runner.train()
    return runner


@pytest.fixture(autouse=True)
def _confidence():
    HOOKS.register_module(module=ConfidenceForTests, force=True)
    yield
    del HOOKS.module_dict["ConfidenceForTests"]


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_trains_resumes_and_is_evaluated(name, tmp_path):
    run(small(name, tmp_path, 2))
    cfg = small(name, tmp_path, 4)
    cfg.resume = True
    # What fades over the length of the run would be another run with another length.
    cfg.resume_anyway = name.startswith(("external_labels", "semicd_vl"))
    runner = run(cfg)
    watch = next(hook for hook in runner.hooks if isinstance(hook, ConfidenceForTests))
    assert runner.iter == 4 and runner.model.iteration == 4
    scalars = runner.message_hub.log_scalars
    learned = {key: log.data[0] for key, log in scalars.items() if "loss" in key}
    assert all(math.isfinite(value) for values in learned.values() for value in values)
    taught = [max(values) for key, values in learned.items() if key.startswith("train/unsup")]
    assert taught and max(taught) > 0, "nothing was learned from unlabeled images"
    measured = [log.current() for key, log in scalars.items() if key.startswith("val/")]
    assert measured and any(value >= 0 for value in measured)
    assert watch.without_gradient == set()
    assert not any(p.requires_grad or p.grad is not None for p in runner.model.teacher.parameters())
    for key, value in runner.model.teacher.state_dict().items():
        assert torch.isfinite(value.float()).all(), key
