"""Read the text of the running test in IPython's list of inputs.

source: A4
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import accomplice


def double(xs):
    return accomplice.from_cells(reversed(In), xs, globals())
