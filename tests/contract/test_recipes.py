"""What every recipe must keep, on a tiny model of the kind that it is for."""

import pytest
from mmengine.config import Config

from ssdet.recipes import METHODS
from ssdet.recipes.writer import assign

from .assertions import assert_contract
from .loop import Loop

KINDS = {"two-stage": "faster_rcnn", "one box head": "faster_rcnn", "masks": "mask_rcnn",
         "one mask head": "mask_rcnn",
         "queries": "deformable_detr", "objectness": "rtmdet"}  # fmt: skip
# What every written config assigns before its hooks, here for a run of 48 iterations.
VARIABLES = """
classes, batch, lr = ('a', 'b', 'c'), (2, 2), 0.01
iterations, momentum = 48, 0.99
image_scale, crop_size, with_mask = (64, 64), (32, 32), False
external_source = dict(type='LabelsForTests')
tags = dict(type='LabelsForTests')
labeled_source, load_labels = dict(), dict(type='LoadAnnotations')
geometry, weak_view = [], []
"""


def parts_of(name):
    """The kind of model of a recipe, its hooks, and the settings of the pair."""
    recipe = METHODS[name]
    assigned = {**recipe.variables, "custom_hooks": list(recipe.hooks), "pair": dict(recipe.model)}
    lines = [assign(target, value) for target, value in assigned.items()]
    config = Config.fromstring("\n".join([VARIABLES, *lines]), ".py")
    for hook in config.custom_hooks:
        if hook.pop("labeled", None):  # a data set of the user; here labeled batches must do
            hook.online = True
        if hook.pop("pipeline", None):  # of the held-out images; here those of the loop must do
            hook.update(target=0.0, background=0.0)  # a teacher without training is never right
    kind = "fcn" if recipe.task == "segmentation" else KINDS.get(recipe.needs, "retinanet")
    pair = {k: v for k, v in config.pair.items() if k != "burn_in"}
    if any(hook.type == "GuidedBurnInHook" for hook in config.custom_hooks):
        pair["burn_in"] = 1  # which makes its teacher
    return kind, config.custom_hooks, pair


@pytest.mark.parametrize("name", METHODS)
def test_the_contract(name, tmp_path):
    kind, hooks, model = parts_of(name)
    views = METHODS[name].strong_views
    assert_contract(lambda folder: Loop(folder, kind, hooks, model, views), tmp_path)
