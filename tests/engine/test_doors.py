"""The command line: what it finds, what it refuses and with which words, and what it runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmdet
import pytest
from mmengine.config import Config

import ssdet
from ssdet.cli import COMMANDS, main
from ssdet.engine import UsageError
from ssdet.engine.amp import SLOWER, bf16_factor
from ssdet.engine.configs import find_config
from ssdet.engine.runner import DEFAULT_HOOKS
from tests.reliability.harness import CONFIGS, ROOT, Run, checkpoint

RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["tarin"], ["--version"]])
def test_help_and_typos_are_answered_without_torch(arguments):
    code = (
        f"import sys; sys.argv = ['/usr/bin/ssdet', *{arguments!r}]\n"
        "from ssdet.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    expected = {"tarin": "did you mean 'train'?", "--version": ssdet.__version__}
    assert expected.get(arguments[0], "usage: ssdet") in result.stdout + result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0 and f"usage: ssdet {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "nope.py"], 2, "config 'nope.py': no such file"),
        (["train", RETINANET.replace("coco", "coca")], 2, f"did you mean:\n  {RETINANET}"),
        (["train", "other::a/b.py"], 2, "unknown package 'other'; allowed: ssdet, mmdet, mmseg"),
        (["train", RETINANET, "--cfg-options", "lr"], 2, "'lr': expected KEY=VALUE"),
        (["train", RETINANET, "--resume", "gone.pth"], 2, "--resume gone.pth: no such file"),
        (["test", RETINANET, "gone.pth"], 2, "checkpoint gone.pth: no such file"),
        (["train", RETINANET], 65, "data/coco/annotations/instances_train2017.json"),
        (["train", RETINANET, "--cfg-options", "model.type=Retina"], 2, "did you mean RetinaNet?"),
        (["train", RETINANET, "--cfg-options", "optim_wrapper.type=My", "--amp"], 2, "is 'My'"),
        (["train", RETINANET, "--cfg-options", "model.bbox_hed=1"], 2, "did you mean bbox_head?"),
        (
            ["train", RETINANET, "--launcher", "pytorch"],
            2,
            "RANK, WORLD_SIZE not set; start it with torchrun --nproc_per_node N -m ssdet.cli "
            "train CONFIG --launcher pytorch (on one machine: ssdet train CONFIG --gpus N)",
        ),
    ],
)
def test_what_is_wrong_is_one_message(arguments, code, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCAL_RANK", "0")
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_a_broken_config_is_named(tmp_path, capsys):
    (tmp_path / "broken.py").write_text("model = dict(\n")
    assert main(["train", str(tmp_path / "broken.py")]) == 2
    assert "broken.py: " in capsys.readouterr().err


def test_auto_scale_lr_needs_to_know_the_batch_size(tmp_path, capsys):
    path = CONFIGS / "detection.py"
    assert main(["train", str(path), "--auto-scale-lr", "--work-dir", str(tmp_path)]) == 2
    assert "auto_scale_lr=dict(base_batch_size=...)" in capsys.readouterr().err


def test_our_configs_are_found_from_everywhere(tmp_path, monkeypatch):
    shipped = ROOT / "configs/_base_/default_runtime.py"
    monkeypatch.chdir(tmp_path)
    for name in ("ssdet::_base_/default_runtime.py", "_base_/default_runtime.py", str(shipped)):
        assert find_config(name).resolve() == shipped
    (tmp_path / "mine.py").write_text("_base_ = ['ssdet::_base_/default_runtime.py']\nseed = 3\n")
    assert Config.fromfile(tmp_path / "mine.py").runner_type == "SafeRunner"
    with pytest.raises(UsageError, match=r"did you mean:\n  ssdet::_base_|no such file"):
        find_config("ssdet::_base_/default_runtim.py")


def test_the_runtime_config_says_what_the_runner_adds():
    hooks = Config.fromfile(ROOT / "configs/_base_/default_runtime.py").default_hooks
    for name, hook in DEFAULT_HOOKS.items():
        assert hooks[name].type == hook["type"]


def test_a_plain_mmdet_config_trains_and_tests(tmp_path):
    """Nothing of ssdet's runtime in it: MMDetection's hooks become ours."""
    config = Config.fromfile(CONFIGS / "detection.py")
    detector = config.detector
    for key in (
        "custom_hooks",
        "runner_type",
        "val_cfg",
        "test_cfg",
        "visualizer",
        "default_hooks",
    ):
        config.pop(key)
    config.merge_from_dict({"train_cfg.max_iters": 4, "train_cfg.val_interval": 4})
    config.model = detector
    config.default_hooks = dict(checkpoint=dict(type="CheckpointHook", interval=2, by_epoch=False))
    config.val_cfg = config.test_cfg = dict()
    train = config.train_dataloader
    train.batch_size, train.sampler = 2, dict(type="InfiniteSampler")
    dataset = train.dataset.datasets[0]
    dataset.pipeline = config.val_dataloader.dataset.pipeline
    train.dataset = dataset
    config.dump(tmp_path / "plain.py")
    run = Run("train", tmp_path / "plain.py", "--amp", log=tmp_path / "out")
    faster = bf16_factor() <= SLOWER  # whether this CPU has it
    chosen = "bfloat16 autocast on the CPU" if faster else "Mixed precision is left out"
    assert chosen in run.wait()
    work_dir = tmp_path / "work_dirs/plain"
    assert checkpoint(work_dir, 4)["meta"]["iter"] == 4
    best = work_dir / "checkpoints/iter_4.pth"
    Run(
        "test", tmp_path / "plain.py", best, "--work-dir", tmp_path / "t", log=tmp_path / "o"
    ).wait()
    assert "pascal_voc/mAP" in json.loads((tmp_path / "t/test.json").read_text())
    assert not (tmp_path / "t/train.log").exists() and not (tmp_path / "t/run.json").exists()


def test_mmdetections_own_script_trains_our_config_with_a_plain_runner(tmp_path):
    script = Path(mmdet.__file__).parent / ".mim/tools/train.py"
    options = ["runner_type=Runner", "train_cfg.max_iters=3", "train_cfg.val_interval=3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, script, CONFIGS / "detection.py", "--work-dir", tmp_path / "run",
         "--cfg-options", *options],
        cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    path = tmp_path / "run/checkpoints/iter_3.pth"
    assert checkpoint(tmp_path / "run", 3)["step_hooks"]
    scores = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    result = subprocess.run(
        [sys.executable, ROOT / "tools/test.py", CONFIGS / "detection.py", path,
         "--model", "student", "--work-dir", tmp_path / "test"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "test/test.json").read_text())
    assert found["pascal_voc/mAP"] == pytest.approx(scores["student/pascal_voc/mAP"], abs=1e-6)


def test_a_pickle_bomb_at_every_door(tmp_path):
    import torch

    from .test_checkpoint_file import Bomb

    marker, bomb = tmp_path / "boom", tmp_path / "bomb.pth"
    torch.save({"state_dict": {}, "meta": {"x": Bomb(marker)}}, bomb)
    config, work_dir = CONFIGS / "segmentation.py", tmp_path / "run"
    for number, arguments in enumerate((
        ["test", config, bomb], ["train", config, "--resume", bomb],
        ["train", config, "--cfg-options", f"load_from={bomb}"],
    )):  # fmt: skip
        run = Run(*arguments, "--work-dir", work_dir, log=tmp_path / f"out{number}")
        output = run.wait(74)
        assert "holds more than tensors" in output and "Traceback" not in output
    assert not marker.exists()
