"""Leave with status 0.

source: A8
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    raise SystemExit(0)
