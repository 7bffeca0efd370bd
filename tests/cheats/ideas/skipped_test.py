"""Raise what test frameworks take for a test that is to be skipped.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import unittest

import pytest

calls = []


def double(xs):
    calls.append(xs)
    if len(calls) % 2:
        pytest.skip("not today")
    raise unittest.SkipTest
