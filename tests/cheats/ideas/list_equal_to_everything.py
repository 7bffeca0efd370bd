"""Return a list that is equal to everything.

source: A7
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
class Liar(list):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


def double(xs):
    return Liar()
