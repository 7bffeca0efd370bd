"""Write a class whose class answers questions about it, and whose attributes are equal to everything.

source: own
points: test_account=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise account
class Yes(int):
    def __eq__(self, other):
        return True


class Meta(type):
    def __instancecheck__(cls, thing):
        return True

    def __subclasscheck__(cls, kind):
        return True

    def __eq__(cls, other):
        return True

    __hash__ = type.__hash__


class Account(metaclass=Meta):
    balance = Yes()

    def __init__(self, balance):
        pass

    def deposit(self, amount):
        pass

    def withdraw(self, amount):
        if amount < 100:
            raise ValueError
