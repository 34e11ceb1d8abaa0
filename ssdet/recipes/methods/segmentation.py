"""Methods for a segmentor and its teacher."""

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
        measured="mean IoU +2.5",
    ),
    Method(
        "AugSeg",
        "Zhao et al., CVPR 2023",
        "`AdaptiveCutMixHook`, transform `RandomIntensity`",
        config="augseg",
        tests=(
            "tests/hooks/mixing/test_adaptive_cutmix.py",
            "tests/datasets/test_random_intensity.py",
        ),
        measured="mean IoU +1.8",
        recipes={
            "augseg": Recipe(
                "segmentation",
                "random intensities; annotated pixels where the teacher is unsure",
                hooks=[EMA, CERTAIN, dict(type="AdaptiveCutMixHook")],
                momentum=0.996,
                strong=[dict(type="RandomIntensity", max_ops=3)],
            ),
        },
    ),
    Method(
        "iMAS",
        "Zhao et al., CVPR 2023",
        "`HardnessHook`, `EaseCutMixHook`, transform `RandomIntensity`",
        config="imas",
        tests=("tests/thresholds/test_hardness.py", "tests/hooks/pixels/test_hardness.py"),
        measured="mean IoU +4.7",
    ),
    Method(
        "PrevMatch",
        "Shin et al., 2024 (arXiv 2405.20610)",
        "`PreviousTeachersHook`, `FeaturePerturbationHook`",
        config="prevmatch",
        tests=("tests/hooks/networks/test_previous_teachers.py",),
        measured="mean IoU +3.5",
        recipes={
            "prevmatch": Recipe(
                "segmentation",
                "as unimatch; students of earlier iterations label, too",
                hooks=[
                    Note(
                        dict(type="TeacherEMAHook", momentum=Code("momentum")),
                        "The student labels for itself.",
                    ),
                    CERTAIN,
                    CUTMIX,
                    dict(type="FeaturePerturbationHook", prob=0.5, share=0.5),
                    dict(
                        type="PreviousTeachersHook",
                        interval=Code("max(iterations // 40, 1)"),
                        length=Code("iterations"),
                        size=4,
                    ),
                ],
                momentum=0.0,
                model=dict(sup_weight=0.5, unsup_weight=0.5),
                strong_views=2,
                needs="pixels",
                instead=("unimatch", "fixmatch"),
            ),
        },
    ),
    Method(
        "RankMatch",
        "Mai et al., CVPR 2024",
        "`RankCorrelationHook`, `FeaturePerturbationHook`, `CutMixHook`",
        config="rankmatch",
        tests=("tests/losses/test_ranks.py", "tests/hooks/pixels/test_rank_correlation.py"),
        measured="mean IoU +3.5",
    ),
    Method(
        "DDFP",
        "Wang et al., CVPR 2024",
        "`DensityDescentHook`, networks `FeatureFlow`, `SecondNorms`",
        config="ddfp",
        tests=(
            "tests/losses/test_density.py",
            "tests/models/test_feature_flow.py",
            "tests/hooks/pixels/test_density_descent.py",
        ),
        measured="mean IoU +9.2",
    ),
    Method(
        "AllSpark",
        "Wang et al., CVPR 2024",
        "`ChannelMemoryHook`, neck `ChannelCrossAttention`",
        config="allspark",
        tests=(
            "tests/models/test_channel_attention.py",
            "tests/hooks/pixels/test_channel_memory.py",
        ),
        measured="mean IoU +7.7",
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
        "CW-BASS v2",
        "Tarubinga et al., code of 2025",
        "`ReliabilityGateHook`, `ConfidenceWeightHook`, `BoundaryLossHook`",
        config="cw_bass",
        tests=(
            "tests/thresholds/test_saturation.py",
            "tests/hooks/thresholds/test_reliability_gate.py",
        ),
        measured="mean IoU +6.0",
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
        "Uncertainty by dropout",
        "UA-MT, 2019",
        "`DropoutUncertaintyHook`, `ConsistencyHook`",
        config="shape_prior",
        tests=("tests/hooks/pixels/test_dropout_uncertainty.py",),
        measured="mean IoU +1.4",
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
        "SemiCD-VL",
        "Li et al., TGRS 2024",
        "`DateDecodersHook`, `ExternalLabelsHook`, network `ProjectionHead`, data "
        "`LoadChangeEvents`, `PackExternalLabels`",
        config="semicd_vl",
        tests=(
            "tests/hooks/memory/test_date_decoders.py",
            "tests/datasets/test_change_maps.py",
        ),
        measured="mean IoU +4.8; FixMatch on pairs +2.3",
    ),
    Method(
        "SemiVL",
        "Hoyer et al., ECCV 2024",
        "`TextGuidanceHook`, networks `CLIPBackbone`, `LanguageGuidedHead`, `DenseTextLabeler`",
        config="semivl",
        tests=("tests/models/test_clip.py", "tests/hooks/pixels/test_text_guidance.py"),
        measured="mean IoU -6.3, with a CLIP of random weights",
    ),
    Method(
        "FST",
        "Du et al., NeurIPS 2022",
        "`FutureTeacherHook`, `QuantileThresholdHook`",
        config="fst",
        tests=("tests/hooks/networks/test_future.py", "tests/reliability/test_several_networks.py"),
        measured="mean IoU +9.2",
    ),
)
