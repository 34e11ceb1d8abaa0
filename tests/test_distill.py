"""A large frozen teacher and a small student, from training to export, in a few iterations."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope

from ssdet.cli import main
from ssdet.engine.configs import load_config
from ssdet.exits import RunError

from .test_demos import _confidence, run, small  # noqa: F401


@pytest.fixture
def teacher(tmp_path):
    """The file of a large model with random weights, and what wrote it."""

    def make(seed=0):
        torch.manual_seed(seed)
        config = load_config("distill/gfl_demo_teacher.py")
        with DefaultScope.overwrite_default_scope("mmdet"):
            network = MODELS.build(ConfigDict(config.model.detector))
        torch.save(dict(state_dict=network.state_dict()), tmp_path / "large.pth")
        return network

    return make


def config(tmp_path, iterations, **changes):
    cfg = small("distill/gfl_demo_student.py", tmp_path / "run", iterations)
    cfg.model.teacher.checkpoint = str(tmp_path / "large.pth")
    for key, value in changes.items():
        setattr(cfg, key, value)
    return cfg


def test_the_student_of_the_demo_has_the_settings_of_its_rival():
    """What differs from the mean teacher: the teacher, and that nothing is averaged."""
    ours, rival = (
        load_config("distill/gfl_demo_student.py"),
        load_config("mean_teacher/gfl_demo.py"),
    )
    for part in ("train_dataloader", "optim_wrapper", "param_scheduler", "val_dataloader"):
        assert ours[part] == rival[part]
    assert ours.model.detector == rival.model.detector
    assert ours.custom_hooks[0] == rival.custom_hooks[1]
    large = load_config("distill/gfl_demo_teacher.py")
    theirs = dict(ours.model.teacher.model, train_cfg=None)
    assert theirs == dict(large.model.detector, train_cfg=None)


def test_from_training_to_export(tmp_path, teacher, capsys):
    large = teacher()
    runner = run(config(tmp_path, 2))
    names = [key for key in runner.message_hub.log_scalars if key.startswith("val/")]
    assert any(key.startswith("val/teacher/") for key in names)
    assert any(key.startswith("val/student/") for key in names)
    saved = tmp_path / "run" / "checkpoints" / "iter_2.pth"
    state = torch.load(saved, weights_only=True)["state_dict"]
    assert {k for k in state if k.startswith("teacher.")} == {"teacher.places", "teacher.sha256"}
    resumed = run(config(tmp_path, 4, resume=True))
    assert resumed.iter == 4
    for role in ("teacher", "student"):
        out = tmp_path / role
        assert main(["export", str(saved), "--model", role, "--out", str(out)]) == 0
    found = torch.load(tmp_path / "teacher" / "model.pth", weights_only=True)["state_dict"]
    expected = large.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    small_one = torch.load(tmp_path / "student" / "model.pth", weights_only=True)["state_dict"]
    assert small_one["backbone.conv1.weight"].shape[0] == 16
    teacher(seed=1)
    capsys.readouterr()
    with pytest.raises(RunError, match="is not the file that the run was started with"):
        run(config(tmp_path, 6, resume=True))
    assert main(["export", str(saved), "--out", str(tmp_path / "late")]) != 0
    assert "its teacher was another file" in capsys.readouterr().err
