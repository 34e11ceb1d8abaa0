"""What FST mixes and leaves out, as its code does on each data set."""

import torch

from ssdet.engine.configs import load_config
from ssdet.mixing import sample_box


def hooks_of(data):
    config = load_config(f"fst/deeplabv3plus_r101_{data}.py")
    return {hook.type: hook for hook in config.custom_hooks}, config.model.segmentor


def test_voc_drops_a_constant_fifth_and_pastes_half_of_a_view():
    hooks, _ = hooks_of("voc12")
    threshold, mix = hooks["QuantileThresholdHook"], hooks["CutMixHook"]
    assert (threshold.share, threshold.get("end"), threshold.measure) == (0.2, None, "entropy")
    torch.manual_seed(0)
    for _ in range(20):
        x1, y1, x2, y2 = sample_box((513, 513), mix.area, mix.aspect)
        share = (x2 - x1) * (y2 - y1) / 513**2
        assert abs(share - 0.5) < 0.005 and min(x2 - x1, y2 - y1) > 513 / 2 - 1


def test_cityscapes_mixes_and_drops_nothing():
    hooks, _ = hooks_of("cityscapes")
    assert list(hooks) == ["TeacherEMAHook", "FutureTeacherHook", "FixedThresholdHook"]
    assert hooks["FixedThresholdHook"].score == 0


def test_three_virtual_steps_at_output_stride_eight_with_a_grid():
    for data in ("voc12", "cityscapes"):
        hooks, segmentor = hooks_of(data)
        assert (hooks["FutureTeacherHook"].steps, hooks["TeacherEMAHook"].momentum) == (3, 0.99)
        backbone = segmentor.backbone
        assert (backbone.strides, backbone.multi_grid) == ((1, 2, 1, 1), (4, 8, 16))
