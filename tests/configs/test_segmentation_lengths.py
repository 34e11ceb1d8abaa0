"""How long a published training is: the split decides, and everything that follows it follows."""

import pytest
from mmengine.config import Config

from ssdet.engine.configs import find_config, load_config

CLASSIC = ("1_16", "1_8", "1_4", "1_2", "1_1")
BLENDER = ("1_16", "1_8", "1_4", "1_2")
CITYSCAPES = ("1_30", *BLENDER)
VOC = {  # (protocol, split) -> iterations
    "unimatch/deeplabv3plus_r101_voc12.py": {
        "classic": (104880, 104000, 102160, 98480, 91200),
        "blender": (99200, 92560, 79360, 52880),
    },
    "unimatch_v2/dpt_dinov2-b_voc12.py": {
        "classic": (39300, 39000, 38280, 36900, 34200),
        "blender": (37200, 34680, 29760, 19800),
    },
    "fst/deeplabv3plus_r101_voc12.py": {
        "classic": (26200, 26000, 25520, 24600, 22800),
        "blender": (24800, 23120, 19840, 13200),
    },
    "cw_bass/deeplabv3plus_r50_voc12.py": {
        "classic": (52400, 51920, 51040, 49200, 45520),
        "blender": (49600, 46240, 39680, 26400),
    },
    "cps/deeplabv3plus_r101_voc12.py": {"blender": (39680, 39338, 39680, 39660)},
    "mgd/deeplabv3plus_r18_voc12.py": {"blender": (39680, 39338, 39680, 39660)},
}
ROADS = {
    "unimatch/deeplabv3plus_r101_cityscapes.py": (86160, 83760, 78000, 66960, 44640),
    "unimatch_v2/dpt_dinov2-b_cityscapes.py": (64620, 62820, 58500, 50220, 33480),
    "fst/deeplabv3plus_r101_cityscapes.py": (14400, 13920, 13040, 11120, 7440),
    "cw_bass/deeplabv3plus_r50_cityscapes.py": (42960, 41760, 38880, 33360, 22080),
}
CROSS = {
    "cps/deeplabv3plus_r101_cityscapes.py": (44544, 44525, 44640, 44640),
    "mgd/deeplabv3plus_r18_cityscapes.py": (22272, 22194, 22240, 22320),
}
TILES = (67600, 64080, 56960, 42720)
CASES = [
    *(
        (name, dict(protocol=protocol, split=split), length)
        for name, protocols in VOC.items()
        for protocol, lengths in protocols.items()
        for split, length in zip(CLASSIC, lengths, strict=False)
    ),
    *((n, dict(split=s), t) for n, x in ROADS.items() for s, t in zip(CITYSCAPES, x, strict=True)),
    *((n, dict(split=s), t) for n, x in CROSS.items() for s, t in zip(BLENDER, x, strict=True)),
    *(
        ("change_detection/siamese-deeplabv3plus_r50_levir.py", dict(percent=p), t)
        for p, t in zip((5, 10, 20, 40), TILES, strict=True)
    ),
]
# Methods that are carried over are as long as UniMatch.
SAME = ("fixmatch_seg", "shrinkmatch", "mean_teacher_seg", "hssda", "bcp", "dual_teacher")


@pytest.mark.parametrize(("name", "options", "length"), CASES)
def test_the_split_decides(name, options, length):
    config = load_config(name, options)
    assert config.train_cfg.max_iters == length == config.iterations
    assert config.train_cfg.val_interval == length // 40


@pytest.mark.parametrize("method", SAME)
def test_methods_that_are_carried_over_are_as_long_as_unimatch(method):
    for data, length in (("voc12", 98480), ("cityscapes", 44640)):
        config = load_config(f"{method}/deeplabv3plus_r101_{data}.py", {"split": "1_2"})
        assert config.train_cfg.max_iters == length


@pytest.mark.parametrize("name", sorted({name for name, _, _ in CASES}))
def test_the_rate_ends_with_the_training(name):
    """A schedule without an end of its own ends there, with any length."""
    for config in (load_config(name), load_config(name, {"iterations": 500})):
        (schedule,) = config.param_scheduler
        assert schedule.type == "PolyLR" and schedule.get("end") is None
    assert config.train_cfg == dict(type="IterBasedTrainLoop", max_iters=500, val_interval=12)


def test_what_lasts_as_long_as_the_training_follows():
    config = load_config("cw_bass/deeplabv3plus_r50_voc12.py", {"protocol": "blender"})
    assert config.model.unsup_ramp.length == 49600 // 16  # 5 of 80 passes
    config = load_config("mean_teacher_seg/deeplabv3plus_r101_voc12.py", {"split": "1_8"})
    assert config.model.burn_in == config.custom_hooks[1].ramp_length == 10400


def test_mmengine_reads_the_length_without_us():
    """As `tools/train.py` of MMSegmentation does; only options of the split need `ssdet train`."""
    config = Config.fromfile(find_config("unimatch/deeplabv3plus_r101_cityscapes.py"))
    assert config.train_cfg.max_iters == 83760
