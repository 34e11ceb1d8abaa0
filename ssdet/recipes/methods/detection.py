"""Methods for detectors, and for detectors with masks."""

from ..recipe import EMA, Code, Method, Note, Recipe
from .mixpl import MIXPL

DETECTION = (
    Method(
        "Mean Teacher",
        "Tarvainen & Valpola, NeurIPS 2017",
        "`TeacherEMAHook`, `FixedThresholdHook`",
        config="mean_teacher",
        tests=(
            "tests/hooks/networks/test_mean_teacher.py",
            "tests/hooks/boxes/test_mmdet_parity.py",
        ),
        measured="box AP +4.6 (Faster R-CNN), +3.4 (GFL)",
        recipes={
            "mean-teacher": Recipe(
                "detection",
                "boxes of an averaged teacher above one threshold",
                hooks=[EMA, dict(type="FixedThresholdHook", score=0.5)],
            ),
        },
    ),
    Method(
        "Copy-paste with Mask R-CNN",
        "Ghiasi et al., CVPR 2021; between labeled and unlabeled images",
        "`CopyPasteHook`",
        config="copy_paste",
        tests=(
            "tests/hooks/mixing/test_copy_paste_objects.py",
            "tests/mixing/test_copy_paste.py",
            "tests/teacher_student/test_masks.py",
        ),
        measured="box AP +6.0 (Mask R-CNN); mask AP +6.8 (Mask R-CNN)",
        recipes={
            "copy-paste": Recipe(
                "detection",
                "models with masks: labeled objects are pasted into the strong views",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.7),
                    dict(type="CopyPasteHook", mode="labeled_to_unlabeled", prob=0.5),
                ],
                needs="masks",
                instead=("mixpl",),
            ),
        },
    ),
    Method(
        "Distillation from a large frozen teacher",
        "after SimCLRv2, Chen et al., NeurIPS 2020, and SSLD, Cui et al., 2021",
        "`teacher=dict(...)`, `FixedThresholdHook`",
        config="distill",
        tests=("tests/teacher_student/test_other_teachers.py", "tests/test_distill.py"),
        measured="box AP 58.7 ± 0.6, from a teacher of 64.3 (its own average: 52.0 ± 1.8)",
    ),
    Method(
        "Data distillation",
        "Radosavovic et al., CVPR 2018 (labels on the fly are ours)",
        "`BoxFusionHook`",
        config="data_distillation",
        tests=("tests/hooks/boxes/test_box_fusion.py", "tests/thresholds/test_voting.py"),
        measured="box AP +1.6 (GFL); photographs of blood cells (RetinaNet): +1.3 on one seed, "
        "-2.9 on another",
        recipes={
            "data-distillation": Recipe(
                "detection",
                "predictions of the teacher for an image and its mirror image, fused",
                hooks=[
                    EMA,
                    Note(
                        dict(type="BoxFusionHook", views=("identity", "hflip")),
                        "Where a mirrored object is another one (text): views=('identity', ), "
                        "scales=(0.8, ).",
                    ),
                    dict(
                        type="LabelDistributionThresholdHook",
                        reliable=1.0,
                        uncertain=1.5,
                        images=500,
                        default=0.5,
                    ),
                ],
            ),
        },
    ),
    Method(
        "Soft Teacher",
        "Xu et al., ICCV 2021",
        "`BoxJitterHook` (one-stage: `BoxSpreadHook`), `BackgroundScoreHook`",
        config="soft_teacher",
        tests=("tests/hooks/boxes/test_mmdet_parity.py", "tests/hooks/boxes/test_box_hooks.py"),
        measured="box AP +5.1 (Faster R-CNN), +3.3 (GFL), +4.1 (Mask R-CNN); "
        "mask AP +4.3 (Mask R-CNN)",
        recipes={
            "soft-teacher": Recipe(
                "detection",
                "two-stage: boxes that survive jitter, background weighted by the teacher",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.5, cls=0.8, rpn=0.8),
                    dict(type="BoxJitterHook", times=10, scale=0.06, max_spread=0.02),
                    dict(type="BackgroundScoreHook"),
                ],
                needs="two-stage",
                instead=("soft-teacher-one-stage", "mean-teacher"),
            ),
            "soft-teacher-one-stage": Recipe(
                "detection",
                "one-stage: boxes where the predictions that NMS merged agree",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.5),
                    dict(type="BoxSpreadHook", max_spread=0.05),
                ],
                needs="one-stage",
                instead=("soft-teacher", "mean-teacher"),
            ),
        },
    ),
    Method(
        "Unbiased Teacher",
        "Liu et al., ICLR 2021",
        "`TaskWeightHook`, loss `SoftmaxFocalLoss`",
        config="unbiased_teacher",
        tests=("tests/models/test_focal_loss.py", "tests/hooks/boxes/test_box_hooks.py"),
        measured="box AP +1.5 (Faster R-CNN)",
        recipes={
            "unbiased-teacher": Recipe(
                "detection",
                "two-stage: focal loss; pseudo boxes teach classes alone",
                hooks=[
                    dict(type="TeacherEMAHook", momentum=Code("momentum")),
                    dict(type="FixedThresholdHook", score=0.7),
                    dict(type="TaskWeightHook", box=0.0),
                ],
                momentum=0.9996,
                network={"roi_head.bbox_head.loss_cls": dict(type="SoftmaxFocalLoss", gamma=1.5)},
                needs="one box head",
                instead=("soft-teacher", "soft-teacher-one-stage", "mean-teacher"),
            ),
        },
    ),
    Method(
        "Unbiased Teacher v2",
        "Liu et al., CVPR 2022 (for FCOS)",
        "`ListenHook`, head `UncertainFCOSHead`",
        config="unbiased_teacher_v2",
        tests=(
            "tests/losses/test_uncertainty.py",
            "tests/models/test_uncertain_fcos.py",
            "tests/hooks/boxes/test_listen.py",
        ),
        measured="box AP +1.0 (FCOS)",
    ),
    Method(
        "Cascade R-CNN as a pair",
        "Cai & Vasconcelos, CVPR 2018 (the stages' vote is ours)",
        "`StageAgreementHook`",
        config="cascade",
        tests=("tests/hooks/boxes/test_box_hooks.py",),
        measured="box AP +4.5 (Cascade R-CNN)",
    ),
    Method(
        "Consistent-Teacher",
        "Wang et al., CVPR 2023",
        "`GMMThresholdHook`, head `FAM3DHead`, assigner `AdaptiveSampleAssigner`",
        config="consistent_teacher",
        tests=("tests/models/test_assigner.py", "tests/models/test_fam3d_head.py"),
        measured="box AP +0.9 (RetinaNet)",
    ),
    MIXPL,
    Method(
        "Dense Teacher",
        "Zhou et al., ECCV 2022",
        "`DenseLabelHook`, head `IoUFCOSHead`",
        config="dense_teacher",
        tests=(
            "tests/losses/test_dense.py",
            "tests/hooks/boxes/test_dense_label.py",
            "tests/models/test_fcos_heads.py",
        ),
        measured="box AP -0.7 (GFL)",
        recipes={
            "dense-teacher": Recipe(
                "detection",
                "dense heads: the teacher's probabilities and boxes at its richest places",
                hooks=[EMA, dict(type="DenseLabelHook", ratio=0.01)],
                same_geometry=True,
                needs="dense head",
                instead=("soft-teacher-one-stage", "mean-teacher"),
            ),
        },
    ),
    Method(
        "ARSL",
        "Liu et al., CVPR 2023",
        "`TaskSeparationHook`, head `JointConfidenceFCOSHead`",
        config="arsl",
        tests=(
            "tests/losses/test_separation.py",
            "tests/hooks/boxes/test_task_separation.py",
        ),
        measured="box AP +2.2 (FCOS)",
    ),
    Method(
        "PseCo",
        "Li et al., ECCV 2022",
        "`PredictionGuidedAssignHook`, `ConsistencyVotingHook`, `HalfViewHook`, neck `ShiftedFPN`",
        config="pseco",
        tests=(
            "tests/losses/test_prediction_guided.py",
            "tests/hooks/boxes/test_prediction_guided.py",
            "tests/hooks/boxes/test_consistency_voting.py",
            "tests/hooks/boxes/test_half_view.py",
        ),
        measured="box AP +3.4 (Faster R-CNN)",
        recipes={
            "pseco": Recipe(
                "detection",
                "two-stage: the teacher says which proposals learn a box, and how well",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.6),
                    dict(type="PredictionGuidedAssignHook"),
                    dict(type="ConsistencyVotingHook"),
                ],
                needs="one box head",
                instead=("soft-teacher", "mean-teacher"),
            ),
        },
    ),
    Method(
        "Efficient Teacher",
        "Xu et al., 2023 (for YOLOX and RTMDet; the paper has YOLOv5)",
        "`PseudoLabelAssignerHook`, `AdaptiveAssignerHook`, `DomainAlignmentHook`, network "
        "`DomainClassifier`",
        config="efficient_teacher",
        tests=(
            "tests/hooks/thresholds/test_pseudo_label_assigner.py",
            "tests/hooks/thresholds/test_soft_class.py",
            "tests/hooks/thresholds/test_adaptive_assigner.py",
            "tests/hooks/networks/test_domain_alignment.py",
        ),
        measured="box AP +6.8 (YOLOX), +8.5 (RTMDet)",
        recipes={
            "efficient-teacher": Recipe(
                "detection",
                "YOLOX, RTMDet: uncertain boxes are learned as the teacher scores them",
                hooks=[EMA, dict(type="PseudoLabelAssignerHook", low=0.1, high=0.6)],
                needs="objectness",
                instead=("mean-teacher",),
            ),
        },
    ),
    Method(
        "HSSDA in 2D",
        "Liu et al., CVPR 2023",
        "`DualThresholdHook`, `PseudoBoxMemoryHook`, `PatchShuffleHook`",
        config="hssda",
        tests=("tests/hooks/thresholds/test_dual_threshold.py",),
        measured="box AP +6.1 (Faster R-CNN)",
    ),
    Method(
        "Dual polishing",
        '"Mind the Gap", AAAI 2023',
        "`PolishHook`, networks `BoxPolisher`, `ClassPolisher`",
        config="dual_polish",
        tests=("tests/losses/test_polishing.py", "tests/hooks/networks/test_polish.py"),
        measured="box AP +5.5 (Faster R-CNN)",
    ),
    Method(
        "Dual mean teachers",
        "Guo et al., NeurIPS 2023 (pixels and boxes are our port)",
        "`DualTeacherHook`",
        config="dual_teacher",
        tests=("tests/hooks/networks/test_dual_teacher.py", "tests/thresholds/test_consensus.py"),
        measured="box AP +4.3 (GFL)",
    ),
    Method(
        "LabelMatch",
        "Chen et al., CVPR 2022",
        "`LabelDistributionThresholdHook`, `SelfAssignmentHook`",
        config="labelmatch",
        tests=(
            "tests/thresholds/test_score_rules.py",
            "tests/hooks/thresholds/test_adaptive_thresholds.py",
            "tests/thresholds/test_mining.py",
            "tests/hooks/boxes/test_self_assignment.py",
        ),
        measured="box AP +3.8 (Faster R-CNN); the threshold alone +4.8",
    ),
)
