"""Checks of data and config before hours are spent: `ssdet doctor`, and what training runs of it.

`examine_config` and `examine_data` look at everything, `quick_check` at what takes no time.
"""

from .examine import examine_config, examine_data, make_strict, quick_check
from .findings import Findings
from .sources import guess_format

__all__ = [
    "Findings",
    "examine_config",
    "examine_data",
    "guess_format",
    "make_strict",
    "quick_check",
]
