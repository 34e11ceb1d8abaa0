"""Methods for segmentors with more networks than a teacher and a student."""

from ..recipe import Method

SEVERAL_NETWORKS = (
    Method(
        "Dual Teacher",
        "Na et al., NeurIPS 2023",
        "`TemporaryTeachersHook`, `CutMixHook`, `ClassMixHook`",
        config="temporary_teachers",
        tests=("tests/hooks/networks/test_temporary_teachers.py",),
        measured="mean IoU +5.9",
    ),
    Method(
        "CPS",
        "Chen et al., CVPR 2021",
        "`CrossSupervisionHook`, `CutMixHook`",
        config="cps",
        tests=(
            "tests/hooks/networks/test_cross_supervision.py",
            "tests/reliability/test_several_networks.py",
        ),
        measured="mean IoU +7.8",
    ),
    Method(
        "Dual mean teachers",
        "Guo et al., NeurIPS 2023 (pixels and boxes are our port)",
        "`DualTeacherHook`",
        config="dual_teacher",
        tests=("tests/hooks/networks/test_dual_teacher.py", "tests/thresholds/test_consensus.py"),
        measured="mean IoU +8.7",
    ),
    Method(
        "MGD",
        "Qin et al., ECCV 2022",
        "`MultiGranularityHook`",
        config="mgd",
        tests=(
            "tests/hooks/networks/test_multi_granularity.py",
            "tests/losses/test_distillation.py",
        ),
        measured="mean IoU +5.7",
    ),
)
