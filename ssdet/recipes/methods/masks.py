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
        measured="not yet: 0 of 3 seeds",
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
        measured="not yet: 0 of 3 seeds",
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
)
