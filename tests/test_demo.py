"""The demonstration, on one real assignment: every kind of student gets what is due."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder import cli
from autograder.demo import Demo, run_demo
from autograder.errors import AutograderError
from autograder.verdict import Verdict

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return run_demo(ROOT, tmp_path_factory.mktemp("demo") / "course", assignments=["w1_perceptrons"])


def scores(demo: Demo) -> dict[str, float]:
    return {row.student.id: row.report.score for row in demo.rows if row.report is not None}


def test_everybody_gets_what_is_due(demo: Demo) -> None:
    found = scores(demo)
    assert len(found) == 12
    assert {student for student, score in found.items() if score == 85} == {"ada", "ben", "gita", "hugo"}
    assert {student for student, score in found.items() if score == 0} == {"finn", "kim", "leo"}
    assert all(0 < found[student] < 85 for student in ("cleo", "dev", "eva", "iris", "jon"))


def test_each_misadventure_has_its_verdict(demo: Demo) -> None:
    verdicts = {row.student.id: {cell.verdict for cell in row.report.cells} for row in demo.rows if row.report is not None}
    assert Verdict.TIMEOUT in verdicts["iris"]
    assert Verdict.CRASHED in verdicts["jon"]
    assert verdicts["kim"] == verdicts["finn"] == {Verdict.MISSING}
    assert demo.exit_status == {"w1_perceptrons": 1}  # the unreadable file needs a human


def test_feedback_is_there_for_everybody(demo: Demo) -> None:
    pages = sorted(path.parent.parent.name for path in demo.course.glob("feedback/*/w1_perceptrons/w1_perceptrons.html"))
    assert pages == sorted(row.student.id for row in demo.rows)
    assert all("BEGIN HIDDEN" not in path.read_text() for path in demo.course.glob("feedback/*/*/*.html"))


def test_a_folder_that_is_no_demonstration_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(AutograderError, match="--folder"):
        run_demo(ROOT, tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_table_and_json_say_the_same(demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("autograder.demo.run_demo", lambda *args, **kwargs: demo)
    assert cli.run(["demo", "--course", str(ROOT)]) == cli.OK
    table = capsys.readouterr().out
    assert cli.run(["demo", "--json", "--course", str(ROOT)]) == cli.OK
    rows = json.loads(capsys.readouterr().out)["rows"]
    for row in rows:
        assert f"{row['report']['score']:g} │" in next(line for line in table.splitlines() if f"│ {row['student']} " in line)
