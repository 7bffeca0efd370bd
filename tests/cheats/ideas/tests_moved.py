"""Move a test to where the right function is, one that is not handed in as one's own.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% added double
def double(xs):
    return None


# %% edits
names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
wrong = nb.cells.pop(names.index("double") + 1)
nb.cells.append(nb.cells.pop(names.index("double")))
nb.cells.append(nb.cells.pop(names.index("test_double") - 1))
nb.cells.insert(3, wrong)
nb.cells[-2].metadata.nbgrader.grade_id = "double_too"
