"""Return an empty list, so that a loop over answers and expectations has nothing to compare.

source: own
points: test_order=0, careless_zip=1
stays: `zip` ends with the shorter one; compare the whole, or `zip(..., strict=True)`.
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise order
def order(xs):
    return []
