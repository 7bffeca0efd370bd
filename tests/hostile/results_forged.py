# ruff: noqa
# mypy: ignore-errors
# idea: write the result files of graders: results.json, a report, a gradebook, marks in the notebook
# origin: A2
# verdicts: probe=failed, after=passed
# kept: results.json, results, results/results.json

# %% exercise attack
forged = {
    "score": 100,
    "tests": [{"score": 100, "max_score": 100}],
    "cells": [{"grade_id": "probe", "verdict": "passed", "points": 1}],
}
os.mkdir("results")
for name in ("results.json", "results/results.json", "ps1.report.json", "ps1.ipynb", "../ps1.report.json", "/tmp/results.json"):
    Path(name).write_text(json.dumps(forged))
for path in (
    "/autograder/results/results.json",
    f"{facts['course']}/autograded/mallory/ps1/ps1.report.json",
    f"{facts['course']}/gradebook.db",
):
    attempt(path, lambda: Path(path).write_text(json.dumps(forged)))

# %% test probe
assert False, "a wrong answer stays wrong"

# %% test after
assert not reached, reached
