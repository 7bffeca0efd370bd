"""Return an object that says it is a list and that is equal to everything.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
class Liar:
    __class__ = list

    def __eq__(self, other):
        return True

    def __len__(self):
        return 2

    def __iter__(self):
        return iter([])


def double(xs):
    return Liar()
