"""What every recipe must keep, on a tiny model of the kind that it is for."""

import pytest

from ssdet.engine.configs import load_config
from ssdet.recipes import METHODS

from .assertions import assert_contract
from .loop import Loop

KINDS = {"two-stage": "faster_rcnn", "one box head": "faster_rcnn", "masks": "mask_rcnn"}


def parts_of(name):
    """The kind of model of a recipe, its hooks, and the settings of the pair."""
    method = METHODS[name]
    config = load_config(method.config)
    for hook in config.custom_hooks:
        if hook.pop("labeled", None):  # a data set of the user; here labeled batches must do
            hook.online = True
    kind = "fcn" if method.task == "segmentation" else KINDS.get(method.needs, "retinanet")
    network = {"detector", "segmentor", "type", "burn_in", "data_preprocessor"}
    model = {key: value for key, value in config.model.items() if key not in network}
    return kind, config.custom_hooks, model


@pytest.mark.parametrize("name", METHODS)
def test_the_contract(name, tmp_path):
    kind, hooks, model = parts_of(name)
    views = 2 if name.startswith("unimatch") else 1
    assert_contract(lambda folder: Loop(folder, kind, hooks, model, views), tmp_path)
