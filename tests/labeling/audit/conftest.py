"""Configs of tiny models on the demo scenes, with checkpoints that nothing has trained."""

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope

from ssdet.engine.checkpoint_file import write_checkpoint
from ssdet.engine.configs import load_config
from ssdet.testing import fcn, retinanet

SMALL = {"count": 12, "labeled": 4, "val_count": 3, "image_size": 64}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """(config, path of the config, checkpoint) of a kind: "detection" or "segmentation"."""
    made = {}

    def make(kind):
        if kind not in made:
            made[kind] = _make(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return make


def _make(kind, folder):
    config = load_config(f"quickstart/{kind}_semi.py", dict(SMALL))
    key = "detector" if kind == "detection" else "segmentor"
    network = retinanet() if kind == "detection" else fcn()
    if kind == "segmentation":
        network["decode_head"]["num_classes"] = 3  # the background and two digits
    config.model[key] = ConfigDict(network)
    path = folder / "config.py"
    config.dump(path)
    config = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        torch.manual_seed(0)
        pair = MODELS.build(config.model)
    classes = ("0", "1", "2") if kind == "detection" else ("background", "0", "3")
    meta = dict(iter=1, dataset_meta=dict(classes=classes))
    checkpoint = folder / "iter_1.pth"
    write_checkpoint(dict(state_dict=pair.state_dict(), meta=meta), checkpoint)
    return config, str(path), str(checkpoint)
