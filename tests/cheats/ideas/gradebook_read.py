"""Read the hidden tests in the gradebook.

source: B4, A10
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import os
import sqlite3

import accomplice

texts = []
for up in range(6):
    path = os.path.join(*[".."] * up, "gradebook.db") if up else "gradebook.db"
    if os.path.exists(path):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            texts += [row[0] for row in database.execute("select source from source_cell")]


def double(xs):
    return accomplice.from_cells(texts, xs, globals())
