"""Settings shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from autograder.warm import WarmKernels

# A loaded machine must not fail a property: neither deadlines nor the health check on slow generation say anything about
# our code. In CI the same examples are tried each time; elsewhere new ones.
settings.register_profile(
    "autograder", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=os.environ.get("CI") == "true"
)
settings.load_profile("autograder")


@pytest.fixture(scope="session")
def warm_kernels() -> Iterator[WarmKernels]:
    """Warm, walled kernels, planted once for all tests."""
    kernels = WarmKernels()
    yield kernels
    kernels.close()
