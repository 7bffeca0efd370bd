"""Return a list that shows small numbers when it is read first, and the right numbers in the wrong order after that.

source: own
points: test_order=0, careless_zip=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise order
class Faces(list):
    reads = 0

    def __getitem__(self, place):
        return [0] * (len(self) - 1)

    def __iter__(self):
        self.reads += 1
        return iter([0] * len(self)) if self.reads == 1 else super().__iter__()


def order(xs):
    return Faces(xs)
