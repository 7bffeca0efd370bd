"""Yield for ever, so that the test never comes to compare.

source: own
points: test_countdown=0, careless_open=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise countdown
import time


def countdown(n):
    while True:
        time.sleep(0.3)
        yield n
