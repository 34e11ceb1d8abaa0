"""Methods for segmentors."""

from ..recipe import EMA, Code, Method, Note, Recipe

CERTAIN = dict(type="FixedThresholdHook", score=0.95)
CUTMIX = dict(type="CutMixHook", prob=0.5)

SEGMENTATION = (
    Method(
        "FixMatch with a teacher",
        "Sohn et al., NeurIPS 2020; French et al., BMVC 2020",
        "`TeacherEMAHook`, `FixedThresholdHook`, `CutMixHook`",
        config="fixmatch_seg",
        tests=("tests/hooks/mixing/test_cutmix.py",),
        measured="mean IoU +3.7",
        recipes={
            "fixmatch": Recipe(
                "segmentation",
                "pixels of an averaged teacher above one threshold; CutMix",
                hooks=[EMA, CERTAIN, CUTMIX],
                momentum=0.996,
            ),
        },
    ),
    Method(
        "FixMatch with ClassMix",
        "Olsson et al., WACV 2021",
        "`ClassMixHook`",
        config="fixmatch_seg",
        tests=("tests/hooks/mixing/test_classmix.py",),
        measured="mean IoU +9.4",
        recipes={
            "classmix": Recipe(
                "segmentation",
                "as fixmatch, with ClassMix: half of a labeled image's classes are pasted",
                hooks=[EMA, CERTAIN, dict(type="ClassMixHook", source="labeled")],
                momentum=0.996,
            ),
        },
    ),
    Method(
        "Mean Teacher, soft",
        "Tarvainen & Valpola, NeurIPS 2017",
        "`ConsistencyHook`",
        config="mean_teacher_seg",
        tests=("tests/hooks/pixels/test_consistency.py",),
        measured="mean IoU +1.0",
        recipes={
            "mean-teacher-soft": Recipe(
                "segmentation",
                "probabilities follow the averaged teacher's; no pseudo labels",
                hooks=[
                    EMA,
                    dict(type="ConsistencyHook", weight=10.0, ramp_length=Code("iterations // 10")),
                ],
                momentum=0.99,
                model=dict(unsup_weight=Note(0.0, "No hard pseudo labels.")),
                needs="pixels",
                instead=("fixmatch",),
            ),
        },
    ),
    Method(
        "BCP",
        "Bai et al., CVPR 2023",
        "`CopyPasteHook(mode='bidirectional')`, `LargestComponentHook`, loss `ClassDiceLoss`",
        config="bcp",
        tests=(
            "tests/hooks/mixing/test_copy_paste_regions.py",
            "tests/losses/test_class_dice.py",
            "tests/datasets/test_medical.py",
        ),
        measured="mean IoU +9.5",
    ),
    Method(
        "UniMatch",
        "Yang et al., CVPR 2023",
        "`CutMixHook`, `FeaturePerturbationHook`",
        config="unimatch",
        tests=("tests/hooks/pixels/test_unimatch.py",),
        measured="mean IoU +4.8",
        recipes={
            "unimatch": Recipe(
                "segmentation",
                "two strong views and a stream of perturbed features",
                hooks=[
                    Note(
                        dict(type="TeacherEMAHook", momentum=Code("momentum")),
                        "The student labels for itself.",
                    ),
                    CERTAIN,
                    CUTMIX,
                    dict(type="FeaturePerturbationHook", prob=0.5, share=0.5),
                ],
                momentum=0.0,
                strong_views=2,
            ),
        },
    ),
    Method(
        "UniMatch V2",
        "Yang et al., TPAMI 2025",
        "`CutMixHook`, `ComplementaryDropoutHook`, model `DINOv2`",
        config="unimatch_v2",
        tests=("tests/hooks/pixels/test_unimatch.py", "tests/models/test_dinov2.py"),
        measured="mean IoU +5.7",
        recipes={
            "unimatch-v2": Recipe(
                "segmentation",
                "two strong views; each channel is dropped in one of them",
                hooks=[
                    EMA,
                    CERTAIN,
                    CUTMIX,
                    dict(type="ComplementaryDropoutHook", intact=0.5),
                ],
                momentum=0.996,
                strong_views=2,
            ),
        },
    ),
    Method(
        "CorrMatch",
        "Sun et al., CVPR 2024",
        "`CorrelationPropagationHook`, `CorrelationThresholdHook`, `FeaturePerturbationHook`, "
        "`ConsistencyHook(distance='kl')`, network `CorrelationHead`",
        config="corrmatch",
        tests=(
            "tests/losses/test_correlation.py",
            "tests/hooks/pixels/test_correlation_propagation.py",
            "tests/hooks/pixels/test_shared_stream.py",
        ),
        measured="mean IoU +7.4 on one seed",
    ),
    Method(
        "CW-BASS",
        "Tarubinga et al., IJCNN 2025",
        "`MeanConfidenceThresholdHook`, `ConfidenceWeightHook`, `BoundaryLossHook`",
        config="cw_bass",
        tests=("tests/hooks/thresholds/test_cw_bass.py",),
        measured="mean IoU +8.1",
        recipes={
            "cw-bass": Recipe(
                "segmentation",
                "pixels are weighted by confidence; more loss at boundaries",
                hooks=[
                    {**EMA, "buffers": "copy"},
                    dict(type="MeanConfidenceThresholdHook", base=0.6, beta=0.5, bounds=(0.3, 0.8)),
                    dict(type="ConfidenceWeightHook", gamma=1.0),
                    dict(type="BoundaryLossHook", weight=0.5),
                ],
                momentum=0.996,
                model=dict(reduction="kept"),
                needs="pixels",
                instead=("fixmatch",),
            ),
        },
    ),
    Method(
        "ShrinkMatch, per pixel",
        "Yang et al., ICCV 2023 (the pixels are our extension)",
        "`ShrinkMatchHook`",
        config="shrinkmatch",
        tests=("tests/hooks/pixels/test_shrink_match.py",),
        measured="mean IoU +8.8",
    ),
    Method(
        "HSSDA for pixels",
        "Liu et al., CVPR 2023 (the pixels are our extension)",
        "`DualThresholdHook`, `PatchShuffleHook`",
        config="hssda",
        tests=("tests/hooks/thresholds/test_dual_threshold.py",),
        measured="mean IoU +5.3",
    ),
    Method(
        "Anatomically-aware uncertainty",
        "MICCAI 2022, MedIA 2024",
        "`ShapePriorHook`, network `LabelAutoEncoder`",
        config="shape_prior",
        tests=(
            "tests/losses/test_shape_prior.py",
            "tests/hooks/pixels/test_shape_prior.py",
            "tests/models/test_label_autoencoder.py",
        ),
        measured="mean IoU +0.9",
    ),
    Method(
        "Uncertainty by dropout",
        "UA-MT, 2019",
        "`DropoutUncertaintyHook`, `ConsistencyHook`",
        config="shape_prior",
        tests=("tests/hooks/pixels/test_dropout_uncertainty.py",),
        measured="mean IoU +1.4",
    ),
    Method(
        "Noise-weighted Dice",
        "annotation-efficient learning, TMI 2022",
        "`NoisyDiceHook`, `PseudoLabelDiskHook`",
        config="noisy_dice",
        tests=("tests/losses/test_agreement.py", "tests/hooks/boxes/test_weighted_losses.py"),
        measured="mean IoU +3.8",
    ),
    Method(
        "Deformation equivariance",
        "DS6, 2020",
        "`EquivarianceHook`",
        config="equivariance",
        tests=("tests/mixing/test_deformation.py", "tests/hooks/boxes/test_weighted_losses.py"),
        measured="mean IoU +3.3",
    ),
    Method(
        "Change detection",
        "Yang et al., CVPR 2023 (FixMatch and UniMatch for pairs of images)",
        "model `SiameseSegmentor`, data `ImagePairs`, `LoadImagePair`, `PerImage`",
        config="change_detection",
        tests=("tests/models/test_siamese.py", "tests/datasets/test_image_pairs.py"),
        measured="mean IoU +2.3",
    ),
    Method(
        "External labels",
        "SemiCD-VL, TGRS 2024; SemiVL, ECCV 2024",
        "`ExternalLabelsHook`, network `ProjectionHead`, data `LoadExternalLabels`, "
        "`PackExternalLabels`",
        config="external_labels",
        tests=(
            "tests/hooks/memory/test_external_labels.py",
            "tests/datasets/test_external_labels.py",
        ),
        measured="mean IoU +5.0",
    ),
    Method(
        "FST",
        "Du et al., NeurIPS 2022",
        "`FutureTeacherHook`, `QuantileThresholdHook`",
        config="fst",
        tests=("tests/hooks/networks/test_future.py", "tests/reliability/test_several_networks.py"),
        measured="mean IoU +9.2",
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
        "UMCT in 2D",
        "Xia et al., WACV 2020",
        "`UncertaintyFusionHook`",
        config="umct",
        tests=("tests/hooks/pixels/test_uncertainty_fusion.py", "tests/thresholds/test_fusion.py"),
        measured="mean IoU +6.9",
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
    Method(
        "RAIL in 2D",
        "Region-Aware Instructive Learning, 2025",
        "`RegionInstructionHook`",
        config="rail",
        tests=(
            "tests/hooks/networks/test_region_instruction.py",
            "tests/losses/test_disagreement.py",
        ),
        measured="mean IoU +0.3",
    ),
)
