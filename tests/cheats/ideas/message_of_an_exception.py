"""Raise an exception whose message holds the inputs of the hidden test.

source: own
points: test_shout=0
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise shout
def shout(text):
    if len(text) > 3:
        raise RuntimeError(f"I was called with {text} and {text[::-1]}")
    return text.upper()
