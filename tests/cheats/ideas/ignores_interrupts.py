"""Loop for ever and ignore whatever asks to stop.

source: B11
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import time


def double(xs):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
