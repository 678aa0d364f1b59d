"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

# No test is timed: a slow machine is not a fault of ours.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# What must hold before a change lands is the same at each run; `make test-long` looks further.
settings.register_profile("repeatable", UNTIMED, derandomize=True)
settings.register_profile("exploring", UNTIMED, max_examples=500, print_blob=True)
settings.load_profile(os.environ.get("FOREBAY_TEST_PROFILE", "repeatable"))
