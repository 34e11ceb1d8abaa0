"""Methods for detectors with masks."""

from ..recipe import EMA, Code, Method, Note, Recipe

MASKS = (
    Method(
        "Guided distillation",
        "Berrada et al., WACV 2024",
        "`GuidedBurnInHook`, `QueryMaskLabelHook`",
        config="guided_distillation",
        tests=(
            "tests/hooks/networks/test_guided_burn_in.py",
            "tests/hooks/boxes/test_query_masks.py",
        ),
        measured="mask AP -14.3 (Mask2Former): too short for a student that starts anew",
        recipes={
            "guided-distillation": Recipe(
                "detection",
                "a new student learns from labels and a resting teacher, then replaces it",
                hooks=[
                    dict(type="TeacherEMAHook", momentum=Code("momentum")),
                    dict(type="GuidedBurnInHook", length=Code("iterations // 4")),
                    Note(
                        dict(type="FixedThresholdHook", score=0.7),
                        "Mask2Former: dict(type='QueryMaskLabelHook') labels by single queries.",
                    ),
                ],
                momentum=0.9996,
                model=dict(unsup_weight=2.0),
            ),
        },
    ),
    Method(
        "Polite Teacher",
        "after Filipiak et al., 2022 (for Mask and Mask Scoring R-CNN; the paper has CenterMask)",
        "`MaskScoreHook`",
        config="polite_teacher",
        tests=("tests/hooks/boxes/test_mask_score.py",),
        measured="box AP +3.8, mask AP +3.6 (Mask Scoring R-CNN)",
        recipes={
            "polite-teacher": Recipe(
                "detection",
                "mask heads: pseudo masks have a threshold of their own",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.5),
                    dict(type="MaskScoreHook", mask=0.5),
                ],
                needs="one mask head",
                instead=("copy-paste", "mean-teacher"),
            ),
        },
    ),
    Method(
        "Noisy Boundaries",
        "Wang et al., CVPR 2022",
        "head `NoiseTolerantMaskHead`, loss `BoundaryMaskLoss`",
        config="noisy_boundaries",
        tests=("tests/models/test_noise_tolerant_mask.py", "tests/losses/test_boundaries.py"),
        measured="box AP +5.0, mask AP +4.4 (Mask R-CNN; the baseline has its mask head too)",
        recipes={
            "noisy-boundaries": Recipe(
                "detection",
                "mask heads: pixels weigh most where the predicted mask changes",
                hooks=[
                    EMA,
                    dict(
                        type="LabelDistributionThresholdHook",
                        reliable=1.0,
                        images=500,
                        floor=0.1,
                        default=0.5,
                    ),
                ],
                network={"roi_head.mask_head.loss_mask": dict(type="BoundaryMaskLoss")},
                needs="one mask head",
                instead=("copy-paste", "mean-teacher"),
            ),
        },
    ),
)
