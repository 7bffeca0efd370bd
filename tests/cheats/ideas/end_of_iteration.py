"""Raise StopIteration where a test maps the function over its cases: its loop ends and nothing was compared.

source: own
points: test_shout=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise shout
def shout(text):
    raise StopIteration
