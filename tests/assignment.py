"""A tiny but complete assignment on disk, for tests of building and proving."""

from __future__ import annotations

import hashlib
from pathlib import Path

from autograder.manifest import Manifest, read_manifest

TEXT = '''# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Means

# %% nbgrader={"grade": false, "grade_id": "parameters", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["parameters"]
DEVICE = "cpu"
SEED = 0


# %% nbgrader={"grade": false, "grade_id": "mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mean(values: list[float]) -> float:
    """The arithmetic mean; ValueError when there are no values."""
    ### BEGIN SOLUTION
    if not values:
        raise ValueError("no values")
    return sum(values) / len(values)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_mean", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert mean([1.0, 3.0]) == 2.0, "Exercise 1: two values"
### BEGIN HIDDEN TESTS
assert mean([1.0, 2.0, 6.0]) == 3.0, "Exercise 1: three values"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test_mean_empty", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert mean([5.0]) == 5.0, "Exercise 1: one value"
### BEGIN HIDDEN TESTS
try:
    mean([])
except ValueError:
    pass
else:
    raise AssertionError("Exercise 1: no values")
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "spread", "locked": false, "schema_version": 3, "solution": true, "task": false}
def spread(values: list[float]) -> float:
    """The largest distance from the mean."""
    ### BEGIN SOLUTION
    return max(abs(value - mean(values)) for value in values)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test_spread", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert spread([1.0, 3.0]) == 1.0, "Exercise 2: two values"
### BEGIN HIDDEN TESTS
assert spread([0.0, 0.0, 6.0]) == 4.0, "Exercise 2: three values"
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade": true, "grade_id": "why", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# Because.
'''
MANIFEST = """title = "Means"
track = "ml"
week = 1
due = "end of week 3"
points = 10
device = "cpu"
files = ["data/numbers.txt"]

[limits]
cell_seconds = 1

[references]
test_spread = ["mean"]

[sha256]
"data/numbers.txt" = "edf2f2cf8b4a1f5f8b6cfe0ab1e2b3b2a7c4d1"
"""
MUTANTS = {
    "mean": """
[[mutant]]
name = "no_check"
misconception = "Forgets the empty list."
replace = "if not values:"
with = "if False:"
fails = ["test_mean_empty"]

[[mutant]]
name = "sum_only"
misconception = "Does not divide."
body = '''
    return sum(values) if values else 1 / 0
'''
fails = ["test_mean", "test_mean_empty"]

[[alternative]]
name = "loop"
why = "Adds one by one."
body = '''
    total = 0.0
    for value in values:
        total += value
    if len(values) == 0:
        raise ValueError
    return total / len(values)
'''
""",
    "spread": """
[[mutant]]
name = "range"
misconception = "Takes the range for the spread."
replace = "max(abs(value - mean(values)) for value in values)"
with = "max(values) - min(values)"
fails = ["test_spread"]
""",
}
ENDLESS = """
[[mutant]]
name = "endless"
misconception = "Never returns."
body = '''
    while True:
        pass
'''
fails = ["test_mean", "test_mean_empty"]
"""
"""A mutant of `mean` that takes seconds."""


def write_assignment(root: Path, name: str = "w1_means") -> Manifest:
    """Write the assignment into `root/assignments/`."""
    folder = root / "assignments" / name
    (folder / "mutants").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "data" / "numbers.txt").write_text("1 2 3\n")
    digest = hashlib.sha256(b"1 2 3\n").hexdigest()
    (folder / "assignment.toml").write_text(MANIFEST.replace("edf2f2cf8b4a1f5f8b6cfe0ab1e2b3b2a7c4d1", digest))
    (folder / f"{name}.py").write_text(TEXT)
    for exercise, text in MUTANTS.items():
        (folder / "mutants" / f"{exercise}.toml").write_text(text)
    return read_manifest(folder)
