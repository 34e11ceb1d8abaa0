"""Thresholds and other parts for any method."""

from ..recipe import EMA, Code, Method, Note, Recipe
from .mixpl import MIXPL_MIXING, MIXPL_PAIR

# The held-out images as the weak view shows them, with their labels.
_JUDGED = {
    "detection": Code("[dict(type='LoadImageFromFile'), load_labels, *weak_view]"),
    "segmentation": Code("[dict(type='LoadImageFromFile'), load_labels, *geometry, *weak_view]"),
}
_CALIBRATED = dict(type="CalibratedThresholdHook", interval=Code("max(iterations // 24, 1)"))

PARTS = (
    Method(
        "Calibrated thresholds",
        "ours: measured on labeled images that are held out",
        "`CalibratedThresholdHook`, `HeldOutGuardHook`",
        config="calibrated",
        tests=(
            "tests/thresholds/test_calibration.py",
            "tests/hooks/thresholds/test_calibrated_threshold.py",
            "tests/hooks/networks/test_held_out_guard.py",
            "tests/datasets/test_held_out.py",
        ),
        measured="no gain so far, with 20 labels and one seed: box AP -2.8 (GFL); blood cells -0.9 "
        "(RetinaNet)",
        recipes={
            "calibrated": Recipe(
                "detection",
                "MixPL; thresholds by class from labeled images that are held out",
                hooks=[
                    {**EMA, "gamma": 4},
                    {**_CALIBRATED, "pipeline": _JUDGED["detection"]},
                    *MIXPL_MIXING,
                ],
                **MIXPL_PAIR,
                held_out=0.2,
            ),
            "calibrated-classmix": Recipe(
                "segmentation",
                "ClassMix; thresholds by class from labeled images that are held out",
                hooks=[
                    EMA,
                    {**_CALIBRATED, "pipeline": _JUDGED["segmentation"]},
                    dict(type="ClassMixHook", source="labeled"),
                ],
                momentum=0.996,
                held_out=0.2,
            ),
        },
    ),
    Method(
        "Mixture of scores",
        "Consistent-Teacher, Wang et al., CVPR 2023",
        "`GMMThresholdHook`",
        config="thresholds",
        tests=(
            "tests/thresholds/test_gmm.py",
            "tests/hooks/thresholds/test_adaptive_thresholds.py",
            "tests/hooks/thresholds/test_threshold_family.py",
        ),
        measured="box AP +2.4 (GFL); mean IoU +6.8",
        recipes={
            "gmm-thresholds": Recipe(
                "detection",
                "Consistent-Teacher's threshold for each class, from its latest scores",
                hooks=[
                    EMA,
                    dict(type="GMMThresholdHook", num_scores=100, policy="high", default=0.4),
                ],
            ),
        },
    ),
    Method(
        "Quantile of scores, or of the entropy",
        "U2PL, Wang et al., CVPR 2022",
        "`QuantileThresholdHook`",
        config="thresholds",
        tests=(
            "tests/hooks/thresholds/test_adaptive_thresholds.py",
            "tests/hooks/thresholds/test_threshold_family.py",
        ),
        measured="mean IoU +4.8",
    ),
    Method(
        "Threshold that follows the peaks",
        "CorrMatch, Sun et al., CVPR 2024",
        "`CorrelationThresholdHook`",
        config="thresholds",
        tests=(
            "tests/hooks/thresholds/test_adaptive_thresholds.py",
            "tests/hooks/thresholds/test_threshold_family.py",
        ),
        measured="mean IoU +3.8",
        recipes={
            "corr-threshold": Recipe(
                "segmentation",
                "CorrMatch's threshold, which follows the teacher's confidence; CutMix",
                hooks=[
                    EMA,
                    dict(type="CorrelationThresholdHook", start=0.85, momentum=0.999),
                    dict(type="CutMixHook", prob=0.5),
                ],
                momentum=0.996,
            ),
        },
    ),
    Method(
        "Dual thresholds",
        "HSSDA, Liu et al., CVPR 2023",
        "`DualThresholdHook`",
        config="hssda",
        tests=(
            "tests/thresholds/test_two_means.py",
            "tests/hooks/thresholds/test_dual_threshold_quality.py",
        ),
        measured="within HSSDA: box AP +6.1, mean IoU +5.3",
        recipes={
            "dual-thresholds": Recipe(
                "detection",
                "HSSDA's two thresholds for each class, fitted on the labeled images",
                hooks=[
                    EMA,
                    dict(
                        type="DualThresholdHook",
                        interval=Code("max(iterations // 24, 1)"),
                        max_images=200,
                        defaults=dict(confidence=(0.9, 0.5), objectness=(0.9, 0.3)),
                        min_samples=10,
                        fallback="global_pool",
                        labeled=Code("plain_images"),
                    ),
                ],
                variables={
                    "plain_images": Note(
                        {
                            "pipeline": [
                                dict(type="LoadImageFromFile"),
                                Code("load_labels"),
                                dict(type="Resize", scale=Code("image_scale"), keep_ratio=True),
                                dict(type="PackDetInputs"),
                            ],
                            "**": Code("labeled_source"),
                        },
                        "The labeled images without augmentation, for the thresholds.",
                    )
                },
            ),
        },
    ),
    Method(
        "Mined boxes",
        "HSSDA, Liu et al., CVPR 2023",
        "`PseudoBoxMemoryHook`",
        config="hssda",
        tests=("tests/hooks/memory/test_pseudo_box_memory.py",),
        measured="within HSSDA: box AP +6.1",
    ),
    Method(
        "Patch shuffle",
        "HSSDA, Liu et al., CVPR 2023",
        "`PatchShuffleHook`",
        config="hssda",
        tests=("tests/mixing/test_patch_shuffle.py", "tests/hooks/mixing/test_patch_shuffle.py"),
        measured="within HSSDA: box AP +6.1, mean IoU +5.3",
    ),
    Method(
        "Occluded objects",
        "MultiAugs, 2024; SemiUHPE, CVPR 2024 (boxes in place of joints)",
        "`OccludeHook`",
        config="agreement",
        tests=("tests/mixing/test_occlusion.py", "tests/hooks/mixing/test_occlude.py"),
        measured="within the demo of agreement, box AP +1.4: +0.2 (one seed)",
    ),
    Method(
        "Feature paste",
        "inspired by UpCycling, Hwang et al., ICCV 2023 (in 2D, at the same place)",
        "`FeaturePasteHook`",
        config="feature_paste",
        tests=("tests/hooks/mixing/test_feature_paste.py",),
        measured="box AP +4.0 (GFL); a mean teacher without it +3.4",
    ),
    Method(
        "Selective training",
        "FedSTO, Kim et al., NeurIPS 2023 (its two phases, on one machine)",
        "`SelectiveTrainingHook`, `OrthogonalityHook`",
        config="selective",
        tests=("tests/losses/test_orthogonality.py", "tests/hooks/networks/test_selective.py"),
        measured="mean IoU +8.6, of which +0.7 is its own (one seed)",
    ),
    Method(
        "Federated training",
        "inspired by FedSTO, Kim et al., NeurIPS 2023 (its phases between places, on Flower)",
        "`SelectiveTrainingHook`, `OrthogonalityHook`, `tools/federated.py`",
        config="federated",
        tests=("tests/engine/test_federated.py",),
        measured="mean IoU +2.5, two places",
    ),
    Method(
        "Hooks combined",
        "four methods at once",
        "`GMMThresholdHook`, `BoxJitterHook`, `CopyPasteHook`, `PatchShuffleHook`",
        config="mixed",
        tests=("tests/test_demos.py",),
        measured="box AP +7.9 (Faster R-CNN)",
        recipes={
            "mixed": Recipe(
                "detection",
                "two-stage: thresholds by class, box jitter, copy-paste, patch shuffle",
                hooks=[
                    EMA,
                    dict(type="GMMThresholdHook", default=0.5, floor=0.3),
                    dict(type="BoxJitterHook", times=10, scale=0.06, max_spread=0.05),
                    dict(type="CopyPasteHook", prob=0.5),
                    dict(type="PatchShuffleHook", prob=0.5),
                ],
                needs="two-stage",
                instead=("mixpl",),
            ),
        },
    ),
    Method(
        "Pseudo labels on disk",
        "Two-shot Video Object Segmentation, CVPR 2023",
        "`PseudoLabelDiskHook`",
        config="label_disk",
        tests=(
            "tests/thresholds/test_refinement.py",
            "tests/formats/test_pseudo_label_folder.py",
            "tests/hooks/memory/test_pseudo_label_disk.py",
        ),
        measured="box AP +2.3 (GFL); mean IoU +2.4",
    ),
    Method(
        "Self-training in rounds",
        "pseudo labels on disk (above), for boxes",
        "`PseudoLabelDiskHook`",
        config="label_disk",
        tests=("tests/hooks/memory/test_pseudo_label_disk.py",),
        measured="box AP +2.3 (GFL)",
    ),
)
