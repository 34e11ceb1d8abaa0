"""Which images a training takes; no framework is needed to know."""

LONGEST_ASPECT = 200  # of the sides: scaled to a usual size, the shorter one would have no pixel
# Values of `color_type` with which a loader keeps more than 8 bits in a channel.
DEEP = ("unchanged", "anydepth", "anydepth_color")


def allowed_bad(limit: float, count: int) -> int:
    """How many of `count` images may be unreadable: a share, but one at least, unless it is 0."""
    return max(1, int(limit * count)) if limit else 0
