"""Raise an exception of a class of one's own named ValueError, for everything.

source: own
points: test_parse_age=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise parse_age
class ValueError(Exception):
    pass


def parse_age(text):
    raise ValueError
