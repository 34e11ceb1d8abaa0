"""Checks of data and config before hours are spent: `ssdet doctor`, and what training runs of it.

`examine_config` and `examine_data` look at everything, `quick_check` at what takes no time. A check
is a function that adds to `Findings`; it builds no model and changes no file. Not here: what a
reader notices while it reads (`ssdet.formats`), and the printing (`ssdet.cli.doctor`).
"""

from .examine import examine_config, examine_data, make_strict, quick_check, try_training
from .findings import Findings

__all__ = [
    "Findings",
    "examine_config",
    "examine_data",
    "make_strict",
    "quick_check",
    "try_training",
]
