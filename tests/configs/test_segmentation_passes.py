"""How often the student's layers look at a batch, in configs whose papers say so."""

import pytest
import torch
from mmengine.registry import HOOKS

from ssdet.engine.configs import load_config
from ssdet.hooks import FeaturePerturbationHook

from ..helpers import losses
from ..seg_helpers import build_seg, seg_batch, tiny_fcn

JOINT = [
    f"{method}/deeplabv3plus_r101_{data}.py"
    for method in ("fixmatch_seg", "fst")
    for data in ("voc12", "cityscapes")
]


def small(name):
    """The pair and the hooks of a config around a tiny network with batch norm."""
    config = load_config(name)
    settings = config.model.to_dict()
    classes = settings.pop("segmentor")["decode_head"]["num_classes"]
    model = build_seg(tiny_fcn(classes, "BN"), **{k: v for k, v in settings.items() if k != "type"})
    for hook in config.custom_hooks:
        if hook.type == "FixedThresholdHook":
            hook.score = 0.0  # an untrained teacher is sure of nothing
        # Its virtual steps need a runner; the real step is that of the other hooks.
        if hook.type != "FutureTeacherHook":
            model.attach(HOOKS.build(hook))
    return model


def updates(part):
    return {
        int(value) for key, value in part.state_dict().items() if key.endswith("batches_tracked")
    }


@pytest.mark.parametrize("name", JOINT)
def test_labeled_and_strong_images_share_one_pass(name):
    """Of backbone and head alike: each batch norm sees all images, once."""
    torch.manual_seed(0)
    model = small(name)
    found = losses(model, seg_batch())
    assert {"sup_decode.loss_ce", "unsup_decode.loss_ce"} <= set(found)
    assert updates(model.student.backbone) == updates(model.student.decode_head) == {1}


def test_unimatch_perturbs_features_of_the_one_pass():
    """The encoder sees each view once; the head sees the labeled and the weak ones once more."""
    model = small("unimatch/deeplabv3plus_r101_voc12.py")
    rows = []
    head = model.student.decode_head.conv_seg
    head.register_forward_hook(lambda _, given, logits: rows.append(len(logits)))
    losses(model, seg_batch(2, 2, views=2))
    assert updates(model.student.backbone) == updates(model.student.decode_head) == {1}
    assert rows == [2 + 2 + 2 * 2 + 2 + 2]
    with pytest.raises(ValueError, match=r"FeaturePerturbationHook: changes single passes"):
        model.attach(FeaturePerturbationHook())
