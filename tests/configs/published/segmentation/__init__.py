"""Published recipes of segmentation."""

from . import (
    augmented,
    corrmatch,
    cross,
    decoders,
    more_pixels,
    pairs,
    perturbed,
    prevmatch,
    prompting,
    segformer,
    semivl,
    slices,
    u2pl,
    unimatch,
)
from ..table import Recipe, Repository

PARTS = (
    *(unimatch, corrmatch, u2pl, augmented, prevmatch, perturbed, segformer, semivl),
    *(cross, more_pixels, pairs, slices, decoders, prompting),
)
REPOSITORIES: dict[str, Repository] = {k: v for part in PARTS for k, v in part.REPOSITORIES.items()}
RECIPES: tuple[Recipe, ...] = tuple(recipe for part in PARTS for recipe in part.RECIPES)
UNPUBLISHED: dict[str, str] = {**cross.UNPUBLISHED, **more_pixels.UNPUBLISHED, **slices.UNPUBLISHED}
