"""Special values of label maps, shared by all code that reads, trains on or writes maps."""

IGNORE = 255
"""The label of a pixel that is not annotated, not known, or not part of the image."""
