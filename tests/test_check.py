"""Proving: what holds is said to hold, and each way of not holding is named."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder import bench_mutants
from autograder.build import build
from autograder.check import CheckReport, check
from autograder.errors import MutantError, SourceError
from autograder.manifest import read_manifest
from tests.assignment import ENDLESS, MUTANTS, write_assignment


def proven(root: Path, edit: Callable[[str], str] = lambda text: text) -> CheckReport:
    """The report on the tiny assignment, with its text changed by `edit`."""
    folder = write_assignment(root).folder
    path = folder / "w1_means.py"
    path.write_text(edit(path.read_text()))
    manifest = read_manifest(folder)
    build(manifest, root / "source")
    return check(manifest, root / "source")


def rewrite_mutants(root: Path, exercise: str, text: str) -> CheckReport:
    manifest = write_assignment(root)
    (manifest.folder / "mutants" / f"{exercise}.toml").write_text(text)
    build(manifest, root / "source")
    return check(manifest, root / "source")


def test_good_assignment_holds(tmp_path: Path) -> None:
    report = rewrite_mutants(tmp_path, "mean", MUTANTS["mean"] + ENDLESS)
    assert report.problems == ()
    assert {result.mutant.name: result.failed for result in report.mutants} == {
        "no_check": ("test_mean_empty",),
        "sum_only": ("test_mean", "test_mean_empty"),
        "endless": ("test_mean", "test_mean_empty"),
        "loop": (),
        "range": ("test_spread",),
    }
    assert report.holds
    assert report.test_cells == 3


def test_a_mistake_is_not_punished_twice_because_the_reference_stands_in(tmp_path: Path) -> None:
    report = proven(tmp_path)
    sum_only = next(result for result in report.mutants if result.mutant.name == "sum_only")
    assert "test_spread" not in sum_only.failed  # spread calls mean; [references] names it


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("return sum(values) / len(values)", "return sum(values)", "reference: test_mean raised AssertionError"),
        ('assert mean([1.0, 3.0]) == 2.0, "Exercise 1: two values"\n', "", "test cell test_mean has no visible part"),
        ('"points": 5', '"points": 6', "the cells are worth 11 points, the manifest says 10"),
        (
            '# %% [markdown] nbgrader={"grade": true, "grade_id": "why"',
            '# %% nbgrader={"grade": true, "grade_id": "test_again", "locked": true, "points": 1, "schema_version": 3, '
            '"solution": false, "task": false}\nassert mean([1.0]) == 1.0\n\n'
            '# %% [markdown] nbgrader={"grade": true, "grade_id": "why"',
            "[references] test_spread: the reference of mean stands in there, and student code could keep it until test_again",
        ),
        ('"grade_id": "parameters"', '"grade_id": "why"', "grade id why is used more than once"),
        (' tags=["parameters"]', "", "no cell is tagged `parameters`"),
        ("SEED = 0", "SEED = 0\nprint(mean([1.0]))", "release: parameters raises NameError"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    report = proven(tmp_path, lambda text: text.replace(old, new))
    assert any(found.startswith(problem) for found in report.problems), report.problems
    assert not report.holds


def test_blank_that_earns_points_is_found(tmp_path: Path) -> None:
    report = proven(
        tmp_path,
        lambda text: text.replace("assert spread([1.0, 3.0]) == 1.0", "assert callable(spread)").replace(
            "assert spread([0.0", "assert callable(spread) or spread([0.0"
        ),
    )
    assert "blank: test_spread gives points" in report.problems


def test_survivor_is_found(tmp_path: Path) -> None:
    report = proven(
        tmp_path,
        lambda text: text.replace("assert spread([1.0, 3.0]) == 1.0", "assert spread([1.0, 3.0])").replace(
            "assert spread([0.0, 0.0, 6.0]) == 4.0", "assert spread([0.0, 6.0])"
        ),
    )
    assert not report.holds
    assert [result.failed for result in report.mutants if result.mutant.name == "range"] == [()]


def test_exercise_without_mutants_is_a_problem(tmp_path: Path) -> None:
    report = rewrite_mutants(tmp_path, "spread", "")
    assert report.problems == ("exercise spread has no mutant: nothing shows that its tests can fail",)


def test_mutant_that_kills_python_is_caught_by_every_test_that_can_see_it(tmp_path: Path) -> None:
    text = MUTANTS["spread"].replace('with = "max(values) - min(values)"', "with = \"__import__('os')._exit(1)\"")
    assert rewrite_mutants(tmp_path, "spread", text).holds


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "range"', "", "needs a name"),
        ('"test_spread"', '"test_nothing"', "no test cell"),
        ('fails = ["test_spread"]', "", "must name the test cells"),
        ("max(abs(value - mean(values)) for value in values)", "nowhere", "occurs 0 times"),
        ("with =", "wth =", "unknown key wth"),
        ("[[mutant]]", "[[mutants]]", "unknown table mutants"),
        ("[[mutant]]", "[mutant]", "two brackets"),
        ('fails = ["test_spread"]', 'fails = "test_spread"', "not a list of test cells"),
        ('name = "range"', "name = 3", "name must be text"),
    ],
)
def test_impossible_mutant_file_says_what_is_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(MutantError, match=said):
        rewrite_mutants(tmp_path, "spread", MUTANTS["spread"].replace(old, new))


@pytest.mark.parametrize("body", ["    return (", "    return 1\\nundefined_name"])
def test_solution_that_does_not_run_proves_nothing(tmp_path: Path, body: str) -> None:
    entry = f'\n[[alternative]]\nname = "broken"\nwhy = "It is not."\nbody = "{body}"\n'
    report = rewrite_mutants(tmp_path, "spread", MUTANTS["spread"] + entry)
    assert not report.holds
    assert [result.mutant.name for result in report.mutants if result.broken] == ["broken"]


def test_mutants_of_no_exercise_are_a_problem(tmp_path: Path) -> None:
    manifest = write_assignment(tmp_path)
    (manifest.folder / "mutants" / "sprd.toml").write_text("anything")
    build(manifest, tmp_path / "source")
    report = check(manifest, tmp_path / "source", exercises=frozenset())
    assert report.problems == ("mutants/sprd.toml belongs to no exercise: nothing of it is tried",)


def test_unknown_exercise_is_an_error(tmp_path: Path) -> None:
    manifest = write_assignment(tmp_path)
    with pytest.raises(SourceError, match="no exercise sprd; it has mean, spread"):
        check(manifest, tmp_path / "source", exercises=frozenset({"sprd"}))


def test_a_mutant_that_survives_is_shown_with_the_test_that_should_have_seen_it(tmp_path: Path) -> None:
    text = MUTANTS["spread"].replace(
        'with = "max(values) - min(values)"', 'with = "max([abs(v - mean(values)) for v in values])"'
    )
    report = rewrite_mutants(tmp_path, "spread", text)
    (result,) = [result for result in report.mutants if result.mutant.exercise == "spread"]
    assert result.missed == ("test_spread",)
    assert str(result).split("\n") == [
        "spread/range: should fail test_spread; fails nothing",
        "    test_spread should have seen",
        "         ### BEGIN SOLUTION",
        "    -    return max(abs(value - mean(values)) for value in values)",
        "    +    return max([abs(v - mean(values)) for v in values])",
        "         ### END SOLUTION",
    ]
    assert [entry["diff"] for entry in report.to_json()["mutants"] if entry["name"] == "range"] == [result.diff]


def test_a_mutant_that_fails_more_than_declared_is_shown_with_what_the_test_said(tmp_path: Path) -> None:
    text = MUTANTS["mean"].replace('fails = ["test_mean", "test_mean_empty"]', 'fails = ["test_mean_empty"]', 1)
    report = rewrite_mutants(tmp_path, "mean", text)
    said = [str(result) for result in report.mutants if not result.as_declared]
    assert said == [
        "mean/sum_only: should fail test_mean_empty; fails test_mean, test_mean_empty\n"
        "    test_mean: AssertionError: Exercise 1: two values"
    ]


def test_prover_that_dies_or_never_stops_is_an_error_that_says_where(tmp_path: Path) -> None:
    deaf = "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\ntime.sleep(600)"
    with pytest.raises(SourceError, match="reference: parameters took longer than 1 s and cannot be interrupted, in line 5"):
        proven(tmp_path, lambda text: text.replace("SEED = 0", f"SEED = 0\n{deaf}"))


def test_cell_of_the_reference_that_takes_too_long_is_a_problem(tmp_path: Path) -> None:
    report = proven(tmp_path, lambda text: text.replace("SEED = 0", "SEED = 0\nwhile SEED == 0:\n    pass"))
    assert "reference: parameters raised TimeoutError: longer than 1 s" in report.problems


def test_much_on_stderr_and_a_process_left_behind_hold_up_nothing(tmp_path: Path) -> None:
    noise = "import os, sys, time\nsys.stderr.write('x' * 1_000_000)\nif os.fork() == 0:\n    time.sleep(600)"
    began = time.monotonic()
    assert proven(tmp_path, lambda text: text.replace("SEED = 0", f"SEED = 0\n{noise}")).problems == ()
    assert time.monotonic() - began < 30


def test_what_mutants_cost_is_measured_beside_the_notebook_itself(tmp_path: Path) -> None:
    done: list[int] = []
    found = bench_mutants.bench_mutants(
        [write_assignment(tmp_path)], seconds=0.5, rounds=1, progress=lambda count, total: done.append(total)
    )
    assert done == [2] * 2
    assert [(trial.notebook, trial.mutants) for trial in found.trials] == [
        ("a notebook of 0.5 s", bench_mutants.MUTANTS),
        ("w1_means", 4),
    ]
    made_up = found.group.comparisons[0]
    assert made_up.ratio.median < bench_mutants.MUTANTS / 2  # what whole runs would take, two at a time
    assert found.limit.met
    assert "a notebook of 0.5 s, 20 mutants" in str(found)
    assert found.to_json()["rounds"] == 1
