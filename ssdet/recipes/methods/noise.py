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
        measured="mean IoU +6.0; annealing costs 3.2 of it (one seed)",
    ),
    Method(
        "Early learning",
        "ELR, Liu et al., NeurIPS 2020 (the averaged teacher in place of its memory is ours)",
        "`EarlyLearningHook`",
        config="noise",
        tests=("tests/losses/test_early_learning.py", "tests/hooks/pixels/test_noise.py"),
        measured="wrong labels: mean IoU +0.0, and 2.0 more without it (one seed)",
    ),
    Method(
        "Confidence bootstrapping",
        "weak-to-strong generalization, Burns et al., 2023 (for many classes)",
        "`BootstrapHook`",
        config="noise",
        tests=("tests/hooks/pixels/test_noise.py",),
        measured="wrong labels: mean IoU +0.0, and 0.7 more without it (one seed)",
    ),
    Method(
        "Sample-adaptive views",
        "SAA, Gui et al., ICCV 2023 (halves of views with their pseudo labels)",
        "`SampleAdaptiveHook`",
        config="noise",
        tests=("tests/hooks/pixels/test_sample_adaptive.py",),
        measured="within the demo of Semixup: mean IoU -0.3 (one seed)",
    ),
    Method(
        "Semixup",
        "Nguyen et al., TMI 2021 (for pixels, unlabeled images alone)",
        "`SemixupHook`",
        config="noise",
        tests=("tests/hooks/pixels/test_semixup.py",),
        measured="mean IoU +2.4, none of it by itself (0.0 on one seed)",
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
        measured="within the demo of agreement, box AP +1.4: -0.1 (one seed)",
    ),
    Method(
        "Reviewer",
        "inspired by Teacher-Reviewer-Student, 2025 (the rule of its updates is ours)",
        "`ReviewerHook`",
        config="agreement",
        tests=("tests/hooks/networks/test_reviewer.py",),
        measured="within the demo of agreement, box AP +1.4: -0.1 (one seed)",
    ),
    Method(
        "Objects of unknown classes",
        "IOMatch, Li et al., ICCV 2023 (its binary classifiers, for boxes)",
        "`OpenSetHook`, network `FeatureProjector`",
        config="open_set",
        tests=("tests/losses/test_open_set.py", "tests/hooks/boxes/test_teacher_gate.py"),
        measured="box AP -0.4, as without it (-0.5)",
    ),
    Method(
        "Candidates for new classes",
        "inspired by GPC, Zhao et al., ICCV 2023 (its splits and merges, after the training)",
        "`tools/discover_classes.py`, for objects that `OpenSetHook` ignores",
        config="open_set",
        tests=("tests/thresholds/test_split_merge.py", "tests/labeling/test_discovery.py"),
        measured="by hand: 15 of 19 boxes of two groups are one foreign digit",
    ),
    Method(
        "Margins and neighbors of boxes",
        "WAD (its margin); SimMatchV2, Zheng et al., ICCV 2023 (its propagation alone)",
        "`PrototypeLabelHook(margin=True, soft='neighbors')`",
        config="noise",
        tests=("tests/thresholds/test_prototypes.py", "tests/hooks/boxes/test_prototype_label.py"),
        measured="box AP +3.7 (Faster R-CNN), of which +1.7 is its own (one seed)",
    ),
)
