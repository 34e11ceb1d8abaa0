"""The schedule of a written config, for long and short trainings."""

from types import SimpleNamespace

import pytest

from ssdet.recipes.schedule import schedule_settings


@pytest.mark.parametrize(("iterations", "end"), [(2000, 500), (180_000, 500), (80, 20), (2, 1)])
def test_the_warm_up_ends_well_within_the_training(iterations, end):
    base = SimpleNamespace(task="detection", config={})
    warm_up = schedule_settings(base)["param_scheduler"][0]
    assert warm_up["type"] == "LinearLR"
    written = eval(str(warm_up["end"]), {"iterations": iterations})  # noqa: S307
    assert written == end
