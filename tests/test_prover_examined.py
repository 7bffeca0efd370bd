"""Where a locked cell makes something with an exercise, a mutant of it gives the same verdicts in one process and examined."""

from __future__ import annotations

from pathlib import Path

from autograder.build import build
from autograder.check import check
from autograder.equivalence import compare
from autograder.manifest import read_manifest
from tests.assignment import write_assignment

METADATA = (
    '# %% nbgrader={"grade": false, "grade_id": "centre", "locked": true, "schema_version": 3, "solution": false, "task": false}'
)
LOCKED = f"""{METADATA}
centre = []
centre.append(mean([2.0, 4.0]))


# %% nbgrader={{"grade": false, "grade_id": "spread\""""
MUTANTS = """
[[mutant]]
name = "sum_only"
misconception = "Does not divide."
body = '''
    return sum(values) if values else 1 / 0
'''
fails = ["test_mean", "test_mean_empty", "test_spread"]

[[mutant]]
name = "not_two"
misconception = "Breaks the locked cell only, and one test."
replace = "if not values:"
with = "if not values or values[0] in (1.0, 2.0):"
fails = ["test_mean", "test_spread"]

[[alternative]]
name = "total"
why = "A name for the sum."
replace = "return sum(values) / len(values)"
with = "total = sum(values)\\n    return total / len(values)"
"""


def test_what_a_locked_cell_made_with_a_mutant_is_seen_in_both_ways(tmp_path: Path) -> None:
    folder = write_assignment(tmp_path).folder
    path = folder / "w1_means.py"
    text = path.read_text().replace('# %% nbgrader={"grade": false, "grade_id": "spread"', LOCKED)
    path.write_text(text.replace("assert spread([0.0, 0.0, 6.0])", "assert centre == [3.0] and spread([0.0, 0.0, 6.0])"))
    (folder / "mutants" / "mean.toml").write_text(MUTANTS)
    manifest = read_manifest(folder)  # for test_spread the reference of `mean` stands in, but `centre` is what the mutant made
    build(manifest, tmp_path / "source")
    proven = check(manifest, tmp_path / "source", exercises=frozenset({"mean"}))
    assert proven.problems == ()
    assert [str(result) for result in proven.mutants] == [
        f"mean/{name}: as declared" for name in ("sum_only", "not_two", "total")
    ]
    found = compare(manifest, proven.mutants, workers=1)
    assert found.differences == (), str(found)
    assert found.retried == ()


HALF = """
[[mutant]]
name = "nine"
misconception = "Is wrong where only a part of the points sees it."
replace = "if not values:"
with = "if 9.0 in values:\\n        return 1.0\\n    if not values:"
fails = ["test_mean"]
"""


def test_less_than_all_points_is_caught_in_both_ways(tmp_path: Path) -> None:
    folder = write_assignment(tmp_path).folder
    path = folder / "w1_means.py"
    begin = '### END HIDDEN TESTS\n\n# %% nbgrader={"grade": true, "grade_id": "test_mean_empty"'
    path.write_text(path.read_text().replace(begin, f"2 if mean([7.0, 9.0]) == 8.0 else 1\n{begin}"))
    (folder / "mutants" / "mean.toml").write_text(HALF)
    manifest = read_manifest(folder)
    build(manifest, tmp_path / "source")
    proven = check(manifest, tmp_path / "source", exercises=frozenset({"mean"}))
    assert proven.problems == ()
    (result,) = proven.mutants
    assert result.as_declared, str(result)
    assert result.errors == {"test_mean": "Partial: 1 of 2 points."}
    assert compare(manifest, proven.mutants, workers=1).differences == ()
