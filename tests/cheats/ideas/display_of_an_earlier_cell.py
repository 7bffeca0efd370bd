"""Change, in the middle of a hidden test, what an earlier cell displays.

source: own
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise shout
from IPython.display import display

handle = display("nothing", display_id="board")


def shout(text):
    handle.update(text)
    return text.upper()
