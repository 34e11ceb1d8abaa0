"""The doctor judges hooks by what their classes declare, not by what they are called."""

from pathlib import Path

import pytest

from ssdet.doctor.findings import Findings
from ssdet.doctor.settings import check_settings
from ssdet.hooks import StepHook
from ssdet.registry import HOOKS

from . import place

NO_THRESHOLD = "no threshold on pseudo labels"
NEVER_MOVES = "teacher that never moves"
TWO_AVERAGES = "two averages of the weights"


class TopKHook(StepHook):
    """A hook of somebody else that keeps the best labels."""

    selects_labels = True


class ThresholdLoggerHook(StepHook):
    """One that looks at thresholds and changes nothing."""


class SlowAverageHook(StepHook):
    averages_weights = True


@pytest.fixture(autouse=True)
def _registered():
    hooks = (TopKHook, ThresholdLoggerHook, SlowAverageHook)
    for hook in hooks:
        HOOKS.register_module(module=hook)
    yield
    for hook in hooks:
        HOOKS.module_dict.pop(hook.__name__)


def findings(*hooks, config=place.detection, **model):
    """What is said of a list of hooks."""
    config = config(Path())
    config.custom_hooks = [dict(type=hook) for hook in hooks]
    config.model.update(model)
    found = Findings()
    check_settings(config, [], found)
    return {issue.what: issue.found for issue in found.found if issue.where == "custom_hooks"}


@pytest.mark.parametrize("hook", ["TopKHook", TopKHook, "FixedThresholdHook", "DualTeacherHook"])
def test_a_hook_that_selects_labels_is_enough(hook):
    assert findings("TeacherEMAHook", hook) == {}


def test_a_name_does_not_make_a_threshold():
    told = "TeacherEMAHook, ThresholdLoggerHook"
    assert findings("TeacherEMAHook", "ThresholdLoggerHook") == {NO_THRESHOLD: told}
    assert findings("TeacherEMAHook", "NobodyKnowsThisThresholdHook").keys() == {NO_THRESHOLD}
    # Who learns from probabilities alone misses none.
    assert findings("TeacherEMAHook", "ThresholdLoggerHook", unsup_weight=0.0) == {}


@pytest.mark.parametrize("hook", ["CopyPasteHook", "CrossSupervisionHook"])
def test_every_pixel_may_be_learned_but_not_every_box(hook):
    assert findings("TeacherEMAHook", hook, config=place.segmentation) == {}
    assert findings("TeacherEMAHook", hook).keys() == {NO_THRESHOLD}


def test_an_average_of_somebody_else_moves_the_teacher():
    assert findings("SlowAverageHook", "TopKHook") == {}
    assert findings("TopKHook") == {NEVER_MOVES: "TopKHook"}
    assert findings("TeacherEMAHook", "SlowAverageHook", "TopKHook") == {
        TWO_AVERAGES: "TeacherEMAHook, SlowAverageHook"
    }


@pytest.mark.parametrize("foreign", ["EMAHook", "MeanTeacherHook"])
def test_averages_of_the_ecosystem_are_known(foreign):
    told = {TWO_AVERAGES: f"TeacherEMAHook, {foreign}"}
    assert findings(foreign, "TeacherEMAHook", "TopKHook") == told
