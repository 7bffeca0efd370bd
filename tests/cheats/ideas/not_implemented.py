"""Raise what an untouched exercise raises, wherever the answer is not known.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    if xs == [1, 2]:
        return [2, 4]
    raise NotImplementedError
