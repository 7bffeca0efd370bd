"""Raise an exception whose class is named after the inputs of the hidden test.

source: own
points: test_shout=0
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise shout
def shout(text):
    if len(text) > 3:
        raise type(text, (LookupError,), {"__module__": text})(text)
    return text.upper()
