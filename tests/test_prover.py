"""What is run after a change: from a fork just before the changed cell, what follows from it, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.consequences import ProverCell, consequences
from autograder.prover import Job, Outcome, Variant, prove

TEXTS = {
    "cell 1": "note('setup')",
    "cell 2": "note('slow training')\nbase = [1, 2, 3]",
    "double": "def double(x):\n    return 2 * x",
    "test_double": "note('test_double')\nassert double(2) == 4",
    "cell 5": "note('trains')\nmodel = [double(x) for x in base]",
    "cell 6": "note('plot')\npicture = str(model)",
    "cell 7": "note('fine_tunes')\nmodel.append(0)",
    "half": "def half(x):\n    return x / 2",
    "test_half": "note('test_half')\nassert half(double(4)) == 4",
    "cell 10": "note('data')\ndata = [1]",
    "cell 11": "note('unrelated')\nother = 3",
    "test_model": "note('test_model')\nassert model == [2, 4, 6, 0]",
    "test_data": "note('test_data')\nassert half(data[0]) == 0.5",
    "test_other": "note('test_other')\nassert other == 3",
}


def kind(name: str) -> str:
    return "test" if name.startswith("test_") else "given" if name.startswith("cell ") else "exercise"


def cells(texts: Mapping[str, str] = TEXTS) -> tuple[ProverCell, ...]:
    return tuple(ProverCell(name=name, kind=kind(name), source=source) for name, source in texts.items())


def test_a_change_is_followed_through_functions_and_through_what_was_made_with_it() -> None:
    found = consequences(cells(), {})
    assert found["double"].tests == {"test_double", "test_half", "test_model"}
    assert found["double"].cells == ("test_double", "cell 5", "cell 7", "half", "test_half", "test_model")
    assert found["double"].affected == ("cell 5", "cell 7")
    assert found["half"].tests == {"test_half", "test_data"}
    assert found["half"].cells == ("test_half", "cell 10", "test_data")
    assert found["half"].affected == ()


def test_a_reference_closes_the_way_through_the_function_but_not_through_a_model() -> None:
    found = consequences(cells(), {"test_half": ["double"], "test_model": ["double"]})
    assert found["double"].tests == {"test_double", "test_model"}


@pytest.mark.parametrize(
    ("given", "sees"),
    [
        ("seed(0)", False),
        ("change(double, box)", True),
        ("box.update(double(1))", True),
        ("box['a'] = double(1)", True),
        ("def use(): return double(1)", False),
        ("def use(): return double(1)\nbox = use()", True),
        ("class C:\n    x = double(1)\nbox = C", True),
        ("picture = double(1)", False),
    ],
)
def test_what_a_given_cell_makes_of_an_exercise(given: str, *, sees: bool) -> None:
    texts = {"cell 1": "box = {}", "double": "def double(x): return 2 * x", "cell 3": given, "test_box": "assert box == {}"}
    found = consequences(cells(texts), {})["double"]
    assert ("test_box" in found.tests) == sees


def test_state_of_a_module_is_set_again_where_a_test_needs_it() -> None:
    texts = {
        **{"cell 1": "import random", "f": "def f(): return 1"},
        **{"cell 3": "random.seed(3)", "cell 4": "import math", "test_f": "assert f() < 1 + random.random()"},
    }
    assert consequences(cells(texts), {})["f"].cells == ("cell 3", "test_f")


@pytest.mark.parametrize("given", ["from os.path import *", "%matplotlib inline"])
def test_a_cell_that_may_do_anything_is_run(given: str) -> None:
    texts = {"f": "def f(): return 1", "cell 2": given, "test_f": "assert f() == 1"}
    assert consequences(cells(texts), {})["f"].cells == ("cell 2", "test_f")


def run(
    tmp_path: Path, *variants: Variant, texts: Mapping[str, str] = TEXTS, workers: int = 1, notebook_seconds: float = 60
) -> dict[str, Outcome]:
    """The outcomes of a job; what its cells note is in `tmp_path/log`."""
    note = f"def note(text):\n    with open({str(tmp_path / 'log')!r}, 'a') as log:\n        log.write(text + '\\n')\n"
    played = cells({**texts, "cell 1": note + texts["cell 1"]})
    job = Job(
        cells=played,
        blank=(),
        released=(),
        references={},
        variants=variants,
        test_seconds=2,
        cell_seconds=2,
        notebook_seconds=notebook_seconds,
        workers=workers,
    )
    path = tmp_path / "job.json"
    path.write_text(job.to_json())
    command = [sys.executable, "-m", "autograder.prover", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)  # it uses alarms of its own
    outcomes = [Outcome(**json.loads(line)) for line in done.stdout.splitlines()]
    return {outcome.name: outcome for outcome in outcomes}


def play(test: ProverCell) -> str:
    """What a test cell alone gives."""
    limits = {"test_seconds": 2.0, "cell_seconds": 2.0, "notebook_seconds": 4.0}
    job = Job(cells=(test,), blank=(), released=(), references={}, variants=(), workers=1, **limits)
    return next(outcome for outcome in prove(job) if outcome.name == "reference").tests[test.name]


def noted(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text().splitlines()


CRASH = "Crash: the process died, or did not stop when its time was up"
WRONG = "def double(x):\n    return 3 * x"


def test_nothing_before_the_change_and_nothing_unrelated_is_run_again(tmp_path: Path) -> None:
    outcomes = run(tmp_path, Variant(name="wrong", exercise="double", source=WRONG))
    assert {test for test, error in outcomes["wrong"].tests.items() if error} == {"test_double", "test_half", "test_model"}
    assert not any(outcomes["reference"].tests.values())
    counts = {what: noted(tmp_path).count(what) for what in set(noted(tmp_path))}
    again = {"test_double", "test_half", "test_model", "trains", "fine_tunes"}
    assert counts == {what: 2 if what in again else 1 for what in counts}
    assert counts["slow training"] == 1


def test_a_declared_mutant_meets_every_test_and_a_generated_one_the_first_that_fails(tmp_path: Path) -> None:
    declared = Variant(name="declared", exercise="double", source=WRONG)
    outcomes = run(tmp_path, declared, Variant(name="generated", exercise="double", source=WRONG, stops_early=True))
    assert list(outcomes["declared"].tests) == ["test_double", "test_half", "test_model"]
    assert list(outcomes["generated"].tests) == ["test_double"]


def test_a_locked_cell_that_fails_with_the_mutant_fails_the_tests_of_what_it_makes(tmp_path: Path) -> None:
    breaks = "def double(x):\n    if x == 3:\n        raise RuntimeError('three')\n    return 2 * x"
    outcome = run(tmp_path, Variant(name="breaks", exercise="double", source=breaks), workers=2)["breaks"]
    assert outcome.errors["cell 5"] == "RuntimeError: three"
    assert outcome.tests["test_double"] == ""
    assert outcome.tests["test_model"].startswith("NameError")


def test_a_later_exercise_is_not_yet_there_for_an_earlier_one(tmp_path: Path) -> None:
    """A mutant meets what a student's notebook would: cells in order, from a state without what comes later."""
    texts = {**TEXTS, "test_double": "assert 'model' not in globals()\nassert double(2) == 4"}
    outcomes = run(tmp_path, Variant(name="same", exercise="double", source=TEXTS["double"]), texts=texts)
    assert not any(outcomes["same"].tests.values())


def test_a_fork_that_dies_was_caught_by_all_that_can_see_it_and_others_go_on(tmp_path: Path) -> None:
    dies = Variant(name="dies", exercise="double", source="import os\ndef double(x): os._exit(1)")
    loops = Variant(name="loops", exercise="half", source="def half(x):\n    while True: pass")
    outcomes = run(tmp_path, dies, loops, workers=2)
    assert outcomes["dies"].tests == dict.fromkeys(["test_double", "test_half", "test_model"], CRASH)
    assert outcomes["loops"].tests == dict.fromkeys(["test_half", "test_data"], "TimeoutError: longer than 2 s")
    assert set(outcomes) == {"blank", "released", "reference", "dies", "loops"}


def test_what_cannot_be_interrupted_ends_with_its_process(tmp_path: Path) -> None:
    deaf = "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\ntime.sleep(600)"
    outcomes = run(tmp_path, Variant(name="deaf", exercise="double", source=deaf))
    assert set(outcomes["deaf"].tests.values()) == {CRASH}


def test_all_cells_together_have_a_limit(tmp_path: Path) -> None:
    slow = Variant(name="slow", exercise="double", source="import time\ndef double(x):\n    time.sleep(0.6)\n    return 2 * x")
    others = [replace(slow, name=f"slow {number}") for number in range(3)]
    outcomes = run(tmp_path, slow, *others, notebook_seconds=1)
    assert set(outcomes["reference"].tests.values()) == {""}, "the time that others take is not the reference's"
    assert outcomes["slow"].tests["test_double"] == ""
    assert outcomes["slow"].tests["test_model"] == "TimeoutError: all cells together took longer than the notebook may"


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("4", ""),
        ("5.0", ""),
        ("1.5", "Partial: 1.5 of 4 points."),
        ("0", "NoPoints: The partial score is 0."),
        ("'four'", "NoPoints: The test ended with \"'four'\" where a number of points was expected, so it earns nothing."),
        ("None", ""),
        ("1.5;", ""),
        ("points = 1.5", ""),
    ],
)
def test_a_test_that_ends_with_a_number_gives_that_many_points(ending: str, said: str) -> None:
    test = ProverCell(name="test_f", kind="test", source=ending, points=4)
    assert play(test) == said
    assert Outcome(name="x", tests={"test_f": said}).earns("test_f") == (not said.startswith("NoPoints"))
