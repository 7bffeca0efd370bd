"""Fail in one of several ways, depending on the inputs of the hidden test, and read which one from the feedback.

source: A15
points: test_double=0
wants: tests
sends: Out of memory|ran out of memory
stays: How a test ended is told: whoever fails on purpose learns a few bits for each submission.
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    if xs[0] > 1000 and xs[0] % 10 == 9:
        raise MemoryError
    return [2 * x for x in xs]
