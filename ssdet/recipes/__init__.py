"""From data and the name of a model to a config that trains: `ssdet init` and `semi_supervise`."""

from .bases import BASES
from .methods import METHODS
from .needs import AUTO
from .recipe import Recipe, make_recipe, semi_supervise

__all__ = ["AUTO", "BASES", "METHODS", "Recipe", "make_recipe", "semi_supervise"]
