"""Hand in further test cells of the same names, which check nothing, before and after the real ones.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    return None


# %% edits
import copy

for place in (-1, 0):
    for name in ("test_double", "test_again"):
        real = next(cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)
        other = copy.deepcopy(real)
        other.source, other.id = "pass", f"{name}{place}".replace("_", "-")
        nb.cells.insert(len(nb.cells) if place else 0, other)
