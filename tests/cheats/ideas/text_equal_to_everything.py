"""Return a text that is equal to everything.

source: A7
points: test_shout=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise shout
class Liar(str):
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


def shout(text):
    return Liar("anything")
