"""Turn test cells into text and into raw cells.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    return None


# %% edits
for cell in nb.cells:
    name = cell.metadata.get("nbgrader", {}).get("grade_id")
    if name in ("test_double", "test_again"):
        cell.cell_type = "markdown" if name == "test_double" else "raw"
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
