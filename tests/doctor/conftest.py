"""The logger outlives a test: its stream must not be one that a test captures."""

import pytest
from mmengine.logging import MMLogger


@pytest.fixture(scope="session", autouse=True)
def _logger_of_the_session():
    MMLogger.get_current_instance()
