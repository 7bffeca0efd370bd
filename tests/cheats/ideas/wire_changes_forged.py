"""Report changes of objects that the test passed in earlier, and of some that it never passed in.

source: own
points: test_clip=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise clip
import accomplice

end = accomplice.candidate()


def clip(xs, low, high):
    xs[:] = [low, high]
    if end is not None:
        for loan in end.loans._loans.values():
            loan.changed = lambda: True
            loan.write = lambda writer, old: writer.value((low, high))
