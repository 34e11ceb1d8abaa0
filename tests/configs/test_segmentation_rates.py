"""Rates and weight decays of segmentation configs, as the optimizer that is built has them."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from ssdet.engine.configs import load_config

# Of 8 labeled images an iteration (MGD on Cityscapes: 16), with gradients averaged once.
PUBLISHED = {
    "cps/deeplabv3plus_r101_voc12.py": (2.5e-3, 4e-4),
    "cps/deeplabv3plus_r101_cityscapes.py": (2.5e-3, 8e-4),
    "mgd/deeplabv3plus_r18_voc12.py": (2.5e-3, 4e-4),
    "mgd/deeplabv3plus_r18_cityscapes.py": (2.5e-3, 8e-4),
    "mgd/deeplabv3plus_mobilenet-v2_voc12.py": (3.5e-3, 4e-4),
    "mgd/deeplabv3plus_mobilenet-v2_cityscapes.py": (2.5e-3, 8e-4),
}
NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


def built(config):
    """The model, without memory, and its optimizer."""
    with DefaultScope.overwrite_default_scope(config.default_scope), torch.device("meta"):
        model = MODELS.build(config.model)
        return model, build_optim_wrapper(model, config.optim_wrapper).optimizer


def settings_of(optimizer):
    """(rate, decay) of each parameter, by identity."""
    return {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_decay_and_norms_and_biases_do_not(name):
    model, optimizer = built(load_config(name))
    lr, decay = PUBLISHED[name]
    found, kinds = settings_of(optimizer), set()
    for module in (*model.student.modules(), *model.auxiliary.modules()):
        for key, parameter in module.named_parameters(recurse=False):
            plain = isinstance(module, NORMS) or key == "bias"
            assert found[id(parameter)] == pytest.approx((lr, 0.0 if plain else decay))
            kinds.add((type(module).__name__, key))
    assert {("SyncBatchNorm", "weight"), ("Conv2d", "weight"), ("Conv2d", "bias")} <= kinds


@pytest.mark.parametrize(
    ("name", "region", "image"),
    [
        ("deeplabv3plus_r18_voc12.py", 100, 0.002),
        ("deeplabv3plus_r18_cityscapes.py", 100, 0.001),
        ("deeplabv3plus_mobilenet-v2_voc12.py", 50, 0.0005),
    ],
)
def test_mgd_weighs_regions_and_images_as_published(name, region, image):
    hook = load_config(f"mgd/{name}").custom_hooks[1]
    assert (hook.region_weight, hook.image_weight) == (region, image)
