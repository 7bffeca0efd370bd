"""What a student sees of a graded notebook, and what four students get who try to carry hidden tests home."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pytest

from autograder.errors import ManifestError
from autograder.feedback import show_verdicts
from autograder.manifest import FEEDBACK, Manifest, read_manifest
from autograder.report import CellReport, KernelReport, Report
from autograder.verdict import Verdict
from tests import make
from tests.assignment import write_assignment

LEFT_OUT = "Output left out: this cell ran after hidden tests."
HIDDEN = 'assert f(1)\n### BEGIN HIDDEN TESTS\nassert f("input") == "value", f"other: {f(2)}"\n### END HIDDEN TESTS'


def cell_report(message: str, detail: str = "", *, verdict: Verdict = Verdict.FAILED) -> CellReport:
    return CellReport(grade_id="t", verdict=verdict, points=0, max_points=2, message=message, detail=detail)


def report_of(*cells: CellReport) -> Report:
    return Report(cells=cells, kernel=KernelReport(source="warm"))


def with_output(cell: nbformat.NotebookNode, *texts: str, error: str = "") -> nbformat.NotebookNode:
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in texts]
    if error:
        cell.outputs.append(nbformat.v4.new_output("error", ename=error, evalue="secret", traceback=["secret"]))
    return cell


def texts_of(outputs: Sequence[nbformat.NotebookNode]) -> list[str]:
    return [str(output.get("text") or output.get("data", {}).get("text/plain") or output.get("ename")) for output in outputs]


POLICIES = [
    ("message", ["A check did not hold (0 of 2 points): for the student"], "assert f(1)"),
    ("none", ["A check did not hold (0 of 2 points)"], "assert f(1)"),
    ("full", ["A check did not hold (0 of 2 points): for staff", "printed", "ValueError"], HIDDEN),
]


@pytest.mark.parametrize(("policy", "outputs", "source"), POLICIES)
def test_policy_decides_what_a_test_shows(policy: str, outputs: list[str], source: str) -> None:
    nb = make.notebook(with_output(make.graded("t", HIDDEN), "printed", error="ValueError"))
    show_verdicts(nb, report_of(cell_report("for the student", "for staff")), policy=policy)
    assert texts_of(nb.cells[0].outputs) == outputs
    assert nb.cells[0].source == source


@pytest.mark.parametrize("policy", ["message", "none", "full"])
def test_rubrics_are_shown_by_no_policy(policy: str) -> None:
    rubric = "Why?\n=== BEGIN MARK SCHEME ===\nrubric\n=== END MARK SCHEME ==="
    nb = make.notebook(make.given("g", rubric, markdown=True), make.answer("a", rubric))
    show_verdicts(nb, None, policy=policy)
    assert [cell.source for cell in nb.cells] == ["Why?", "Why?"]


def test_message_of_an_unvetted_report_shows_only_the_instructors_words() -> None:
    for said, shown in (("other: secret", "other: …"), ("secret", "A check of exercise `t` did not hold.")):
        nb = make.notebook(make.graded("t", HIDDEN))
        show_verdicts(nb, report_of(cell_report(said)))
        assert texts_of(nb.cells[0].outputs) == [f"A check did not hold (0 of 2 points): {shown}"]
    nb = make.notebook(make.graded("t", "assert f(1)"))
    show_verdicts(nb, report_of(cell_report("said")))
    assert texts_of(nb.cells[0].outputs) == ["A check did not hold (0 of 2 points): said"]


def test_passed_test_has_no_message() -> None:
    nb = make.notebook(make.graded("t", HIDDEN))
    show_verdicts(nb, report_of(cell_report("The partial score came out as 9", "x", verdict=Verdict.PASSED)))
    assert texts_of(nb.cells[0].outputs) == ["Passed (0 of 2 points)"]


def after_hidden(cell: nbformat.NotebookNode, submitted: nbformat.NotebookNode | None, *, policy: str = "message") -> list[str]:
    nb = make.notebook(make.graded("t", HIDDEN), cell)
    show_verdicts(nb, None, policy=policy, submitted=submitted)
    return texts_of(nb.cells[1].outputs)


def test_outputs_before_the_first_hidden_test_are_the_graders() -> None:
    visible = make.graded("v", "assert f(1)")
    cells = [with_output(make.code("f()"), "graded", error="ValueError"), visible, with_output(make.given("g", "f()"), "graded")]
    nb = make.notebook(*cells, make.graded("t", HIDDEN))
    show_verdicts(nb, None, submitted=make.notebook(with_output(make.code("f()"), "handed in")))
    assert texts_of(nb.cells[0].outputs) == ["graded", "ValueError"]
    assert texts_of(nb.cells[2].outputs) == ["graded"]
    show_verdicts(nb, None, after_hidden=True)
    assert texts_of(nb.cells[0].outputs) == [LEFT_OUT, "When graded, this cell raised ValueError."]
    assert texts_of(nb.cells[2].outputs) == [LEFT_OUT]


@pytest.mark.parametrize("policy", ["message", "none"])
@pytest.mark.parametrize("make_cell", [make.code, lambda text: make.given("g", text), lambda text: make.exercise("g", text)])
def test_outputs_after_the_first_hidden_test_are_those_handed_in(make_cell: object, policy: str) -> None:
    assert callable(make_cell)
    submitted = make.notebook(make.graded("t", "assert f(1)"), with_output(make_cell("f()"), "handed in"))
    assert after_hidden(with_output(make_cell("f()"), "graded"), submitted, policy=policy) == ["handed in"]
    assert after_hidden(with_output(make_cell("f()"), "graded"), submitted, policy="full") == ["graded"]
    assert after_hidden(make_cell("f()"), submitted, policy=policy) == ["handed in"]


def test_locked_cell_is_found_by_its_grade_id_whatever_its_text_was() -> None:
    submitted = make.notebook(with_output(make.given("g", "mine"), "first"), with_output(make.given("g", "mine"), "last"))
    assert after_hidden(with_output(make.given("g", "theirs"), "graded"), submitted) == ["last"]


def test_cells_of_equal_text_are_found_in_order() -> None:
    cells = [with_output(make.code("f()"), text) for text in ("one", "two", "three")]
    nb = make.notebook(make.code("f()"), make.graded("t", HIDDEN), make.code("f()"), make.code("g()"), make.code("f()"))
    show_verdicts(nb, None, submitted=make.notebook(*cells))
    assert [texts_of(cell.outputs) for cell in (nb.cells[2], nb.cells[4])] == [["two"], ["three"]]


def test_cell_that_was_not_handed_in_shows_that_something_is_left_out() -> None:
    for submitted in (None, make.notebook(make.code("g()"))):
        assert after_hidden(with_output(make.code("f()"), "graded"), submitted) == [LEFT_OUT]
        assert after_hidden(make.code("f()"), submitted) == []


@pytest.mark.parametrize(
    ("ename", "said"),
    [
        ("NameError", "raised NameError"),
        ("Secret4711", "raised an exception of its own"),
        ("CellTimeoutError", "was stopped: it took too long"),
        ("OutputLimit", "was stopped: it printed without end"),
        ("KernelEnded", "used up its memory or time, and Python was ended"),
    ],
)
def test_error_after_hidden_tests_is_only_named(ename: str, said: str) -> None:
    line = f"When graded, this cell {said}."
    cell = with_output(make.code("f()"), "graded", error=ename)
    assert after_hidden(cell, make.notebook(with_output(make.code("f()"), "handed in"))) == ["handed in", line]
    cell = with_output(make.code("f()"), "graded", error=ename)
    assert after_hidden(cell, None) == [LEFT_OUT, line]


def test_giant_output_that_was_handed_in_is_left_out() -> None:
    submitted = make.notebook(with_output(make.code("f()"), "x" * 2_000_000))
    assert "larger than 1,000,000 bytes" in after_hidden(make.code("f()"), submitted)[0]


def read_with(folder: Path, line: str) -> Manifest:
    path = folder / "assignment.toml"
    path.write_text(f"{line}\n{path.read_text()}")
    return read_manifest(folder)


def test_manifest_knows_the_policies(tmp_path: Path) -> None:
    folder = write_assignment(tmp_path).folder
    assert read_manifest(folder).feedback == "message"
    with pytest.raises(ManifestError, match="feedback = 'all' is not one of message, full, none"):
        read_with(folder, 'feedback = "all"')


@pytest.mark.parametrize("policy", FEEDBACK)
def test_manifest_says_the_policy(tmp_path: Path, policy: str) -> None:
    assert read_with(write_assignment(tmp_path).folder, f'feedback = "{policy}"').feedback == policy


# A class, with nbgrader.

INPUT, VALUE, TEXT = "input-4711", "value-4711", "source-4711"
SOURCE = make.notebook(
    make.given("figure", '<img src="given.png"> <img src="mine.png">', markdown=True),
    make.exercise("f", '### BEGIN SOLUTION\ndef f(x):\n    return x.replace("input", "value")\n### END SOLUTION'),
    make.given("before", 'print("before", f("hello"))'),
    make.graded(
        "test_f",
        'assert f("a") == "a", "letters"\n### BEGIN HIDDEN TESTS\n'
        f'_text = "{TEXT}"\nassert f("{INPUT}") == "{VALUE}", f"inputs become values: {{f(\'{INPUT}\')}}"\n### END HIDDEN TESTS',
        points=2,
    ),
    make.exercise("g", '### BEGIN SOLUTION\ndef g():\n    return "g"\n### END SOLUTION'),
    make.given("after", "print(g())"),
    make.graded("test_g", 'assert g() == "g", f"g gave {g()}"', points=2),
    make.graded("points", f'### BEGIN HIDDEN TESTS\n2.0 if f("{INPUT}") == "{VALUE}" else f("")\n### END HIDDEN TESTS', points=2),
)
SECOND = make.notebook(
    make.exercise("h", "### BEGIN SOLUTION\nh = 1\n### END SOLUTION"),
    make.graded("test_h", "assert h\n### BEGIN HIDDEN TESTS\nassert h == 1\n### END HIDDEN TESTS"),
)
F = 'def f(x):\n    return x.replace("input", "value")'
KEEPS = 'seen = ["nothing"]\ndef f(x):\n    seen.append(x)\n    return x.replace("input", "value")'
WRITES = f"""{KEEPS}
import pathlib
def g():
    text = repr(seen)
    for name in ("found.txt", "stolen.png", "mine.png", "given.png", "ps1.html", "second.html", "[odd]/x.txt"):
        path = pathlib.Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for one in seen:
        pathlib.Path("name-" + one).mkdir(exist_ok=True)
        pathlib.Path("name-" + one, one).touch()
    return "g"
"""
RAISES = """seen = ["nothing"]
def f(x):
    seen.append(x)
    if x in ("a", "hello"):
        return x
    raise type(x.replace("-", "_"), (ValueError,), {})(x) if len(seen) % 2 else AssertionError(x)
def g():
    raise AssertionError(f"letters{seen}")"""
PICTURE = b"\x89PNG a picture of my own"
SECRETS = [text.encode() for text in (INPUT, VALUE, TEXT, "input_4711")]


def hand_in(course: make.Course, released: nbformat.NotebookNode, student: str, **sources: str) -> None:
    """A notebook with the student's outputs, a second one, a picture of the student's own."""
    nb = make.replaced(released, {"f": F, "g": 'def g():\n    return "g"', **sources})
    for cell in nb.cells:
        if cell.cell_type == "code":
            with_output(cell, f"handed in by {student}")
    nb.cells.append(with_output(make.code("print(seen)"), "my own cell"))
    nb.cells.insert(0, make.text("![me](mine.png) ![stolen](stolen.png)"))
    folder = course.submit(student, "ps1", nb).parent
    second = make.replaced(SECOND, {"h": "h = 1", "test_h": "assert h"})
    second.cells.insert(0, make.code("import pathlib\nprint([path.read_text() for path in pathlib.Path().glob('f*.txt')])"))
    nbformat.write(second, folder / "second.ipynb")
    (folder / "mine.png").write_bytes(PICTURE)
    (folder / "timestamp.txt").write_text("2026-01-01 12:00:00 UTC")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> make.Course:
    course = make.Course(tmp_path_factory.mktemp("feedback"))
    folder = course.root / "source" / "ps1"
    folder.mkdir(parents=True)
    (folder / "given.png").write_bytes(b"a given picture")
    nbformat.write(SECOND, folder / "second.ipynb")
    released = course.release("ps1", SOURCE)
    hand_in(course, released, "honest")
    hand_in(course, released, "mistaken", f="def f(x):\n    return x")
    hand_in(course, released, "prints", f=KEEPS, g='def g():\n    print(seen)\n    return "g"')
    hand_in(course, released, "returns", f=KEEPS, g="def g():\n    return str(seen)")
    hand_in(course, released, "writes", f=WRITES, g="pass")
    hand_in(course, released, "raises", f=RAISES, g="pass")
    done = course.nbgrader("autograde", "ps1")
    assert done.returncode == 0, done.stderr
    return course


RUNS = {
    "message": [],
    "embedded": ["--HTMLExporter.embed_images=True", "--student=writes"],
    "none": ["--ShowVerdicts.policy=none"],
    "full": ["--ShowVerdicts.policy=full"],
}


@pytest.fixture(scope="module")
def pages(course: make.Course) -> dict[str, Path]:
    """The feedback folder of each of `RUNS`."""
    folders = {}
    for name, options in RUNS.items():
        done = course.nbgrader("generate_feedback", "ps1", *options)
        assert done.returncode == 0, done.stderr
        folders[name] = (course.root / "feedback").rename(course.root / f"feedback-{name}")
    return folders


def page(folder: Path, student: str, notebook: str = "ps1") -> str:
    return (folder / student / "ps1" / f"{notebook}.html").read_text()


def found(folder: Path) -> list[str]:
    """Where anything hidden lies in `folder`, by name or content, base64 as in embedded pictures included."""
    coded = [base64.b64encode(b"x" * shift + secret)[4:-4] for secret in SECRETS for shift in range(3)]
    hits = []
    for path in sorted(folder.rglob("*")):
        content = str(path.relative_to(folder)).encode() + (path.read_bytes() if path.is_file() else b"")
        hits += [f"{path}: {secret!r}" for secret in (*SECRETS, *coded) if secret in content]
    return hits


@pytest.mark.parametrize("run", ["message", "embedded", "none"])
def test_nothing_hidden_comes_back(pages: dict[str, Path], run: str) -> None:
    assert list(pages[run].glob("*/ps1/second.html"))
    assert found(pages[run]) == []


def test_the_attacks_would_work(course: make.Course) -> None:
    for student in ("prints", "returns", "writes", "raises"):
        assert found(course.root / "autograded" / student), student
    assert INPUT in course.autograded("writes", "ps1").with_name("second.ipynb").read_text()


def test_everybody_sees_verdicts_and_the_outputs_of_their_own(pages: dict[str, Path]) -> None:
    honest = page(pages["message"], "honest")
    assert honest.count("Passed") == 3
    assert "before hello" in honest
    assert honest.count("handed in by honest") == 2
    assert "my own cell" in honest
    assert "When graded, this cell raised NameError." in honest
    assert "inputs become values: …" in page(pages["message"], "mistaken")
    assert "g gave …" in page(pages["message"], "returns")


def test_files_beside_the_page_are_those_handed_in_and_given(course: make.Course, pages: dict[str, Path]) -> None:
    for student in ("honest", "writes"):
        folder = pages["message"] / student / "ps1"
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        assert names == ["given.png", "mine.png", "ps1.html", "second.html", "timestamp.txt"]
        assert (folder / "mine.png").read_bytes() == PICTURE
        assert (folder / "given.png").read_bytes() == b"a given picture"
    assert (course.root / "autograded" / "writes" / "ps1" / "found.txt").is_file()
    assert base64.b64encode(PICTURE).decode() in page(pages["embedded"], "writes")


def test_policies_show_nothing_more_or_everything(pages: dict[str, Path]) -> None:
    mistaken = page(pages["none"], "mistaken")
    assert "A check did not hold (0 of 2 points)" in mistaken
    assert "inputs become" not in mistaken
    assert TEXT in page(pages["full"], "honest")
    assert "BEGIN HIDDEN" in page(pages["full"], "honest")
    assert INPUT in page(pages["full"], "prints")
    assert (pages["full"] / "writes" / "ps1" / "found.txt").is_file()


def test_manifest_comes_before_the_courses_policy(course: make.Course, pages: dict[str, Path]) -> None:
    assert pages
    folder = course.root / "assignments" / "ps1"
    folder.mkdir(parents=True)
    lines = [
        'title = "Words"',
        'track = "ml"',
        "week = 1",
        'due = "2026-01-01"',
        "points = 7",
        'device = "cpu"',
        'feedback = "none"',
    ]
    (folder / "assignment.toml").write_text("\n".join(lines))
    done = course.nbgrader("generate_feedback", "ps1", "--ShowVerdicts.policy=full", "--student=mistaken")
    assert done.returncode == 0, done.stderr
    assert TEXT not in course.feedback("mistaken", "ps1")
    assert "inputs become" not in course.feedback("mistaken", "ps1")
