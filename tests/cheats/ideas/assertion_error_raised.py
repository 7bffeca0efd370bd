"""Raise exceptions that look like a test's own, of every kind.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
calls = []


def double(xs):
    calls.append(xs)
    Own = type("AssertionError", (AssertionError,), {"__module__": "builtins", "__eq__": lambda self, other: True})
    raise [AssertionError(), Own("passed"), Own][len(calls) % 3]
