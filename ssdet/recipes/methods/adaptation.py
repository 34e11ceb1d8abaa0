"""Methods for unlabeled images of another domain than the labeled ones."""

from ..recipe import EMA, Method, Recipe

ADAPTATION = (
    Method(
        "Style swap",
        "FDA, Yang & Soatto, CVPR 2020; statistics of images after BSS, 2023",
        "`StyleSwapHook`",
        config="adaptation",
        tests=("tests/mixing/test_style.py", "tests/hooks/mixing/test_style_swap.py"),
        measured="to fog: box AP +16.1, of which +12.2 is its own (one seed); mean IoU +3.2",
        recipes={
            "adapt": Recipe(
                "detection",
                "unlabeled images of another domain: labeled ones get their colors",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.5),
                    dict(type="StyleSwapHook", kind="statistics"),
                ],
            ),
            "adapt-seg": Recipe(
                "segmentation",
                "the same for pixels; labeled objects are pasted into unlabeled images",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.95),
                    dict(type="ClassMixHook", source="labeled"),
                    dict(type="StyleSwapHook", kind="fourier", share=0.02),
                ],
                momentum=0.996,
            ),
        },
    ),
    Method(
        "AdaptOR",
        "Srivastav et al., MedIA 2022 (its norms and its low resolution; boxes and pixels)",
        "`DomainNormHook`, layers `DomainBN`, `DomainGN`, transform `LowResolution`",
        config="adaptation",
        tests=(
            "tests/hooks/networks/test_domain_norm.py",
            "tests/datasets/test_low_resolution.py",
        ),
        measured="to fog: mean IoU +3.2, with style swap",
    ),
    Method(
        "Weak-to-strong contrast",
        "inspired by WSCoL, 2023, whose equations we could not read",
        "`RoIContrastHook`, network `FeatureProjector`",
        config="adaptation",
        tests=("tests/losses/test_contrast.py", "tests/hooks/boxes/test_roi_contrast.py"),
        measured="to fog: box AP +16.1, of which +0.3 is its own (one seed)",
    ),
    Method(
        "Source-free and test-time training",
        "WSCoL, 2023; PS-TTL, Gao et al., ACM MM 2024 (its labels from prototypes)",
        "`PrototypeLabelHook`, `TaskWeightHook`, `PseudoLabelMonitorHook`",
        config="adaptation",
        tests=(
            "tests/thresholds/test_prototypes.py",
            "tests/hooks/boxes/test_prototype_label.py",
            "tests/configs/test_adaptation.py",
        ),
        measured="to fog, without labels: mean IoU +6.2; box AP +0.2",
    ),
    Method(
        "FST between domains",
        "Du et al., NeurIPS 2022, with ClassMix of DACS, WACV 2021",
        "`FutureTeacherHook`, `ClassMixHook`",
        config="adaptation",
        tests=("tests/hooks/networks/test_future.py",),
        measured="to fog: mean IoU +4.7",
    ),
)
