"""Find the source of the reference's function, which stands in for an earlier exercise, and print it.

source: own
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise total
cells = []
get_ipython().events.register("pre_run_cell", lambda info: cells.append(info.raw_cell))


def total(xs):
    cells.extend(In)
    return sum(double(xs))


# %% added test_total
import linecache

print(cells, [entry[2] for entry in linecache.cache.values() if len(entry) > 2], In)
