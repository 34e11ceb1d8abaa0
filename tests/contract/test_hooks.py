"""What every registered hook must keep, whatever it does."""

import pytest

from ssdet.hooks import StepHook
from ssdet.registry import HOOKS
from ssdet.renamed import CLASSES as OLD

from .assertions import assert_contract
from .table import ENTRIES


def test_every_registered_hook_has_an_entry():
    registered = {
        name
        for name, hook in HOOKS.module_dict.items()
        if issubclass(hook, StepHook) and hook.__module__.startswith("ssdet.") and name not in OLD
    }
    assert {entry.name for entry in ENTRIES} == registered


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_the_contract(entry, tmp_path):
    assert_contract(entry.build, tmp_path, entry.idle)
