"""What the numbers of a label map mean, wherever maps are read, learned, judged or written."""

IGNORE = 255
"""The label of a pixel that is not annotated, not known, or not part of the image."""
