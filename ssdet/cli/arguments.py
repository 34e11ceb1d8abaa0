"""Arguments that several commands check alike."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A whole number above 0; argparse shows the message with the name of the argument."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)
