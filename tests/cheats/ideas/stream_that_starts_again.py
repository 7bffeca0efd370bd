"""Return an iterator that shows small numbers to the first loop and the right numbers to the second.

source: own
points: test_order=0, careless_zip=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise order
class Stream:
    def __init__(self, xs):
        self.xs, self.shown = xs, iter([0] * len(xs))

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return next(self.shown)
        except StopIteration:
            self.shown = iter(self.xs)
            raise

    def __len__(self):
        return len(self.xs)

    def __getitem__(self, part):
        return [0] * (len(self.xs) - 1)


def order(xs):
    return Stream(xs)
