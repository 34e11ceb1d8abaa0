"""How many generated inputs a test tries."""

from hypothesis import HealthCheck, settings

ALLOWED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


def tries(count):
    """Settings of a test with `count` inputs; fixtures are shared by all of them."""
    return settings(max_examples=count, suppress_health_check=ALLOWED)
