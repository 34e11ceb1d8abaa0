"""Which branches a data source makes: of its config, or of the data set that was built from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def has_labels(pipeline: Any) -> bool:
    """Whether a pipeline makes labeled samples: a branch "sup", or no branches at all.

    Its steps are configs or transforms, of `WeakStrongViews` or of MMDetection's `MultiBranch`
    (which lists the branches that other sources make, too).
    """
    steps = getattr(pipeline, "transforms", pipeline) or ()
    branches = {branch for step in steps for branch in _branches(step)}
    return not branches or "sup" in branches


def source_has_labels(dataset: Any) -> bool:
    """The same of a data set that was built, wrapped ones (`RepeatDataset`) included."""
    while not hasattr(dataset, "pipeline") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    return has_labels(getattr(dataset, "pipeline", None))


def _branches(step: Any) -> set[str]:
    if not isinstance(step, Mapping):
        return {*getattr(step, "branch_pipelines", ()), *getattr(step, "views", ())}
    if isinstance(step.get("views"), Mapping):
        return set(step["views"])
    return {branch for branch in step.get("branch_field", ()) if branch in step}
