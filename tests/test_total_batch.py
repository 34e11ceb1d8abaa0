"""A config says for how many images its rate is meant; a training has as many, or says so."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from ssdet import total_batch
from ssdet.cli import main
from ssdet.doctor.findings import Findings
from ssdet.doctor.settings import check_settings
from ssdet.engine.configs import load_config
from ssdet.engine.runner import SafeRunner
from ssdet.exits import UsageError
from ssdet.hooks import StepHook, step_hook
from tests.reliability.harness import CONFIGS, Run, metrics
from tests.test_configs import NAMES

# The published number of images of an iteration, or ours where there is none: docs/reproduce.md.
TOTALS = {
    "acdc": (12, 12),
    "ade20k": (8, 8),
    "bccd": (4, 4),
    "cityscapes": (8, 8),
    "coco": (8, 32),
    "coco-full": (8, 32),
    "coco-seg": (16, 16),
    "dsb2018": (4, 4),
    "foggy": (8, 8),
    "levir": (8, 8),
    "voc": (8, 8),
    "voc12": (8, 8),
    "arsl/fcos_r50_coco.py": (32, 32),
    "augseg/deeplabv3plus_r101_cityscapes.py": (16, 16),
    "augseg/deeplabv3plus_r101_voc12.py": (16, 16),
    "consistent_teacher/retinanet_r50_coco_2x8.py": (8, 8),
    "consistent_teacher/retinanet_r50_voc.py": (8, 32),
    "cpc_sam/unet_acdc.py": (6, 6),
    "cw_bass/deeplabv3plus_r50_cityscapes.py": (16, 16),
    "cw_bass/deeplabv3plus_r50_voc12.py": (16, 16),
    "ddfp/deeplabv3plus_r101_voc12.py": (16, 16),
    "dense_teacher/fcos_r50_coco-full.py": (16, 16),
    "dense_teacher/fcos_r50_coco.py": (16, 16),
    "dual_polish/faster-rcnn_r50_coco.py": (8, 24),
    "efficient_teacher/yolox_l_coco.py": (64, 64),
    "fst/deeplabv3plus_r101_cityscapes.py": (16, 16),
    "fst/deeplabv3plus_r101_voc12.py": (16, 16),
    "guided_distillation/mask2former_r50_coco.py": (16, 16),
    "imas/deeplabv3plus_r101_voc12.py": (16, 16),
    "imas/deeplabv3plus_r50_cityscapes.py": (16, 16),
    "labelmatch/faster-rcnn_r50_coco.py": (16, 16),
    "labelmatch/faster-rcnn_r50_voc.py": (16, 16),
    "mgd/deeplabv3plus_mobilenet-v2_cityscapes.py": (16, 16),
    "mgd/deeplabv3plus_r18_cityscapes.py": (16, 16),
    "mixpl/dino_r50_coco-full.py": (32, 32),
    "noisy_boundaries/mask-rcnn_r50_coco.py": (24, 8),
    "noisy_boundaries/mask-rcnn_r50_coco_baseline.py": (32,),
    "semi_detr/dino_r50_coco-full.py": (32, 32),
    "semi_detr/dino_r50_voc.py": (8, 32),
    "soft_teacher/faster-rcnn_r50_coco-full.py": (32, 32),
    "soft_teacher/faster-rcnn_r50_cityscapes_baseline.py": (8,),
    "u2pl/deeplabv3plus_r101_cityscapes.py": (16, 16),
    "u2pl/deeplabv3plus_r101_voc12.py": (16, 16),
    "unbiased_teacher/faster-rcnn_r50_coco.py": (32, 32),
    "unbiased_teacher/faster-rcnn_r50_voc.py": (16, 16),
    "unbiased_teacher_v2/fcos_r50_coco.py": (8, 8),
    "unimatch_v2/dpt_dinov2-b_voc12.py": (16, 16),
    "unimatch_v2/dpt_dinov3-b_voc12.py": (16, 16),
    "unimatch_v2/dpt_dinov3-l_voc12.py": (16, 16),
    "unimatch_v2/dpt_dinov3-s_voc12.py": (16, 16),
}
LARGE = [name for name in NAMES if "demo" not in name and "quickstart" not in name]


def data_of(name):
    return next(word for word in name.removesuffix(".py").split("_")[::-1] if word in TOTALS)


def made(**changes):
    """Four processes with (2, 8) images are meant."""
    config = dict(
        total_batch=(8, 32),
        batch=(2, 8),
        train_dataloader=dict(batch_size=10, sampler=dict(batch=(2, 8))),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.01)),
    )
    return Config({**config, **changes})


@pytest.mark.parametrize("name", LARGE)
def test_every_config_says_the_total_that_its_rate_is_for(name):
    config = load_config(name)
    expected = TOTALS[name] if name in TOTALS else TOTALS[data_of(name)]
    assert tuple(total_batch.meant(config)) == expected
    processes = total_batch.processes_for(config)
    assert total_batch.images(config, processes) == tuple(config.total_batch)
    total_batch.check_total_batch(config, processes)
    with pytest.raises(UsageError, match=r"total_batch=\(\d+,( \d+)?\): the learning rate is for"):
        total_batch.check_total_batch(config, processes + 1)
    assert "auto_scale_lr" not in config, "total_batch says it"


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("unimatch/deeplabv3plus_r101_voc12.py", 80),
        ("unimatch_v2/dpt_dinov2-b_voc12.py", 60),
        ("fst/deeplabv3plus_r101_voc12.py", 40),
        ("cw_bass/deeplabv3plus_r50_voc12.py", 80),
        ("unimatch/deeplabv3plus_r101_cityscapes.py", 240),
        ("cps/deeplabv3plus_r101_cityscapes.py", 128),
        ("mgd/deeplabv3plus_r18_cityscapes.py", 128),
        ("change_detection/siamese-deeplabv3plus_r50_levir.py", 80),
    ],
)
def test_the_length_is_that_of_the_total(name, passes):
    """As many passes over the unlabeled images, in however many processes."""
    config = load_config(name)
    seen = config.train_cfg.max_iters * config.total_batch[1] / config.unlabeled_count
    assert seen == pytest.approx(passes, rel=2e-3)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LARGE])
def test_a_demo_runs_in_any_number_of_processes(name):
    for processes in (1, 3):
        total_batch.check_total_batch(load_config(name), processes)


def test_the_message_names_what_can_be_done():
    with pytest.raises(UsageError) as found:
        total_batch.check_total_batch(made(), 1)
    assert str(found.value) == (
        "total_batch=(8, 32): the learning rate is for 8 labeled and 32 unlabeled images per "
        "iteration in all processes together, but batch=(2, 8) in 1 process gives 2 labeled and "
        "8 unlabeled. Choose one:\n"
        "  --gpus 4\n"
        "  --cfg-options batch=8,32  (as many images, with the memory they need)\n"
        "  --auto-scale-lr  (lr 0.01 becomes 0.0025)\n"
        "  --cfg-options total_batch=2,8  (keep the rate as it is)"
    )
    with pytest.raises(UsageError) as found:  # three processes cannot share 8 images
        total_batch.check_total_batch(made(), 3)
    assert "batch=(2, 8) in each of 3 processes gives 6 labeled and 24" in str(found.value)
    assert "batch=8" not in str(found.value)


def test_the_lines_for_a_script_that_is_not_ours():
    with pytest.raises(UsageError) as found:
        total_batch.check_total_batch(made(), 2, ours=False)
    *_, start, same, scaled, kept = str(found.value).splitlines()
    assert start == "  start 4 processes"
    assert "train_dataloader.batch_size=20 train_dataloader.sampler.batch=4,16 " in same
    assert "auto_scale_lr.enable=True auto_scale_lr.base_batch_size=40  (lr 0.01 becomes" in scaled
    assert "0.005" in scaled and "total_batch=4,16" in kept


@pytest.mark.parametrize(
    ("changes", "processes"),
    [
        (dict(), 4),
        (dict(total_batch=(2, 8)), 1),
        (dict(total_batch=None), 3),
        (dict(auto_scale_lr=dict(enable=True)), 3),
        (dict(optim_wrapper=dict(accumulative_counts=2)), 2),
        (dict(train_dataloader=dict(batch_size=10, sampler=dict(source_ratio=[1, 4]))), 4),
        (dict(train_dataloader=dict(batch_size=2, sampler=dict(shuffle=True))), 4),  # labeled only
    ],
)
def test_the_same_total_is_not_refused(changes, processes):
    total_batch.check_total_batch(made(**changes), processes)
    if changes.get("total_batch", 1) and "auto_scale_lr" not in changes:
        with pytest.raises(UsageError):
            total_batch.check_total_batch(made(**changes), processes + 1)


@pytest.mark.parametrize("total", ["many", (0, 4), (1.5, 2), ()])
def test_a_total_that_is_none(total):
    with pytest.raises(UsageError, match="expected the numbers of labeled and unlabeled images"):
        total_batch.meant(dict(total_batch=total))


@pytest.mark.parametrize(
    ("optimizer", "factor"), [("SGD", 0.25), ("AdamW", 0.5), ("Adam", 0.5), ("RMSprop", 0.5)]
)
def test_a_rate_follows_the_images(optimizer, factor):
    """A quarter of the images: a quarter of the rate of SGD, half of that of Adam."""
    weights = torch.nn.Linear(2, 2)
    groups = [dict(params=[weights.weight], lr=1.0), dict(params=[weights.bias], lr=4.0)]
    wrapper = SimpleNamespace(optimizer=getattr(torch.optim, optimizer)(groups))
    runner = SimpleNamespace(world_size=1, max_iters=100, logger=MMLogger.get_current_instance())
    for scales, expected in ((False, 1), (True, factor)):
        runner.cfg = made(auto_scale_lr=dict(enable=scales))
        SafeRunner.scale_lr(runner, wrapper)
        rates = [group["lr"] for group in wrapper.optimizer.param_groups]
        assert rates == [expected, 4 * expected]


def test_train_refuses_before_it_looks_at_the_data(tmp_path, capsys):
    name = "soft_teacher/faster-rcnn_r50_coco.py"  # data/coco does not exist
    assert main(["train", name, "--work-dir", str(tmp_path / "run")]) == 2
    assert "--auto-scale-lr  (lr 0.01 becomes 0.00125)" in capsys.readouterr().err


def test_train_scales(tmp_path):
    """Half of the images, and half of the rate in `metrics.jsonl`."""
    path = tmp_path / "half.py"
    base = CONFIGS / "segmentation.py"
    path.write_text(f"_base_ = {str(base)!r}\ntotal_batch = (4, 4)\nparam_scheduler = []\n")
    options = ["train_dataloader.num_workers=0", "train_dataloader.persistent_workers=False"]
    options += ["train_cfg.max_iters=1", "train_cfg.val_interval=1", "model.burn_in=0"]
    command = ["train", path, "--auto-scale-lr", "--work-dir", tmp_path / "run", "--cfg-options"]
    Run(*command, *options, log=tmp_path / "out").wait()
    assert [x["lr"] for x in metrics(tmp_path / "run") if x["mode"] == "train"] == [0.005]


def test_a_plain_runner_compares_too(monkeypatch):
    """MMEngine's, in which the hook is all that there is of ours."""
    runner = SimpleNamespace(iter=0, cfg=made())
    with pytest.raises(UsageError, match="  start 4 processes"):
        StepHook().before_train(runner)
    monkeypatch.setattr(step_hook, "get_world_size", lambda: 4)
    StepHook().before_train(runner)


def test_the_doctor_judges_totals():
    def found(config):
        findings = Findings()
        check_settings(config, [], findings)
        return findings.looked_at["config"], {f.what: f.found for f in findings.found}

    words, problems = found(load_config("soft_teacher/faster-rcnn_r50_coco.py"))
    assert "(8, 32) images in each: 8 processes with (1, 4)" in words
    assert not any("rate" in what for what in problems)
    high = load_config("soft_teacher/faster-rcnn_r50_coco.py", {"lr": 0.5})
    assert found(high)[1]["unusual learning rate"] == "SGD with lr=0.5, batch 40"
    odd = load_config("soft_teacher/faster-rcnn_r50_coco.py", {"batch": (1, 3)})
    what = "total batch that no number of processes has"
    assert found(odd)[1][what] == "(8, 32) with batch=(1, 3) in each process"
