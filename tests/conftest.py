"""Settings shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from autograder.warm import WarmKernels

# Started processes leave out what takes nbgrader longest to import; see startup/sitecustomize.py.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).with_name("startup")), os.environ.get("PYTHONPATH")]))

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
