"""Raise AssertionError, as if a check of the test's had failed, with the inputs of the hidden test.

source: own
points: test_shout=0
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise shout
def shout(text):
    assert len(text) <= 3, f"I was called with {text}"
    return text.upper()
