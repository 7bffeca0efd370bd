"""Tag test cells so that they are not run.

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
    if cell.metadata.get("nbgrader", {}).get("grade_id") in ("test_double", "test_again"):
        cell.metadata["tags"] = ["skip-execution", "raises-exception", "candidate", "parameters", "injected-parameters"]
