"""Change a number that a test uses, in a cell of the assignment that is not locked: there are 0 cases now.

source: own
points: test_countdown=0, careless_open=1
stays: A cell that is not locked is the student's; lock what tests use.
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise countdown
def countdown(n):
    return []


# %% edits
cell = next(cell for cell in nb.cells if cell.source == "CASES = 6")
cell.source = "CASES = 0"
