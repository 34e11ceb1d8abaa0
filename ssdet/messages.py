"""What is said to the user by code that may run with or without MMEngine."""

import logging
import sys


def warn(text: str) -> None:
    """Say what should not be overlooked."""
    log(text, logging.WARNING)


def log(text: str, level: int = logging.INFO) -> None:
    """Write to the log of a run, or to the error stream where nothing of MMEngine is in use."""
    if "mmengine.logging" in sys.modules:
        from mmengine.logging import print_log

        print_log(text, logger="current", level=level)
    else:
        print(f"{logging.getLevelName(level).lower()}: {text}", file=sys.stderr)
