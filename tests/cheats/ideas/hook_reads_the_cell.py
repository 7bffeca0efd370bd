"""Read the text of each cell in a hook that runs before it, and answer from that.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import accomplice

cells = []
get_ipython().events.register("pre_run_cell", lambda info: cells.append(info.raw_cell))


def double(xs):
    return accomplice.from_cells(reversed(cells), xs, globals())
