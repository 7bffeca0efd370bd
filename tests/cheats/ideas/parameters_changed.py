"""Change the cell of parameters, and add another one after it.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
class Liar(int):
    def __eq__(self, other):
        return True


def double(xs):
    return [Liar() for x in xs]


# %% edits
import copy

cell = next(cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "settings")
cell.source = "SEED = 0\nLIMIT = 0"
other = copy.deepcopy(cell)
other.metadata = {"tags": ["injected-parameters"]}
other.id = "injected"
nb.cells.insert(nb.cells.index(cell) + 1, other)
