"""Methods that contrast features of pixels."""

from ..recipe import Method

CONTRAST = (
    Method(
        "U2PL",
        "Wang et al., CVPR 2022",
        "`UnreliableContrastHook`, `QuantileThresholdHook`, network `PixelProjector`",
        config="u2pl",
        tests=("tests/losses/test_contrast.py", "tests/hooks/pixels/test_unreliable_contrast.py"),
        measured="mean IoU +5.0",
    ),
    Method(
        "ReCo",
        "Liu et al., ICLR 2022 (features of the last layer in place of a branch of its own)",
        "`RegionContrastHook`, network `PixelProjector`",
        config="reco",
        tests=("tests/losses/test_contrast.py", "tests/hooks/pixels/test_region_contrast.py"),
        measured="mean IoU +5.0",
    ),
    Method(
        "Local contrast",
        "Chaitanya et al., MedIA 2023",
        "`LocalContrastHook`, network `PixelProjector`",
        config="local_contrast",
        tests=("tests/losses/test_contrast.py", "tests/hooks/pixels/test_local_contrast.py"),
        measured="mean IoU +8.2",
    ),
)
