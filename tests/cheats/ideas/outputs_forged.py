"""Hand in test cells with the outputs of full points, and say that everything has been run.

source: A2
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    return None


# %% edits
import nbformat

for number, cell in enumerate(nb.cells):
    if cell.metadata.get("nbgrader", {}).get("grade"):
        cell.metadata["tags"] = ["skip-execution"]
    if cell.cell_type == "code":
        cell.execution_count = number + 1
        cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2.0"}, execution_count=number + 1)]
