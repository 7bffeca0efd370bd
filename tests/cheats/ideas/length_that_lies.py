"""Return a list that is as long as it should be, of which any part is empty.

source: own
points: test_order=0, careless_zip=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise order
class Empty(list):
    def __getitem__(self, place):
        return []


def order(xs):
    return Empty(xs)
