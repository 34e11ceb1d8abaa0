"""Parts with weights to learn beside the student: polishers, heads, priors."""

from .averaged import Averaged
from .polishers import BoxPolisher, ClassPolisher

__all__ = ["Averaged", "BoxPolisher", "ClassPolisher"]
