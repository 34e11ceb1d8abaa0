"""What to label next, which labels look wrong, which images to look at (`ssdet audit`).

The maths is in functions of NumPy arrays; networks and data sets are those of a config.
"""

from .boxes import Boxes, Suspect, evidence, overlooked, suspects
from .criteria import doubt, found_again, rarity, rarity_weights, robustness
from .examine import Asked, audit
from .features import Shift, frechet_distance, k_center, nearest, shift
from .files import as_json, write_audit
from .findings import PARTS, Audit, Choice, Odd, Twins
from .page import render
from .pixels import contradiction, regions

__all__ = [
    "PARTS", "Asked", "Audit", "Boxes", "Choice", "Odd", "Shift", "Suspect", "Twins", "as_json",
    "audit", "contradiction", "doubt", "evidence", "found_again", "frechet_distance", "k_center",
    "nearest", "overlooked", "rarity", "rarity_weights", "regions", "render", "robustness",
    "shift", "suspects", "write_audit",
]  # fmt: skip
