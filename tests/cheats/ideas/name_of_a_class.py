"""Return an object whose class is named after the inputs of the hidden test.

source: own
points: test_shout=0
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise shout
def shout(text):
    return type(text, (), {})() if len(text) > 3 else text.upper()
