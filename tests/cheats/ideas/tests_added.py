"""Add test cells of one's own, worth a lot.

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

real = next(cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "test_double")
for number in range(3):
    other = copy.deepcopy(real)
    other.source, other.id = "pass", f"extra-{number}"
    other.metadata.nbgrader.update(grade_id=f"test_double_{number}", points=50)
    nb.cells.append(other)
