"""Mark test cells as the student's own, as written answers and as ungraded.

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
    if name == "test_double":
        cell.metadata.nbgrader.update(solution=True, locked=False)
        cell.source = "pass"
    if name == "test_again":
        cell.metadata.nbgrader.update(grade=False, locked=False)
        cell.source = "pass"
