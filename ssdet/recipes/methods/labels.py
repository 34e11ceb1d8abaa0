"""Methods for labels that are not what one wishes for: another model's, or with gaps."""

from ..recipe import EMA, Code, Method, Note, Recipe

CUTMIX = dict(type="CutMixHook", prob=0.5)
THRESHOLD = dict(type="FixedThresholdHook", score=0.5)
# Settings of a hook that most users will want to see.
FILL = dict(type="PartialLabelsHook", score=0.9, ignore=0.3)

LABELS = (
    Method(
        "Another model's boxes",
        "MarvelOVD, Wang et al., ECCV 2024 (the measured weights are ours)",
        "`ExternalBoxesHook`",
        config="external",
        tests=(
            "tests/thresholds/test_reliability.py",
            "tests/hooks/memory/test_external_boxes.py",
        ),
        measured="over the method without it: box AP +3.1 (GFL, 200 iterations, 3 seeds)",
        recipes={
            "external": Recipe(
                "detection",
                "another model's boxes (--external), as far as they prove right",
                hooks=[
                    EMA,
                    THRESHOLD,
                    Note(
                        dict(
                            type="ExternalBoxesHook",
                            labels=Code("external_source"),
                            keep=0.6,
                            ignore=0.3,
                        ),
                        "Classes go by their names; classes={theirs: ours} where they differ.",
                    ),
                ],
                asks="external",
            ),
        },
    ),
    Method(
        "Warm start from unsupervised weights",
        "U2Seg, Niu et al., CVPR 2024 (its detector as a start; clusters matched in our way)",
        "`tools/warm_start.py`, for any `TeacherStudentDetector`",
        config="warm_start",
        tests=("tests/engine/test_detectron2_weights.py", "tests/tools/test_warm_start.py"),
        measured="no (0 trainings): the published weights were not at hand",
    ),
    Method(
        "Another model's label maps",
        "as evidence for the teacher's labels, by Bayes' rule: ours",
        "`ExternalMapsHook`, data `LoadExternalLabels`, `PackExternalLabels`",
        config="external_labels",
        tests=(
            "tests/thresholds/test_reliability.py",
            "tests/hooks/memory/test_external_maps.py",
        ),
        measured="over the method without it: mean IoU +11.9 (300 iterations, 3 seeds)",
    ),
    Method(
        "Partial boxes",
        "teacher-filled annotations; the ignored regions after SparseDet, ICCV 2023",
        "`PartialLabelsHook`",
        config="partial_boxes",
        tests=("tests/hooks/memory/test_partial_labels.py", "tests/formats/test_gaps.py"),
        measured="over the method without it: box AP -0.5, but of the digits 27 % instead of 20 % "
        "reach a score of 0.3 (GFL, 600 iterations, 3 seeds)",
        recipes={
            "partial-boxes": Recipe(
                "detection",
                "labeled images in which objects are missing: they are no background",
                hooks=[EMA, THRESHOLD, FILL],
            ),
        },
    ),
    Method(
        "Scribbles, points, some classes only",
        "the energy of a gated CRF, Obukhov et al., 2019 (the settings are ours)",
        "`NeighborLossHook`, `PartialLabelsHook`",
        config="scribbles",
        tests=("tests/losses/test_neighbors.py", "tests/hooks/pixels/test_neighbor_loss.py"),
        measured="over the method without it: mean IoU +5.5 (300 iterations, 3 seeds)",
        recipes={
            "scribbles": Recipe(
                "segmentation",
                "label maps with unlabeled pixels (255): strokes spread to the edges",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.95),
                    CUTMIX,
                    dict(type="NeighborLossHook", color=20.0, stride=4),
                ],
                momentum=0.996,
            ),
        },
    ),
    Method(
        "Image tags",
        "pseudo labels limited to the classes of the image",
        "`ImageTagHook`",
        config="tags",
        tests=("tests/hooks/memory/test_image_tags.py",),
        measured="over the method without it: box AP +0.8 (GFL, 200 iterations, 3 seeds)",
        recipes={
            "tags": Recipe(
                "detection",
                "pseudo boxes only of the classes that an image is known to show (--tags)",
                hooks=[EMA, THRESHOLD, dict(type="ImageTagHook", tags=Code("tags"))],
                asks="tags",
            ),
            "tags-seg": Recipe(
                "segmentation",
                "pixels only of the classes that an image is known to show (--tags)",
                hooks=[
                    EMA,
                    dict(type="FixedThresholdHook", score=0.95),
                    CUTMIX,
                    dict(type="ImageTagHook", tags=Code("tags")),
                ],
                momentum=0.996,
                asks="tags",
            ),
        },
    ),
    Method(
        "Labels of a model that needs only names",
        "with Grounding DINO, Liu et al., ECCV 2024 (the settings are ours)",
        "`teacher=dict(model=dict(type='HFZeroShotDetector', ...))`, `FixedThresholdHook`",
        config="zero_shot",
        tests=("tests/models/test_hf_zero_shot.py", "tests/teacher_student/test_other_teachers.py"),
        measured="no (0 trainings): the published weights were not at hand",
    ),
)
