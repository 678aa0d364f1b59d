"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# No test is timed: a slow machine is not a fault of ours.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
