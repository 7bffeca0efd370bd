"""What a student is told before handing in: by `autograder validate`, and by JupyterLab's button, which asks the same."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path

import nbformat
import pytest
from nbgrader.preprocessors import ComputeChecksums

from autograder import cli
from autograder.errors import SourceError, UnreadableSubmission
from autograder.installed import switched_on
from autograder.validation import Validation, dialog, validate
from tests import make, server

STUB = "# YOUR CODE HERE\n    raise NotImplementedError()"
RELEASED, _ = ComputeChecksums().preprocess(
    make.notebook(
        make.given("setup", "import math"),
        make.exercise("mean", f"def mean(values):\n    {STUB}"),
        make.graded("test_mean", "assert mean([1, 3]) == 2, 'Exercise 1: two values'", 2),
        make.graded("test_mean_one", "assert mean([5]) == 5, 'Exercise 1: one value'", 1),
        make.exercise("spread", f"def spread(values):\n    {STUB}"),
        make.graded("test_spread", "assert spread([1, 3]) == 1, 'Exercise 2: <b>two</b> values'", 4),
        make.answer("why", "Because:", 5),
    ),
    {},
)
MEAN = "def mean(values):\n    return sum(values) / len(values)"
SPREAD = "import sys\n\ndef spread(values):\n    sys.stderr.write('on the way')\n    return max(values) - mean(values)"
SECONDS = 6.0


def found_in(tmp_path: Path, **solutions: str) -> Validation:
    path = tmp_path / "ps1.ipynb"
    nbformat.write(make.replaced(RELEASED, solutions), path)
    return validate(path, seconds=SECONDS)


def told(found: Validation) -> list[tuple[str, str]]:
    return [(trouble.where, trouble.words) for trouble in found.troubles]


def test_an_unsolved_notebook_is_told_what_is_to_be_done(tmp_path: Path) -> None:
    found = found_in(tmp_path)
    assert told(found) == [
        (
            "mean, spread (7 points)",
            "Not attempted. Tests that wait for it: test_mean, test_mean_one, test_spread.\n"
            "Write your solution in place of `raise NotImplementedError()`.",
        )
    ]
    assert found.summary.startswith("0 of 3 tests pass (0 of 7 points).")
    assert max(len(line) for line in dialog(found)["failed"][0]["error"].splitlines()) < 100  # the dialog breaks no lines


def test_a_test_that_waits_for_another_exercise_names_that_one(tmp_path: Path) -> None:
    ((where, words),) = told(found_in(tmp_path, spread=SPREAD))
    assert where == "mean (7 points)"
    assert words.startswith("Not attempted. Tests that wait for it: test_mean, test_mean_one, test_spread.")


def test_a_half_solved_notebook_is_told_what_is_right_too(tmp_path: Path) -> None:
    found = found_in(tmp_path, mean="def mean(values):\n    return sum(values)", spread=SPREAD)
    assert told(found) == [
        (
            "test_mean (2 points)",
            "A check did not hold. Exercise 1: two values\nIn the line: assert mean([1, 3]) == 2, 'Exercise 1: two values'",
        ),
        (
            "test_spread (4 points)",
            "A check did not hold. Exercise 2: <b>two</b> values\n"
            "In the line: assert spread([1, 3]) == 1, 'Exercise 2: <b>two</b> values'",
        ),
    ]
    assert found.passed == ("test_mean_one",)
    assert found.summary == (
        "1 of 3 tests pass (1 of 7 points).\nRight: test_mean_one.\nWritten answers (5 points) are graded by a person.\n"
        "When your work is graded, hidden checks run as well."
    )
    shown = dialog(found)["failed"]
    assert [entry["source"] for entry in shown] == ["test_mean (2 points)", "test_spread (4 points)"]
    assert "&lt;b&gt;two" in shown[1]["error"]  # the dialog takes it for HTML
    assert "Right: test_mean_one." in shown[1]["error"]


def test_a_solved_notebook_passes_whatever_it_writes_on_stderr(tmp_path: Path) -> None:
    found = found_in(tmp_path, mean=MEAN, spread=SPREAD)
    assert (found.troubles, found.points, found.max_points, found.by_hand) == ((), 7, 7, 5)
    assert dialog(found) == {}


def test_a_loop_costs_its_tests_only_and_its_line_is_named(tmp_path: Path) -> None:
    loop = "def mean(values):\n    n = 0\n    while n >= 0:\n        n += 1"
    found = found_in(tmp_path, mean=loop, spread="def spread(values):\n    return 1")
    ((where, words),) = told(found)
    assert where == "test_mean, test_mean_one (3 points)"
    assert words.startswith("Out of time. The test was stopped after 2 s.\nIn the line: ")
    assert words.splitlines()[1].endswith(("while n >= 0:", "n += 1"))
    assert words.endswith("Look for a loop that never ends, or for one that does far more work than it needs.")
    assert found.passed == ("test_spread",)
    assert found.seconds < SECONDS + 5


def test_a_crash_is_told_as_one_and_what_passed_before_it_counts(tmp_path: Path) -> None:
    found = found_in(tmp_path, mean=MEAN, spread="import os\ndef spread(values):\n    os._exit(3)")
    assert told(found) == [
        (
            "test_spread (4 points)",
            "Python crashed. Python itself ended here (died: exited with status 3).\n"
            "Look for exit() or quit(), recursion without end, and arrays larger than this machine's memory.",
        )
    ]
    assert found.passed == ("test_mean", "test_mean_one")


def test_slips_in_a_cell_of_ones_own_are_named_before_the_tests_that_suffer(tmp_path: Path) -> None:
    found = found_in(tmp_path, mean="def mean(values)\n    return 1", spread="def spread(v):\n    return max(x - m for x in v)")
    assert told(found)[0] == ("mean", "SyntaxError: expected ':' (line 1)")
    assert told(found)[1][0] == "test_mean, test_mean_one (3 points)"
    where, words = told(found)[-1]
    assert where == "test_spread (4 points)"
    assert words.splitlines()[:2] == [
        "Ended with an error. NameError: name 'm' is not defined",
        "In the line: return max(x - m for x in v)",
    ]


def test_cells_of_the_assignment_that_were_changed_are_named(tmp_path: Path) -> None:
    nb = make.replaced(RELEASED, {"mean": MEAN, "spread": SPREAD, "test_mean": "assert True"})
    nb.cells[4] = nbformat.v4.new_markdown_cell(nb.cells[4].source, metadata=nb.cells[4].metadata)
    nbformat.write(nb, tmp_path / "ps1.ipynb")
    (changed, turned, *_) = told(validate(tmp_path / "ps1.ipynb", seconds=SECONDS))
    assert changed[0] == "test_mean"
    assert "put back before grading" in changed[1]
    assert turned == (
        "spread",
        "This was a code cell and is a markdown cell now. Turn it back: press Esc, then Y.",
    )


def test_what_is_no_notebook_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match="no such file"):
        validate(tmp_path / "ps1.ipynb")
    (tmp_path / "ps1.ipynb").write_text("{")
    with pytest.raises(UnreadableSubmission):
        validate(tmp_path / "ps1.ipynb")
    assert cli.run(["validate", str(tmp_path / "ps1.ipynb"), "--json"]) == cli.FAILED
    assert "is not JSON" in json.loads(capsys.readouterr().out)["error"]


def test_the_button_is_answered_by_us_in_a_server_that_has_only_this_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in make.installed(tmp_path / "prefix").items():
        monkeypatch.setenv(name, value)
    assert all(switched_on().values())
    home = tmp_path / "home"
    home.mkdir()
    crash = {"mean": "import os\nos._exit(3)"}
    nbformat.write(make.replaced(RELEASED, crash), home / "ps1.ipynb")
    (home / "broken.ipynb").write_text("{")
    with server.running(home, tmp_path / "server.log") as jupyter:

        def press(path: str) -> dict[str, object]:
            answer: dict[str, object] = jupyter.request("assignments/validate", method="POST", body={"path": path})
            return answer

        crashed = press("ps1.ipynb")
        assert crashed["success"] is True
        assert "Python ended at mean (died: exited with status 3)" in json.dumps(crashed["value"])
        broken = press("broken.ipynb")
        assert broken["success"] is False
        assert "is not JSON" in str(broken["value"])
        with pytest.raises(urllib.error.HTTPError, match="403"):
            press("../server.log")
