"""Tests of `ssdet.labeling.audit`."""
