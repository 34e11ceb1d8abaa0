"""MMEngine keeps loggers and hubs for the life of a process; a test starts without those."""

import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer


@pytest.fixture(autouse=True)
def _no_runner_before():
    yield
    for kind in (MMLogger, MessageHub, Visualizer):
        kind._instance_dict.clear()
