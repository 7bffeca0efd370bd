"""Settings shared by all tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A loaded machine must not fail a property: neither deadlines nor the health check on slow generation say anything about
# our code. In CI the same examples are tried each time; elsewhere new ones.
settings.register_profile(
    "autograder", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=os.environ.get("CI") == "true"
)
settings.load_profile("autograder")
