"""Methods for classes of which some are rare."""

from ..recipe import EMA, Method, Recipe

BALANCE = (
    Method(
        "Effective numbers",
        "Cui et al., CVPR 2019; rethinking labels, NeurIPS 2020 (expected pseudo labels are ours)",
        "`ClassBalanceHook`, data `DigitScenesSeg(tail=...)`",
        config="long_tail",
        tests=(
            "tests/thresholds/test_effective_number.py",
            "tests/hooks/thresholds/test_class_balance.py",
        ),
        measured="mean IoU +4.2 (rare class: IoU 17.6 instead of 0); box AP +1.1 (Faster R-CNN)",
        recipes={
            "balance": Recipe(
                "detection",
                "rare classes count more, in labels and in pseudo labels",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.5),
                    dict(type="ClassBalanceHook", beta=0.999),
                ],
            ),
        },
    ),
    Method(
        "Several prototypes of a class",
        "SBCL, Hou et al., ICCV 2023 (its subclasses, for labels from prototypes)",
        "`PrototypeLabelHook(group=...)`",
        config="long_tail",
        tests=("tests/thresholds/test_prototypes.py",),
        measured="box AP -1.5 (Faster R-CNN)",
    ),
    Method(
        "Calibration of the last layer",
        "inspired by RCAL, ICCV 2023 (boxes, after the training)",
        "`tools/calibrate_head.py`, behind `ClassBalanceHook` or any other",
        config="long_tail",
        tests=("tests/thresholds/test_class_gaussians.py", "tests/test_calibrate_head.py"),
        measured="box AP -1.3, rare class -0.6 (one seed)",
    ),
    Method(
        "Nested dropout",
        "inspired by compressing features, Chen et al., 2022",
        "`NestedDropoutHook`",
        config="long_tail",
        tests=("tests/mixing/test_channels.py", "tests/hooks/networks/test_nested_dropout.py"),
        measured="within the demo: box AP +0.3 (one seed)",
    ),
)
