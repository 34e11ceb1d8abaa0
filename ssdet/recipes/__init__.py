"""From data and the name of a model to a config that trains.

`make` is the whole way of `ssdet init`, from top to bottom: `models` finds the supervised config
and `needs` a method for it, `data` reads what the user has (`labeled`, `places`), `schedule`
chooses the numbers, `views` and `pair` say how images become batches and models a pair, `writer`
writes. A method is data: a `Recipe` in `methods`, one entry for each method, of which `table` makes
`docs/methods.md` and `ssdet init --list`.
"""

from .methods import AUTO, METHODS
from .recipe import Recipe
from .short_names import BASES

__all__ = ["AUTO", "BASES", "METHODS", "Recipe"]
