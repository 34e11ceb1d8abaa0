"""By how many pixels the losses of shipped segmentation configs divide."""

import pytest

from ssdet.engine.configs import load_config

from ..test_configs import NAMES

WORDS = ("deeplabv3plus", "dpt", "unet", "segmentation")
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
    assert found and all(loss["avg_non_ignore"] is True for loss in found)
