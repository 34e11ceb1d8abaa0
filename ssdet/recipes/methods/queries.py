"""Methods for detectors of the DETR kind."""

from ..recipe import EMA, Code, Method, Recipe

QUERIES: tuple[Method, ...] = (
    Method(
        "Semi-DETR",
        "Zhang et al., CVPR 2023",
        "`HybridMatchingHook`, `CostMiningHook`, `CrossViewQueryHook`, network `QueryProjector`",
        config="semi_detr",
        tests=(
            "tests/losses/test_one_to_many.py",
            "tests/losses/test_queries.py",
            "tests/hooks/boxes/test_hybrid_matching.py",
            "tests/hooks/boxes/test_cost_mining.py",
            "tests/hooks/boxes/test_cross_view_query.py",
            "tests/hooks/boxes/test_query_votes.py",
        ),
        measured="box AP +1.5 (DINO)",
        recipes={
            "semi-detr": Recipe(
                "detection",
                "DETRs: at first several queries learn a box; boxes found at a low cost",
                hooks=[
                    EMA,
                    dict(type="CostMiningHook", score=0.4),
                    dict(type="HybridMatchingHook", switch=Code("iterations // 2")),
                ],
                needs="queries",
                instead=("mean-teacher",),
            ),
        },
    ),
    Method(
        "Text queries",
        "inspired by STEP-DETR, Shehzadi et al., ICCV 2025 (its abstract is what is public)",
        "`TextQueryHook`, network `ClassTextProjector`; `TeacherFusionHook` for a super teacher",
        config="step_detr",
        tests=("tests/losses/test_text_contrast.py", "tests/hooks/boxes/test_text_query.py"),
        measured="box AP -0.4 (DINO, with random directions in the place of texts)",
    ),
)
