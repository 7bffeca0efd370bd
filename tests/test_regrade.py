"""Grading again: what changed for whom, only chosen cells, nothing at all; and a record that is true also after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import chdir
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import bookkeeping, cli, folders, graded_folders, history, partial, scores
from autograder.bookkeeping import Graded
from autograder.errors import GradebookError
from autograder.graded_folders import read_mark
from autograder.grading import ClassRun, past_gradings
from autograder.handback import write_feedback
from autograder.history import Entry, History, Run
from autograder.package import GradedSubmission, Marks, Package, packed, unpacked
from autograder.packing import MARK
from autograder.pool import Pool
from autograder.report import read_report
from autograder.submission import Workplace
from autograder.verdict import Verdict
from tests import make
from tests.traces import rows, tree

HIDDEN = "### BEGIN HIDDEN TESTS\n{}\n### END HIDDEN TESTS"
TOO_STRICT = HIDDEN.format("assert isinstance(double(3), int), 'a whole number'")
MENDED = HIDDEN.format("assert double(3) == 6, 'three doubled'")
LAX = HIDDEN.format("assert triple(1) == 3, 'one tripled'")
SHARP = HIDDEN.format("assert triple(-1) == -3, 'less than nothing tripled'")
ANSWERS = {
    "ada": {"double": "def double(x):\n    return 2 * x", "triple": "def triple(x):\n    return 3 * x"},
    "ben": {"double": "def double(x):\n    return 2.0 * x", "triple": "def triple(x):\n    return 3 * x"},
    "cleo": {"double": "def double(x):\n    return 2.0 * x", "triple": "def triple(x):\n    return abs(3 * x)"},
}


def source(test_double: str, test_triple: str) -> nbformat.NotebookNode:
    stub = "### BEGIN SOLUTION\n    pass\n    ### END SOLUTION"
    return make.notebook(
        make.exercise("double", f"def double(x):\n    {stub}"),
        make.graded("test_double", f"print('tested')\n{test_double}", points=3),
        make.exercise("triple", f"def triple(x):\n    {stub}"),
        make.graded("test_triple", f"print('tested too')\n{test_triple}", points=2),
        make.answer("why", "Because", points=5),
    )


@dataclass
class Replay(Executor):
    """Workers that have graded everything before: what they give is what a real worker gave, but for `changed`."""

    results: dict[str, GradedSubmission]
    packages: list[Package] = field(default_factory=list)
    lost_together = True
    nursery = ""
    count = 1

    def open(self, device: str) -> Executor:
        return self

    def are_lost(self, error: BaseException) -> bool:
        return False

    def close(self) -> None:
        """Nothing to end."""

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(packed(self.results[unpacked(arguments[2]).student]))
        return future


@dataclass
class Before:
    """A class that was graded by a test that was too strict and another that was too lax; both are mended since."""

    folder: Path
    results: dict[str, GradedSubmission]
    """What grading gives now."""

    def copy(self, folder: Path) -> make.Course:
        shutil.copytree(self.folder, folder, symlinks=True)
        return make.Course(folder)

    def broken(self) -> Before:
        """The same with a grader that fails at every cell."""
        found = {}
        for student, result in self.results.items():
            (notebook,) = result.notebooks
            failed = tuple(replace(cell, verdict=Verdict.INTERNAL, points=None) for cell in notebook.report.cells)
            report, marks = replace(notebook.report, cells=failed), Marks(points=dict.fromkeys(notebook.marks.points))
            found[student] = replace(result, notebooks=(replace(notebook, report=report, marks=marks),))
        return replace(self, results=found)

    def grade(self, course: make.Course, students: Sequence[str] = (), **asked: Any) -> dict[str, Graded]:
        run = ClassRun(course.root, "ps1", Pool(Replay(self.results)))
        list(run.grade(students, **{"force": True, **asked}))
        return {graded.student: graded for graded in run.tally.graded}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    course = make.Course(tmp_path_factory.mktemp("regrade") / "course")
    released = course.release("ps1", source(TOO_STRICT, LAX))
    for student, answers in ANSWERS.items():
        course.submit(student, "ps1", make.replaced(released, {**answers, "why": f"says {student}"}))
    first = course.autograder("grade", "ps1", "--workers", "1", "--json")
    assert first.returncode == 0, first.stderr
    assert {row["student"]: row["points"] for row in json.loads(first.stdout)["graded"]} == {"ada": 5, "ben": 2, "cleo": 2}
    nbformat.write(source(MENDED, SHARP), course.root / "source" / "ps1" / "ps1.ipynb")
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}") as gradebook:  # as a release does, which takes seconds
        for cell in gradebook.find_notebook("ps1", "ps1").source_cells:
            cell.source = cell.source.replace(TOO_STRICT, MENDED).replace(LAX, SHARP)
        gradebook.find_grade("test_double", "ps1", "ps1", "cleo").manual_score = 2.5
        gradebook.find_grade("why", "ps1", "ps1", "ada").manual_score = 4
        gradebook.db.commit()
    return Before(course.root, graded_in_a_worker(course))


def graded_in_a_worker(course: make.Course) -> dict[str, GradedSubmission]:
    """What a real worker gives for each submission, kept for `Replay`."""

    class Real(Replay):
        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            submission = unpacked(arguments[2])
            self.results[submission.student] = workplace.grade(submission)
            return super().submit(function, *arguments)

    workers = Real({})
    run = ClassRun(course.root, "ps1", Pool(workers))
    with chdir(course.root):
        workplace = Workplace(run._read_package())
    try:
        list(run.grade(force=True, dry_run=True))
    finally:
        workplace.close()
    return workers.results


def changes(graded: dict[str, Graded]) -> set[tuple[Any, ...]]:
    return {
        (one.student, found.grade_id, found.old and found.old.points, found.new.points, found.by_hand, found.kept)
        for one in graded.values()
        for found in one.differences
    }


WHOLE = {
    ("ben", "test_double", 0, 3, None, False),
    ("cleo", "test_double", 0, 3, 2.5, False),
    ("cleo", "test_triple", 2, 0, None, False),
}
"""Whom mending both tests concerns, and how."""


def snapshot(course: make.Course) -> tuple[Any, ...]:
    everything = {str(path.relative_to(course.root)): path.read_bytes() for path in course.root.rglob("*.*") if path.is_file()}
    return rows(course), {name: content for name, content in everything.items() if ".db-" not in name}


def need_gpu(course: make.Course) -> None:
    manifest = course.root / "assignments" / "ps1" / "assignment.toml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('title = "Doubling"\ntrack = "ml"\nweek = 1\ndue = "soon"\npoints = 10\ndevice = "cuda"\n')


def test_dry_run_shows_what_would_change_and_writes_nothing(before: Before, tmp_path: Path) -> None:
    course = before.copy(tmp_path / "course")
    need_gpu(course)  # which --device makes up for
    untouched = snapshot(course)
    done = course.autograder("grade", "ps1", "--dry-run", "--device", "cpu", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    shown = {(c["student"], c["cell"], c["old"]["points"], c["new"]["points"], c["by_hand"], c["kept"]) for c in found["changes"]}
    assert shown == WHOLE
    assert found["dry_run"]
    assert found["again"] == {"unchanged": 1, "up": 1, "down": 1, "otherwise": 0, "points": 1.0, "kept_cells": 0}
    refused = course.autograder("grade", "ps1", "--dry-run", "--feedback")
    assert (refused.returncode, "writes nothing" in " ".join((refused.stdout + refused.stderr).split())) == (3, True)
    assert snapshot(course) == untouched
    assert changes(before.grade(course)) == WHOLE, "and it comes so"


def test_history_says_who_graded_what_when_why_and_what_it_changed(
    before: Before, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course = before.copy(tmp_path / "course")
    before.grade(course, why="the test asked for an int")
    past = past_gradings(course.root, "ps1")
    first, again = past.runs.values()
    assert (first.why, again.why) == ("", "the test asked for an int")
    assert again.options == {"students": [], "force": True, "cells": [], "device": ""}
    assert first.who == again.who == history.user_name()
    assert first.package != again.package
    assert again.versions["nbgrader"]
    by_run = [[entry for entry in past.entries.values() if entry.run == run.id] for run in (first, again)]
    assert [(entry.student, entry.points, entry.again) for entry in sorted(by_run[0], key=lambda entry: entry.student)] == [
        ("ada", 5, False),
        ("ben", 2, False),
        ("cleo", 2, False),
    ]
    assert {entry.student: len(entry.differences) for entry in by_run[1]} == {"ada": 0, "ben": 1, "cleo": 2}
    (ben,) = next(entry for entry in by_run[1] if entry.student == "ben").differences
    assert ben.old is not None
    assert (ben.old.verdict, ben.old.message, ben.new.verdict) == (Verdict.FAILED, "a whole number", Verdict.PASSED)
    assert past.path.name == "gradebook.db.ps1.history.jsonl"
    assert past.path.stat().st_mode & 0o007 == 0, "students cannot read it"
    assert cli.run(["history", "ps1", "--course", str(course.root)]) == cli.OK
    told = " ".join(capsys.readouterr().out.split())
    assert f"{again.who} graded 3 again (--force), autograder" in told
    assert "the test asked for an int" in told
    assert "2.5 given by hand counts" in told
    assert cli.run(["history", "ps1", "--json", "--student", "ada", "--course", str(course.root)]) == cli.OK
    runs = json.loads(capsys.readouterr().out)
    assert [[one["student"] for one in run["submissions"]] for run in runs] == [["ada"], ["ada"]]


def test_person_s_score_stays_and_counts(before: Before, tmp_path: Path) -> None:
    course = before.copy(tmp_path / "course")
    before.grade(course)
    found = rows(course)
    assert found["cleo"][0]["grades"]["test_double"] == (3, 2.5, None, True)
    assert (found["cleo"][0]["score"], found["ben"][0]["score"]) == (2.5, 5)
    assert found["ada"][0]["grades"]["why"] == (None, 4, None, True)


def cells_of(course: make.Course, student: str) -> dict[str, nbformat.NotebookNode]:
    nb = nbformat.read(course.autograded(student, "ps1"), as_version=4)
    return {cell.metadata["nbgrader"]["grade_id"]: cell for cell in nb.cells}


def test_only_chosen_cells_change_and_all_others_stay_as_they_were(before: Before, tmp_path: Path) -> None:
    course = before.copy(tmp_path / "course")
    rows_then, files_then, cells_then = rows(course), tree(course), cells_of(course, "cleo")
    graded = before.grade(course, cells=["test_d*"])
    kept = {("cleo", "test_triple", 2, 0, None, True)}
    assert changes(graded) == {found for found in WHOLE if found[1] == "test_double"} | kept
    rows_now = rows(course)
    assert rows_now["ben"][0]["grades"]["test_double"][0] == 3
    assert rows_now["cleo"][0]["grades"]["test_triple"][0] == 2
    for found in (rows_then, rows_now):
        for student in found:
            del found[student][0]["grades"]["test_double"], found[student][0]["score"]
    assert rows_now == rows_then

    cells = cells_of(course, "cleo")
    assert "three doubled" in cells["test_double"].source
    assert {name for name in cells if cells[name] != cells_then[name]} == {"test_double"}
    report = read_report(course.autograded("cleo", "ps1", ".report.json"))
    assert report is not None
    assert {cell.grade_id: cell.points for cell in report.cells} == {"test_double": 3, "test_triple": 2, "why": None}
    assert [incident.where for incident in report.incidents] == ["test_double"]
    assert list(tree(course)) == list(files_then)

    assert [page.problem for page in write_feedback(course.root, "ps1", 1)] == ["", "", ""]
    page = course.feedback("cleo", "ps1")
    assert page.count("Passed (2 of 2 points)") == page.count("Passed (3 of 3 points)") == 1
    assert "tripled" not in page

    mark = read_mark(course.autograded("cleo", "ps1").parent)
    assert mark is not None
    assert mark.package == "", "two runs made it: it is not graded as it is now"
    assert changes(before.grade(course, force=False)) == {("cleo", "test_triple", 2, 0, None, False)}
    assert before.grade(course, force=False) == {}


def test_chosen_cells_of_what_is_graded_as_it_is_now_leave_it_so(before: Before, tmp_path: Path) -> None:
    course = before.copy(tmp_path / "course")
    before.grade(course)
    assert changes(before.grade(course, cells=["test_triple"])) == set()
    assert before.grade(course, force=False) == {}


def test_cells_are_chosen_only_of_what_was_graded_and_is_the_same(before: Before, tmp_path: Path) -> None:
    course = before.copy(tmp_path / "course")
    with pytest.raises(GradebookError, match=r"--cells test_x: no graded cell .* There are test_double, test_triple, why\."):
        before.grade(course, cells=["test_x"])
    path = course.root / "submitted" / "ben" / "ps1" / "ps1.ipynb"
    course.submit("dora", "ps1", path.read_bytes())
    path.write_bytes(path.read_bytes().replace(b"2.0 * x", b"2 * x"))
    for student in ("ada", "cleo"):  # as nbgrader's own command leaves it
        (course.autograded(student, "ps1").parent / MARK).unlink()
    nb = course.autograded("cleo", "ps1")
    nb.chmod(0o600)
    nb.write_text(nb.read_text().replace("abs(3 * x)", "0"))
    untouched = tree(course)
    graded = before.grade(course, ["dora", "ben", "cleo"], cells=["test_double"])
    assert {student: one.problem.split(",")[0] for student, one in graded.items()} == {
        "ben": "handed in again since it was graded",
        "cleo": "handed in again since it was graded",
        "dora": "not graded yet",
    }
    assert tree(course) == untouched
    assert not before.grade(course, ["ada"], cells=["test_double"])["ada"].problem


def test_what_the_grader_failed_at_is_tried_again_by_the_next_run(before: Before, tmp_path: Path) -> None:
    course = before.copy(tmp_path / "course")
    before.broken().grade(course, ["ben"])
    assert changes(before.grade(course, ["ben"], force=False)) == {
        ("ben", "test_double", None, 3, None, False),
        ("ben", "test_triple", None, 2, None, False),
        ("ben", "why", None, None, None, False),
    }


class Killed(BaseException):
    """The process is gone, as far as the test can do that."""


def dies_after(function: Callable[..., Any]) -> Callable[..., Any]:
    def dying(*arguments: Any, **named: Any) -> Any:
        function(*arguments, **named)
        raise Killed

    return dying


def half_a_line(this: History, entry: Entry) -> None:
    if entry.id in this.entries:
        return
    with this.path.open("ab") as file:
        file.write(json.dumps(entry.to_json()).encode()[:90])
    raise Killed


def no_line(this: History, entry: Entry) -> None:
    if entry.id not in this.entries:
        raise Killed


def half_moved(partial: Path, final: Path, *, there: bool) -> None:
    final.rename(folders.beside(final, "old"))
    raise Killed


MOMENTS = {
    "folder written": (bookkeeping, "write_folder", dies_after(graded_folders.write_folder)),
    "cells written": (bookkeeping, "write_merged", dies_after(partial.write_merged)),
    "gradebook written": (scores.Ledger, "record", dies_after(scores.Ledger.record)),
    "half moved": (bookkeeping, "put_in_place", half_moved),
    "moved": (bookkeeping, "put_in_place", dies_after(folders.put_in_place)),
    "before the line": (History, "add", no_line),
    "in the line": (History, "add", half_a_line),
}


@pytest.mark.parametrize("cells", [[], ["test_*"]], ids=["whole", "cells"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_run_leaves_truth_and_each_change_is_told_once(
    before: Before, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, cells: list[str]
) -> None:
    undisturbed, course = before.copy(tmp_path / "undisturbed"), before.copy(tmp_path / "course")
    before.grade(undisturbed, cells=cells)
    assert course.root != undisturbed.root
    if moment != ("folder written" if cells else "cells written"):
        with monkeypatch.context() as patch:
            patch.setattr(*MOMENTS[moment])
            with pytest.raises(Killed):
                before.grade(course, ["cleo"], cells=cells)
    told = [entry for entry in past_gradings(course.root, "ps1").entries.values() if entry.student == "cleo"]
    in_place = moment in ("moved", "before the line", "in the line")
    assert len(told) == 1 + in_place, "what is in place is told, and nothing else"
    before.grade(course, cells=cells, force=in_place)
    assert rows(course) == rows(undisturbed)
    assert without_notes(tree(course)) == without_notes(tree(undisturbed))
    past = past_gradings(course.root, "ps1")
    found = [(e.student, d.grade_id, d.kept) for e in past.entries.values() for d in e.differences]
    assert sorted(found) == [
        ("ben", "test_double", False),
        ("cleo", "test_double", False),
        ("cleo", "test_triple", False),
    ]
    assert len(History(past.path).entries) == len(past.entries), "what was lost was written since"


@pytest.mark.parametrize("cells", [[], ["test_double"]], ids=["whole", "cells"])
def test_gradebook_that_is_further_than_the_folder_is_brought_back(
    before: Before, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: list[str]
) -> None:
    """The run that was killed graded what was graded already, so nothing else says that it has to be done again."""
    course = before.copy(tmp_path / "course")
    before.grade(course)
    settled = rows(course)
    with monkeypatch.context() as patch:
        patch.setattr(*MOMENTS["gradebook written"])
        with pytest.raises(Killed):
            before.broken().grade(course, ["ben"])
    assert rows(course) != settled
    assert list(before.grade(course, force=False, cells=cells)) == ["ben"]
    assert rows(course) == settled
    assert before.grade(course, force=False) == {}


def without_notes(files: dict[str, Any]) -> dict[str, Any]:
    """`files` without the notes on when a cell was graded again."""
    for _, content in files.values():
        if isinstance(content, dict):
            content["incidents"] = [note["where"] for note in content["incidents"]]
    return files


def test_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    run = Run(assignment="ps1", package="0")
    past = History(path)
    past.begin(run)
    past.add(Entry(run=run.id, student="ada", points=1.0))
    whole = path.read_bytes()
    for length in range(0, len(whole), 23):
        path.write_bytes(whole[:length])
        entry = Entry(run=run.id, student="ben", points=2.0)
        History(path).add(entry)
        assert entry.id in History(path).entries
    past.add(next(iter(past.entries.values())))
    past.begin(run)
    path.write_bytes(whole * 2)
    assert len(History(path).entries) == 1


def test_chosen_cell_that_is_new_comes_to_its_place() -> None:
    old = make.notebook(make.text("begin"), make.exercise("f", "1"), make.graded("test_f", "2"), make.text("mine"))
    new = make.notebook(make.graded("first", "0"), make.exercise("f", "9"), make.graded("test_f", "2"), make.graded("more", "3"))
    found = partial._with_cells(old, new, ["first", "more"])
    assert [cell.source for cell in found.cells] == ["0", "begin", "1", "2", "3", "mine"]


def test_device_that_is_not_there_is_told(
    before: Before, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    course = before.copy(tmp_path / "course")
    untouched = snapshot(course)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    asked = ["grade", "ps1", "--force", "--json", "--course", str(course.root)]
    assert cli.run([*asked, "--device", "cuda"]) == cli.FAILED
    assert json.loads(capsys.readouterr().out)["error"].startswith("--device cuda, but this machine shows no GPU")
    need_gpu(course)
    assert cli.run(asked) == cli.FAILED
    assert "ps1 is to be graded on cuda, but this machine shows no GPU" in json.loads(capsys.readouterr().out)["error"]
    shutil.rmtree(course.root / "assignments")
    assert snapshot(course) == untouched


@pytest.mark.parametrize("device", ["", "cpu", "cuda"])
def test_chosen_device_reaches_workers(before: Before, tmp_path: Path, device: str) -> None:
    course = before.copy(tmp_path / "course")
    asked: list[str] = []

    class Asked(Replay):
        def open(self, device: str) -> Executor:
            asked.append(device)
            return self

        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            asked.append(arguments[0])
            return super().submit(function, *arguments)

    run = ClassRun(course.root, "ps1", Pool(Asked(before.results)), device=device)
    list(run.grade(["ada"], force=True))
    assert run.device == asked[0] == (device or "cpu")
    done = before.grade(course, ["ada"], force=False)
    assert list(done) == (["ada"] if device == "cuda" else []), "what another device gave is not what this one gives"
