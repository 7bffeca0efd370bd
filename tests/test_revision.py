"""Changing an assignment after submissions exist: what changed is said, for whom, and the gradebook follows without a loss."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook
from traitlets.config import Config

from autograder import records
from autograder.draft import Draft, Place, drafted, locate
from autograder.errors import AutograderError
from autograder.records import Updated, changes_since_release, revision_of, update_gradebook
from autograder.restore import SourceCell
from autograder.revision import CellChange, Revision, Score, What, compare, compare_files
from tests import make


def cell(name: str, source: str = "", *, points: float | None = None, **flags: Any) -> SourceCell:
    """A test with points, a given cell without."""
    settings = {"grade": points is not None, "solution": False, "task": False, "locked": True, "cell_type": "code", **flags}
    return SourceCell(grade_id=name, source=source or f"use({name})", checksum=None, points=points, **settings)


def written(name: str, points: float) -> SourceCell:
    return cell(name, "YOUR ANSWER HERE", points=points, solution=True, locked=False, cell_type="markdown")


def stub(name: str, source: str) -> SourceCell:
    return cell(name, source, solution=True, locked=False)


def score(name: str, auto: float | None, manual: float | None = None, student: str = "ada") -> Score:
    return Score(student=student, notebook="nb", grade_id=name, auto_score=auto, manual_score=manual, extra_credit=None)


def revised(then: list[SourceCell], now: list[SourceCell], *scores: Score, **options: Any) -> Revision:
    return compare("ps1", {"nb": then}, {"nb": now}, students=["ada"], scores=scores, **options)


def told(revision: Revision) -> list[tuple[str, str]]:
    return [(change.grade_id, change.what.value) for change in revision.changes]


def test_nothing_changed() -> None:
    revision = revised([cell("t", points=2)], [cell("t", points=2)], score("t", 2))
    assert revision.changes == ()
    assert (revision.students[0].low, revision.students[0].high, revision.students[0].notes) == (2, 2, ())
    assert str(revision) == "ps1: 1 submission in the gradebook, and nothing changed since the release."


@pytest.mark.parametrize(
    ("now", "what", "span"),
    [
        (cell("t", points=3), What.POINTS, (3, 3)),
        (cell("t", "other(t)", points=2), What.EDITED, (0, 2)),
        (cell("t", "use( t )  # said better", points=2), What.EDITED, (2, 2)),
        (cell("t", points=2, solution=True, locked=False), What.KIND, (0, 2)),
        (cell("t"), What.KIND, (0, 0)),
    ],
)
def test_each_change_of_a_full_score_says_what_can_become_of_it(now: SourceCell, what: What, span: tuple[float, float]) -> None:
    revision = revised([cell("t", points=2)], [now], score("t", 2))
    assert told(revision) == [("t", what.value)]
    assert (revision.students[0].low, revision.students[0].high) == span


@pytest.mark.parametrize(("earned", "span"), [(0.0, (0, 0)), (1.0, (0, 4)), (2.0, (4, 4))])
def test_new_points_move_nothing_and_everything_for_certain_and_leave_partial_scores_open(
    earned: float, span: tuple[float, float]
) -> None:
    student = revised([cell("t", points=2)], [cell("t", points=4)], score("t", earned)).students[0]
    assert (student.low, student.high) == span


def test_added_and_removed_tests_and_answers() -> None:
    then = [cell("t", points=2), cell("old", "gone", points=1), written("why", 5)]
    now = [cell("t", points=2), cell("new", "come", points=3), written("why", 5), written("how", 4)]
    revision = revised(then, now, score("t", 2), score("old", 1), score("why", None, 4))
    assert told(revision) == [("old", "removed"), ("new", "added"), ("how", "added")]
    student = revision.students[0]
    assert (student.recorded, student.low, student.high) == (7, 6, 13)
    assert (revision.points_then, revision.points_now) == (8, 14)
    assert "ada: 7 of 8 recorded, 6 to 13 of 14 once graded again" in str(revision)
    assert "old: 1 points go; they are kept in the export" in student.notes


def test_what_was_given_by_hand_stays_and_is_pointed_out() -> None:
    student = revised([written("why", 5)], [written("why", 3)], score("why", None, 4)).students[0]
    assert (student.low, student.high) == (4, 4)
    assert student.notes == ("why: 4 given by hand stays, and is above the new maximum of 3",)


@pytest.mark.parametrize(
    ("then", "now"),
    [([cell("setup", "a = 1")], [cell("setup", "a = 2")]), ([], [cell("setup")]), ([cell("setup")], [])],
)
def test_given_code_that_changed_leaves_every_test_open(then: list[SourceCell], now: list[SourceCell]) -> None:
    student = revised([*then, cell("t", points=2)], [*now, cell("t", points=2)], score("t", 2)).students[0]
    assert (student.low, student.high) == (0, 2)


def test_given_text_and_what_students_write_change_no_score() -> None:
    then = [cell("question", "Why?", cell_type="markdown"), stub("f", "def f(): pass"), cell("t", points=2)]
    now = [cell("question", "How?", cell_type="markdown"), stub("f", "def f(x): pass"), cell("t", points=2)]
    revision = revised(then, now, score("t", 1))
    assert told(revision) == [("question", "edited"), ("f", "edited")]
    assert not any(change.matters for change in revision.changes)
    assert revision.students[0].notes == ()


def test_same_text_under_another_id_is_a_rename_and_keeps_the_score() -> None:
    then = [stub("f", "def f(): ..."), cell("t", "assert f()", points=2)]
    now = [stub("g", "def f(): ..."), cell("u", "assert f()", points=2)]
    revision = revised(then, now, score("t", 1))
    assert revision.renamed == {("nb", "f"): "g", ("nb", "t"): "u"}
    assert told(revision) == [("g", "renamed"), ("u", "renamed")]
    assert (revision.students[0].low, revision.students[0].high) == (1, 1)


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ([written("why", 5)], [written("how", 5)]),  # every answer has the same text
        (
            [stub("f", "# YOUR CODE HERE\nraise NotImplementedError()")],
            [stub("g", "# YOUR CODE HERE\nraise NotImplementedError()")],
        ),
        ([cell("a", "same", points=1), cell("b", "same", points=1)], [cell("c", "same", points=1)]),
        ([cell("a", "same", points=1)], [cell("c", "same", points=1), cell("d", "same", points=1)]),
        ([cell("a", "same", points=1)], [cell("c", "same", points=1, task=True, grade=False)]),
    ],
)
def test_no_rename_is_guessed_where_there_is_doubt(then: list[SourceCell], now: list[SourceCell]) -> None:
    assert revised(then, now).renamed == {}


def test_a_person_can_say_what_was_renamed_and_is_reminded() -> None:
    then, now = [cell("t", "assert mean([1, 2, 3]) == 2", points=2)], [cell("u", "assert average([1, 2, 3]) == 2", points=2)]
    unsaid = revised(then, now, score("t", 2))
    assert unsaid.changes[0].detail == "a test, 2 points; its grades stay if it is u now: --rename t=u"
    said = revised(then, now, score("t", 2), renames={"t": "u"})
    assert told(said) == [("u", "renamed"), ("u", "edited")]
    assert revised([written("why", 5)], [written("how", 5)], renames={"why": "how"}).renamed == {("nb", "why"): "how"}


@pytest.mark.parametrize("renames", [{"t": "nowhere"}, {"nowhere": "u"}, {"kept": "u"}])
def test_impossible_rename_is_an_error(renames: dict[str, str]) -> None:
    with pytest.raises(AutograderError, match="is no rename: "):
        revised([cell("t", points=1), cell("kept")], [cell("u", "new", points=1), cell("kept")], renames=renames)


def test_files_that_tests_may_read_leave_every_test_open() -> None:
    files = compare_files({"a.txt": b"1", "b.txt": b"1", "nb.ipynb": b"1"}, {"a.txt": b"2", "c.txt": b"1", "nb.ipynb": b"2"})
    assert [(change.grade_id, change.what.value) for change in files] == [
        ("a.txt", "edited"),
        ("b.txt", "removed"),
        ("c.txt", "added"),
    ]
    assert compare_files({}, {"a.txt": b"1"}) == []
    student = revised([cell("t", points=2)], [cell("t", points=2)], score("t", 2), files=files).students[0]
    assert (student.low, student.high) == (0, 2)


def test_revision_is_plain_data() -> None:
    revision = revised([cell("t", points=1)], [cell("t", points=2)], score("t", 1))
    data = json.loads(json.dumps(revision.to_json()))
    assert data["changes"][0] == {"notebook": "nb", "grade_id": "t", "what": "points", "detail": "1 -> 2", "matters": True}
    assert data["students"][0]["student"] == "ada"
    assert isinstance(revision.changes[0], CellChange)


DOUBLE = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
TRIPLE = "def triple(x):\n    ### BEGIN SOLUTION\n    return 3 * x\n    ### END SOLUTION"
HIDDEN = "### BEGIN HIDDEN TESTS\nassert {}, 'hidden'\n### END HIDDEN TESTS"
THEN = make.notebook(
    make.given("setup", "factor = 2"),
    make.exercise("double", DOUBLE),
    make.graded("test_double", f"assert double(2) == 4\n{HIDDEN.format('double(7) == 14')}", points=3),
    make.exercise("triple", TRIPLE),
    make.graded("test_triple", f"assert triple(2) == 6\n{HIDDEN.format('triple(7) == 21')}", points=2),
    make.graded("test_old", "assert triple(1) == 3", points=1),
    make.graded("test_same", "assert double(0) == 0", points=1),
    make.answer("why", "Because.", points=5),
    make.answer("gone", "No more.", points=2),
)
NOW = make.notebook(
    make.given("setup", "factor = 2"),
    make.exercise("double", DOUBLE),
    make.graded("test_double", f"assert double(2) == 4\n{HIDDEN.format('double(7) == 14')}", points=4),
    make.exercise("triple", TRIPLE),
    make.graded("test_triple", f"assert triple(2) == 6\n{HIDDEN.format('triple(-1) == -3')}", points=2),
    make.graded("test_kept", "assert double(0) == 0", points=1),
    make.graded("test_new", f"assert double(1) == 2\n{HIDDEN.format('double(-1) == -2')}", points=3),
    make.exercise("half", "def half(x):\n    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION"),
    make.graded("test_half", "assert half(2) == 1", points=1),
    make.answer("why", "Because.", points=5),
    make.answer("how", "So.", points=4),
)
ADA = {
    "double": "def double(x):\n    return 2 * x",
    "triple": "def triple(x):\n    return 3 * x",
    "why": "It is.",
    "gone": "Gone.",
}
BEN = {**ADA, "triple": "def triple(x):\n    return 3 * abs(x)"}


@dataclass
class Changed:
    """A course whose assignment was changed and whose gradebook followed."""

    course: make.Course
    refused: str
    """What nbgrader says of releasing it without an update."""
    seen: Revision
    updated: Updated
    before: dict[tuple[str, str], dict[str, Any]]
    after: dict[tuple[str, str], dict[str, Any]]
    regraded: dict[tuple[str, str], dict[str, Any]]
    logs: list[str]


def write_source(course: make.Course, nb: nbformat.NotebookNode) -> None:
    nbformat.write(nb, course.root / "source" / "ps1" / "ps1.ipynb")


def grades(course: make.Course) -> dict[tuple[str, str], dict[str, Any]]:
    """(student, cell) -> the grade, with its comment and what belongs to the submission."""
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}") as gradebook:
        found = {}
        for submission in gradebook.assignment_submissions("ps1"):
            notebook = submission.notebooks[0]
            comments = {comment.name: comment.manual_comment for comment in notebook.comments}
            for grade in notebook.grades:
                found[submission.student.id, grade.name] = grade.to_dict() | {
                    "comment": comments.get(grade.name),
                    "extension": submission.extension,
                    "penalty": notebook.late_submission_penalty,
                }
        return found


def grade_by_hand(course: make.Course) -> None:
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}") as gradebook:
        for name, points in (("why", 4.0), ("gone", 1.0)):
            grade = gradebook.find_grade(name, "ps1", "ps1", "ada")
            grade.manual_score, grade.extra_credit, grade.needs_manual_grade = points, 0.5, False
            gradebook.find_comment(name, "ps1", "ps1", "ada").manual_comment = f"Good: {name}"
        grade = gradebook.find_grade("test_same", "ps1", "ps1", "ben")
        grade.manual_score = 0.25
        gradebook.find_submission("ps1", "ben").extension = timedelta(days=3)
        gradebook.find_submission_notebook("ps1", "ps1", "ada").late_submission_penalty = 1.5
        gradebook.db.commit()


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Changed:
    """Released, handed in, graded, changed in every way, brought up to date, graded again."""
    course = make.Course(tmp_path_factory.mktemp("course"), make.TWO_LINES)
    released = course.release("ps1", THEN)
    for student, answers in (("ada", ADA), ("ben", BEN)):
        course.submit(student, "ps1", make.replaced(released, answers))
    first = course.nbgrader("autograde", "ps1")
    assert first.returncode == 0, first.stderr
    grade_by_hand(course)
    before = grades(course)
    write_source(course, NOW)
    refused = course.nbgrader("generate_assignment", "ps1", "--force").stderr
    place = locate(course.root, "ps1")
    with drafted(place) as draft:
        seen = revision_of(place, draft)
        updated = update_gradebook(place, draft)
    after = grades(course)
    again = [course.nbgrader("generate_assignment", "ps1", "--force"), course.nbgrader("autograde", "ps1", "--force")]
    return Changed(
        course=course,
        refused=refused,
        seen=seen,
        updated=updated,
        before=before,
        after=after,
        regraded=grades(course),
        logs=[f"{done.returncode}\n{done.stderr}" for done in again],
    )


def test_nbgrader_alone_refuses(changed: Changed) -> None:
    assert "Cannot add or remove cells" in changed.refused


def test_what_changed_is_seen_in_the_gradebook(changed: Changed) -> None:
    assert sorted(told(changed.seen)) == [
        ("gone", "removed"),
        ("half", "added"),
        ("how", "added"),
        ("test_double", "points"),
        ("test_half", "added"),
        ("test_kept", "renamed"),
        ("test_new", "added"),
        ("test_old", "removed"),
        ("test_triple", "edited"),
    ]
    assert [student.student for student in changed.seen.students] == ["ada", "ben"]
    assert changed.seen.students[0].recorded == 3 + 2 + 1 + 1 + 4.5 + 1.5


def test_what_is_said_to_be_possible_is_what_comes_out(changed: Changed) -> None:
    for student in changed.seen.students:
        total = sum(
            (grade["manual_score"] if grade["manual_score"] is not None else grade["auto_score"] or 0)
            + (grade["extra_credit"] or 0)
            for (name, _), grade in changed.regraded.items()
            if name == student.student
        )
        assert student.low <= total <= student.high


def test_update_loses_nothing(changed: Changed) -> None:
    kept = ("auto_score", "manual_score", "extra_credit", "comment", "extension", "penalty")
    names = {"test_same": "test_kept"}
    for (student, name), grade in changed.before.items():
        if name not in ("test_old", "gone"):
            found = changed.after[student, names.get(name, name)]
            assert {key: found[key] for key in kept} == {key: grade[key] for key in kept}
    assert changed.after["ada", "why"]["comment"] == "Good: why"
    assert not changed.after["ada", "why"]["needs_manual_grade"]
    assert changed.after["ben", "why"]["extension"] == timedelta(days=3)
    assert changed.after["ada", "why"]["penalty"] == 1.5


def test_new_cells_get_empty_grades_that_ask_to_be_graded(changed: Changed) -> None:
    for student in ("ada", "ben"):
        for name in ("test_new", "test_half", "how"):
            grade = changed.after[student, name]
            assert (grade["auto_score"], grade["manual_score"], grade["needs_manual_grade"]) == (None, None, True)
    assert (changed.after["ada", "test_double"]["max_score"], changed.after["ada", "test_double"]["needs_manual_grade"]) == (
        4,
        True,
    )
    assert {name for _, name in changed.after} & {"gone", "test_old"} == set()


def test_removed_grades_are_in_the_export_and_all_in_the_backup(changed: Changed) -> None:
    export = json.loads(changed.updated.export.read_text())
    gone = [row for row in export["grades"] if row["changes"] == ["removed"]]
    assert {(row["student"], row["name"], row["auto_score"], row["manual_score"]) for row in gone} == {
        ("ada", "test_old", 1.0, None),
        ("ada", "gone", None, 1.0),
        ("ben", "test_old", 1.0, None),
        ("ben", "gone", None, None),
    }
    assert ("ada", "Good: gone") in {(row["student"], row["manual_comment"]) for row in export["comments"]}
    assert changed.updated.export.stat().st_mode & 0o077 == 0
    assert changed.updated.backup is not None
    with closing(sqlite3.connect(changed.updated.backup)) as backup:
        assert backup.execute("select count(*) from grade").fetchone() == (len(changed.before),)
        assert backup.execute("select count(*) from base_cell where name = 'gone'").fetchone() == (2,)
    said = str(changed.updated)
    assert all(part in said for part in (str(changed.updated.backup), str(changed.updated.export), "gone", "test_old"))


def test_nbgrader_works_as_usual_afterwards(changed: Changed) -> None:
    assert [log.splitlines()[0] for log in changed.logs] == ["0", "0"], changed.logs
    scores = {place: grade["auto_score"] for place, grade in changed.regraded.items()}
    assert scores["ada", "test_double"] == 4
    assert (scores["ada", "test_triple"], scores["ben", "test_triple"]) == (2, 0)
    assert (scores["ada", "test_new"], scores["ada", "test_half"]) == (3, 0)
    assert changed.regraded["ada", "why"]["manual_score"] == 4
    assert changed.regraded["ada", "why"]["comment"] == "Good: why"
    assert changed.regraded["ben", "test_kept"]["manual_score"] == 0.25
    assert not changed.regraded["ada", "test_new"]["needs_manual_grade"]


def test_nothing_is_left_to_change(changed: Changed) -> None:
    after = changes_since_release("ps1", changed.course.root)
    assert after is not None
    assert after.changes == ()


@dataclass
class Trial:
    """A copy of the gradebook, and one to draw in what the source would be."""

    place: Place
    draft: Draft

    def update(self, **renames: str) -> Updated:
        return update_gradebook(self.place, self.draft, renames=renames)

    def rows(self) -> dict[str, list[Any]]:
        """Everything in the gradebook."""
        with closing(sqlite3.connect(str(self.place.gradebook_path))) as gradebook:
            tables = [name for (name,) in gradebook.execute("select name from sqlite_master where type = 'table'")]
            return {table: sorted(map(repr, gradebook.execute(f"select * from {table}"))) for table in tables}

    def grade(self, name: str, notebook: str = "ps1") -> dict[str, Any]:
        """Ada's grade of a cell."""
        with Gradebook(self.place.db_url) as gradebook:
            found: dict[str, Any] = gradebook.find_grade(name, notebook, "ps1", "ada").to_dict()
            return found


@pytest.fixture
def trial(changed: Changed, tmp_path: Path) -> Trial:
    for name in ("gradebook.db", "draft.db"):
        shutil.copyfile(changed.course.root / "gradebook.db", tmp_path / name)
    place = Place(
        assignment="ps1",
        root=tmp_path,
        db_url=f"sqlite:///{tmp_path / 'gradebook.db'}",
        course_id="",
        source=tmp_path / "source" / "ps1",
        release=tmp_path / "release" / "ps1",
        config=Config(),
    )
    return Trial(place, Draft(db_url=f"sqlite:///{tmp_path / 'draft.db'}", folder=tmp_path / "drawn"))


def rename_in_draft(trial: Trial, old: str, new: str) -> None:
    with closing(sqlite3.connect(trial.draft.db_url.removeprefix("sqlite:///"))) as draft, draft:
        for table in ("base_cell", "source_cell"):
            draft.execute(f"update {table} set name = ? where name = ?", (new, old))


def test_failed_update_changes_nothing(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    before = trial.rows()
    rename_in_draft(trial, "why", "reason")

    def fails(*_: Any) -> None:
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(records, "_ask_for_a_look", fails)
    with pytest.raises(RuntimeError, match="the power is gone"):
        trial.update()
    assert trial.rows() == before


def test_locked_gradebook_is_an_error_that_says_what_to_do(trial: Trial) -> None:
    trial.place = replace(trial.place, db_url=f"{trial.place.db_url}?timeout=0.1")
    with closing(sqlite3.connect(str(trial.place.gradebook_path))) as other:
        other.execute("begin immediate")
        with pytest.raises(AutograderError, match="close formgrader"):
            trial.update()


def test_update_without_changes_changes_nothing(trial: Trial) -> None:
    before = trial.rows()
    assert trial.update().revision.changes == ()
    assert trial.rows() == before


@pytest.mark.parametrize("said", [True, False])
def test_an_answer_keeps_its_grade_under_a_new_id_only_if_a_person_says_so(trial: Trial, said: bool) -> None:
    rename_in_draft(trial, "why", "reason")
    updated = trial.update(**({"why": "reason"} if said else {}))
    assert trial.grade("reason")["manual_score"] == (4 if said else None)
    rows = [row for row in json.loads(updated.export.read_text())["grades"] if row["student"] == "ada"]
    assert [row["manual_score"] for row in rows if row["changes"] == ["removed"]] == ([] if said else [4])


def test_notebook_added_and_removed(trial: Trial) -> None:
    with Gradebook(trial.draft.db_url) as draft:
        draft.add_notebook("extra", "ps1", kernelspec="{}")
        draft.add_grade_cell("t", "extra", "ps1", max_score=2, cell_type="code")
        draft.add_source_cell("t", "extra", "ps1", cell_type="code", source="assert True", locked=True)
    before = trial.rows()
    assert told(trial.update().revision) == [("t", "added")]
    assert (trial.grade("t", "extra")["max_score"], trial.grade("t", "extra")["auto_score"]) == (2, None)
    with Gradebook(trial.draft.db_url) as draft:
        draft.remove_notebook("extra", "ps1")
    assert told(trial.update().revision) == [("t", "removed")]
    assert trial.rows() == before


def test_cell_that_is_graded_in_another_way(trial: Trial) -> None:
    with Gradebook(trial.draft.db_url) as draft:
        draft.add_solution_cell("test_half", "ps1", "ps1")
        draft.find_source_cell("test_half", "ps1", "ps1").locked = False
        draft.db.delete(draft.find_grade_cell("how", "ps1", "ps1"))
        draft.db.delete(draft.find_solution_cell("how", "ps1", "ps1"))
        draft.find_source_cell("how", "ps1", "ps1").locked = True
        draft.db.commit()
        draft.add_task_cell("how", "ps1", "ps1", max_score=4, cell_type="markdown")
    assert told(trial.update().revision) == [("test_half", "kind"), ("how", "kind")]
    assert trial.grade("test_half")["needs_manual_grade"]
    assert trial.grade("how")["max_score"] == 4
    with Gradebook(trial.place.db_url) as gradebook:
        for name in ("test_half", "how"):
            assert gradebook.find_comment(name, "ps1", "ps1", "ada").manual_comment is None


def test_what_a_damaged_gradebook_lacks_is_filled_in(trial: Trial) -> None:
    with Gradebook(trial.place.db_url) as gradebook:
        gradebook.db.delete(gradebook.find_grade("test_new", "ps1", "ps1", "ada"))
        gradebook.db.commit()
    trial.update()
    assert trial.grade("test_new")["needs_manual_grade"]


def test_gradebook_that_is_none_is_an_error(trial: Trial) -> None:
    assert trial.place.gradebook_path is not None
    trial.place.gradebook_path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(AutograderError, match="It is as it was"):
        trial.update()


def test_no_submissions_is_nothing_to_compare(tmp_path: Path) -> None:
    course = make.Course(tmp_path, make.TWO_LINES)
    assert changes_since_release("ps1", course.root) is None
    assert not (tmp_path / "gradebook.db").exists()


def test_config_that_fails_is_an_error(tmp_path: Path) -> None:
    course = make.Course(tmp_path, "raise ValueError('mine')\n")
    with pytest.raises(AutograderError, match="mine"):
        changes_since_release("ps1", course.root)
