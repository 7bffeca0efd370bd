"""Pretend that somebody interrupted the test.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    raise KeyboardInterrupt
