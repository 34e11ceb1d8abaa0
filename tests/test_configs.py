"""Every shipped config loads, builds its model and its hooks, and is worth its comments."""

from pathlib import Path

import pytest
import torch
from mmengine.registry import HOOKS, MODELS, DefaultScope

from ssdet.doctor.findings import Findings
from ssdet.doctor.settings import check_settings
from ssdet.engine.configs import load_config
from ssdet.hooks import StepHook
from ssdet.teacher_student import TeacherStudent

CONFIGS = Path(__file__).parents[1] / "configs"
NAMES = sorted(
    str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob("*.py") if "_base_" not in path.parts
)


@pytest.mark.parametrize("name", NAMES)
def test_model_and_hooks_are_built(name):
    config = load_config(name)
    with DefaultScope.overwrite_default_scope(config.default_scope), torch.device("meta"):
        model = MODELS.build(config.model)
    assert isinstance(model, TeacherStudent)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        for hook in config.custom_hooks:
            built = HOOKS.build(hook)
            assert isinstance(built, StepHook)
            built.on_attach(model)
        for hook in config.default_hooks.values():
            HOOKS.build(hook)


@pytest.mark.parametrize("name", NAMES)
def test_the_doctor_finds_nothing_wrong_with_the_list_of_hooks(name):
    findings = Findings()
    check_settings(load_config(name), [], findings)
    assert [f for f in findings.found if f.where == "custom_hooks"] == []


@pytest.mark.parametrize("name", NAMES)
def test_first_line_says_what_it_is(name):
    assert (CONFIGS / name).read_text().startswith("# ")


def test_the_comparison_of_the_quickstart_is_not_tilted():
    for task in ("detection", "segmentation"):
        semi = load_config(f"quickstart/{task}_semi.py")
        base = load_config(f"quickstart/{task}_baseline.py")
        key = "detector" if task == "detection" else "segmentor"
        assert semi.model[key] == base.model[key]
        for part in ("optim_wrapper", "param_scheduler", "train_cfg", "val_dataloader"):
            assert semi[part] == base[part], part
        ours, theirs = semi.train_dataloader, base.train_dataloader
        assert ours.dataset.datasets[0] == theirs.dataset.datasets[0]  # labels, pictures, views
        assert ours.sampler.batch[0] == theirs.sampler.batch[0] == theirs.batch_size
        assert semi.custom_hooks[0] == base.custom_hooks[0]  # the same average of the weights


def test_rail_weighs_its_parts_as_published():
    """Cross entropy + Dice + 0.5 and 0.05 times the disagreement; `sup_weight` multiplies all."""
    config = load_config("rail/unet_acdc.py")
    model, hook = config.model, config.custom_hooks[1]
    factor = model.get("sup_weight", 1.0)
    assert (factor * hook.region, factor * hook.error) == (0.5, 0.05)
    for network in (model.segmentor, *model.auxiliary.values()):
        terms = network.decode_head.loss_decode
        assert [factor * term.get("loss_weight", 1.0) for term in terms] == [1.0, 1.0]


@pytest.mark.parametrize("method", ["second_source", "shrinkmatch"])
def test_a_second_projection_learns_as_fast_as_the_decode_head(method):
    keys = load_config(f"{method}/deeplabv3plus_r101_voc12.py").optim_wrapper.paramwise_cfg
    assert keys.custom_keys.auxiliary == keys.custom_keys.head == dict(lr_mult=10.0)
