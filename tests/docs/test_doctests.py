"""Each public hook shows in its docstring what it does, and what it shows is so."""

import doctest
import importlib

import pytest
import torch
from mmengine.logging import MMLogger

from ssdet import hooks, testing

HOOKS = {
    name: value
    for name, value in vars(hooks).items()
    if isinstance(value, type) and issubclass(value, hooks.StepHook)
}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(autouse=True)
def _logger():
    """Made before an example runs: a logger writes to the output of the moment it is made in."""
    MMLogger.get_current_instance()


def run(thing):
    """Run the examples of a docstring; returns how many there are."""
    space = dict(vars(importlib.import_module(thing.__module__)))
    found = doctest.DocTestFinder(recurse=False).find(thing, thing.__name__, globs=space)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    report = []
    for test in found:
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)
    return runner.tries


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_a_hook_shows_what_it_does(name):
    torch.manual_seed(0)
    assert run(HOOKS[name]) >= 2, f"{name} has no example in its docstring"


@pytest.mark.parametrize("name", ["box_step", "pixel_step", "take_step"])
def test_helpers(name):
    assert run(getattr(testing, name))


def test_a_wrong_example_fails():
    class Wrong:
        """One and one.

        >>> 1 + 1
        3
        """

    with pytest.raises(AssertionError, match="Expected"):
        run(Wrong)
