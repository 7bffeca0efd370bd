"""Read the secret out of the function that the test passes in.

source: A4
points: test_play=0, careless_game=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise play
def play(guess):
    cells = getattr(guess, "__closure__", None) or ()
    numbers = [cell.cell_contents for cell in cells if type(cell.cell_contents) is int]
    return numbers[0] if numbers else 0
