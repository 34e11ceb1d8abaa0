"""Tests of `ssdet.labeling`."""
