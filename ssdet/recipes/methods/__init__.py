"""The table of methods: `docs/methods.md`, `ssdet init --list` and `METHODS` are made from it.

A new method is one entry in one of the files. Nothing here imports torch or MMEngine.
"""

from ..recipe import Method, Recipe
from .adaptation import ADAPTATION
from .balance import BALANCE
from .contrast import CONTRAST
from .detection import DETECTION
from .labels import LABELS
from .masks import MASKS
from .medical import MEDICAL
from .noise import NOISE
from .parts import PARTS
from .queries import QUERIES
from .segmentation import SEGMENTATION
from .several_networks import SEVERAL_NETWORKS

TABLE: dict[str, tuple[Method, ...]] = {
    "Detection and instance segmentation": (*DETECTION, *QUERIES, *MASKS),
    "Segmentation": (*SEGMENTATION, *CONTRAST, *SEVERAL_NETWORKS, *MEDICAL),
    "Labels of other models, and labels with gaps": LABELS,
    "Unlabeled images of another domain": ADAPTATION,
    "Rare classes": BALANCE,
    "Wrong labels": NOISE,
    "Thresholds and parts for any method": PARTS,
}

# What `ssdet init --method` may be.
METHODS: dict[str, Recipe] = {
    name: recipe
    for methods in TABLE.values()
    for method in methods
    for name, recipe in method.recipes.items()
}

# What "auto" is: the first one that suits the model. docs/choosing.md says why.
AUTO = {"detection": ("copy-paste", "mixpl-by-class"), "segmentation": ("classmix",)}

__all__ = ["AUTO", "METHODS", "TABLE"]
