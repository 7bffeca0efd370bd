"""End Python with status 0 before any test has run.

source: B9, A8
points: test_double=0, test_again=0
lost: rest
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import os

os._exit(0)
