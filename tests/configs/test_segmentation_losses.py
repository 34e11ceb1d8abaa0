"""By how many pixels the losses of shipped segmentation configs divide."""

import pytest

from ssdet.engine.configs import load_config

from ..test_configs import NAMES

WORDS = ("deeplabv3plus", "dpt", "unet", "segmentation")
DICE_ALONE = ["mc_net/unet_acdc.py", "ss_net/unet_acdc.py"]  # which leaves ignored pixels out
SEGMENTATION = [name for name in NAMES if any(word in name for word in WORDS)]


def cross_entropies(node):
    if isinstance(node, dict):
        yield from [node] if node.get("type") == "CrossEntropyLoss" else []
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from cross_entropies(value)


@pytest.mark.parametrize("name", SEGMENTATION)
def test_ignored_pixels_do_not_count(name):
    """MMSegmentation's default divides by padding and ignore regions, too."""
    model = load_config(name).model
    found = list(cross_entropies(model.to_dict()))
    assert bool(found) == (name not in DICE_ALONE)
    assert all(loss["avg_non_ignore"] is True for loss in found)
