"""MixPL, and what other methods take of it."""

from typing import Any

from ..recipe import EMA, Code, Method, Note, Recipe

MIXPL_MIXING = (
    dict(type="EraseHook", count=(1, 19), size=(0.0, 0.1), hidden=0.7),
    Note(
        dict(
            type="PseudoMosaicHook",
            size=Code("[side * image_scale[1] // 6 for side in (2, 4)]"),
            weight=0.5,
        ),
        "Its parts are a third to two thirds of an image.",
    ),
    dict(type="PseudoMixupHook", share=0.5),
)
MIXPL_PAIR: dict[str, Any] = dict(
    model=dict(empty_weight=0.0),
    strong=[dict(type="StrongPhotometric")],  # EraseHook erases
)

MIXPL = Method(
    "MixPL",
    "Chen et al., 2023 (arXiv 2312.07006)",
    "`EraseHook`, `PseudoMosaicHook`, `PseudoMixupHook`",
    config="mixpl",
    tests=(
        "tests/hooks/mixing/test_pseudo_mix.py",
        "tests/hooks/mixing/test_erase.py",
        "tests/mixing/test_canvas.py",
    ),
    measured="box AP +8.6 (Faster R-CNN), +6.3 (GFL); photographs of blood cells +2.2 "
    "(Faster R-CNN, three seeds), with five views +1.2 (RetinaNet, three seeds), by class +3.7 "
    "(Faster R-CNN from ImageNet weights, one seed)",
    recipes={
        "mixpl": Recipe(
            "detection",
            "MixPL: mosaics and mixtures of pseudo-labeled images",
            hooks=[
                {**EMA, "gamma": 4},
                dict(type="FixedThresholdHook", score=0.5),
                *MIXPL_MIXING,
            ],
            **MIXPL_PAIR,
        ),
        "mixpl-by-class": Recipe(
            "detection",
            "MixPL; of each class as many boxes are kept as the labels promise",
            hooks=[
                {**EMA, "gamma": 4},
                Note(
                    dict(
                        type="LabelDistributionThresholdHook",
                        reliable=1.0,
                        uncertain=1.5,
                        images=Code("80 * batch[1]"),
                        interval=10,
                        default=0.5,
                    ),
                    "Where unlabeled images show fewer objects than labeled ones: a lower "
                    "`reliable`.",
                ),
                *MIXPL_MIXING,
            ],
            **MIXPL_PAIR,
        ),
    },
)
