"""Methods for pseudo labels that are often wrong, and for very few labels."""

from ..recipe import Method

NOISE = (
    Method(
        "UDA for pixels",
        "Xie et al., NeurIPS 2020 (its sharpening and its annealing)",
        "`ConsistencyHook(temperature=0.4)`, `TrainingSignalHook`",
        config="noise",
        tests=(
            "tests/thresholds/test_training_signal.py",
            "tests/hooks/pixels/test_consistency.py",
            "tests/hooks/pixels/test_noise.py",
        ),
        measured="not yet: 0 of 3 seeds",
    ),
    Method(
        "Early learning",
        "ELR, Liu et al., NeurIPS 2020 (the averaged teacher in place of its memory is ours)",
        "`EarlyLearningHook`",
        config="noise",
        tests=("tests/losses/test_early_learning.py", "tests/hooks/pixels/test_noise.py"),
        measured="not yet: 0 of 3 seeds",
    ),
    Method(
        "Confidence bootstrapping",
        "weak-to-strong generalization, Burns et al., 2023 (for many classes)",
        "`BootstrapHook`",
        config="noise",
        tests=("tests/hooks/pixels/test_noise.py",),
        measured="not yet: 0 of 3 seeds",
    ),
    Method(
        "Sample-adaptive views",
        "SAA, Gui et al., ICCV 2023 (halves of views with their pseudo labels)",
        "`SampleAdaptiveHook`",
        config="noise",
        tests=("tests/hooks/pixels/test_sample_adaptive.py",),
        measured="not yet: 0 of 3 seeds",
    ),
    Method(
        "Semixup",
        "Nguyen et al., TMI 2021 (for pixels, unlabeled images alone)",
        "`SemixupHook`",
        config="noise",
        tests=("tests/hooks/pixels/test_semixup.py",),
        measured="not yet: 0 of 3 seeds",
    ),
    Method(
        "Teacher gate and weights between tasks",
        "SemiETS, CVPR 2025 (classes and boxes in place of text)",
        "`TeacherGateHook`",
        config="agreement",
        tests=(
            "tests/thresholds/test_task_agreement.py",
            "tests/hooks/boxes/test_teacher_gate.py",
        ),
        measured="not yet: 0 of 3 seeds",
    ),
    Method(
        "Reviewer",
        "inspired by Teacher-Reviewer-Student, 2025 (the rule of its updates is ours)",
        "`ReviewerHook`",
        config="agreement",
        tests=("tests/hooks/networks/test_reviewer.py",),
        measured="not yet: 0 of 3 seeds",
    ),
    Method(
        "Objects of unknown classes",
        "IOMatch, Li et al., ICCV 2023 (its binary classifiers, for boxes)",
        "`OpenSetHook`, network `FeatureProjector`",
        config="open_set",
        tests=("tests/losses/test_open_set.py", "tests/hooks/boxes/test_teacher_gate.py"),
        measured="not yet: 0 of 3 seeds",
    ),
    Method(
        "Candidates for new classes",
        "inspired by GPC, Zhao et al., ICCV 2023 (its splits and merges, after the training)",
        "`tools/discover_classes.py`, for objects that `OpenSetHook` ignores",
        config="open_set",
        tests=("tests/thresholds/test_split_merge.py", "tests/labeling/test_discovery.py"),
        measured="not yet: 0 of 3 seeds",
    ),
    Method(
        "Margins and neighbors of boxes",
        "WAD (its margin); SimMatchV2, Zheng et al., ICCV 2023 (its propagation alone)",
        "`PrototypeLabelHook(margin=True, soft='neighbors')`",
        config="noise",
        tests=("tests/thresholds/test_prototypes.py", "tests/hooks/boxes/test_prototype_label.py"),
        measured="not yet: 0 of 3 seeds",
    ),
)
