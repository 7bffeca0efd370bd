"""Answer with lists inside lists without end, and with a list that is inside itself.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    inner = []
    if len(xs) == 2:
        for _ in range(100_000):
            inner = [inner]
    else:
        inner.append(inner)
    return inner
