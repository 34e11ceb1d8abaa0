"""Published recipes of segmentation."""

from .table import Recipe, Repository

REPOSITORIES: dict[str, Repository] = {}
RECIPES: tuple[Recipe, ...] = ()
UNPUBLISHED: dict[str, str] = {}
