"""Keep the reference's function, which stands in for an earlier exercise while a later test runs.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    return kept[0](xs) if kept else []


kept = []


# %% exercise total
def total(xs):
    if "double" in globals() and not kept:
        kept.append(double)
    return sum(double(xs))
