"""Test cells in a process of their own: the same verdicts, and none for those who deceive."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

import nbformat
import pytest

from autograder.grade import NO_REFERENCES, grade_notebook
from autograder.kernel import JupyterKernel, Launch
from autograder.limits import Limits
from autograder.ownership import analyse
from autograder.paired import PairedExaminer
from autograder.report import Report, read_report
from autograder.stand_ins import StandIns
from autograder.verdict import Verdict
from autograder.warm import WarmKernels
from autograder.weaving import Weaver
from tests import make

LIMITS = Limits(cell_seconds=4, notebook_seconds=60, interrupt_seconds=1, memory_bytes=600_000_000)
SQUARES = "def squares(n):\n    return [i ** 2 for i in range(1, n + 1)]"
TEST = "assert squares(3) == [1, 4, 9], 'the first three'\n### BEGIN HIDDEN TESTS\nassert squares(1) == [1]\n### END HIDDEN TESTS"


def grade(
    kernels: WarmKernels,
    folder: Path,
    source: nbformat.NotebookNode,
    cells: dict[str, str],
    references: StandIns = NO_REFERENCES,
    unexamined: Collection[str] = (),
) -> tuple[dict[str, Verdict], Report]:
    """The verdicts on `source` with some cells rewritten."""
    launch = Launch(folder=folder, limits=LIMITS, seed=3)
    examiner = PairedExaminer(source=source, ownership=analyse(source, unexamined=unexamined), launch=launch)
    nb = make.replaced(source, cells)
    report = grade_notebook(nb, kernels=kernels, examiner=examiner, launch=launch, references=references)
    return {cell.grade_id: cell.verdict for cell in report.cells}, report


FAKE = """
keep = squares
del squares
try:
    total(2)
except NameError:
    pass
else:
    assert False, 'total does not use squares'
squares = keep
assert total(LIMIT) == 14
"""
ATTACKS = {
    "an object that is equal to everything": """
class Liar:
    def __eq__(self, other): return True
    def __getattr__(self, name): return self
def squares(n): return Liar()
""",
    "a list that is equal to everything": """
class Liar(list):
    def __eq__(self, other): return True
def squares(n): return Liar()
""",
    "asserts are dropped": """
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node): return ast.Pass()
get_ipython().ast_transformers.append(Drop())
def squares(n): return []
""",
    "errors are not shown": """
type(get_ipython()).showtraceback = lambda *a, **k: None
def squares(n): return []
""",
    "assertions cannot fail": """
import builtins
builtins.AssertionError = type('Never', (Exception,), {})
def squares(n): return []
""",
    "the test is looked for in memory": """
import gc
def squares(n):
    for thing in gc.get_objects():
        if 'the first three' in str(thing)[:5000] and 'gc.get_objects' not in str(thing)[:5000]:
            return [1, 4, 9]
    return []
""",
    "the test is looked for on the stack": """
import sys
def squares(n):
    frame = sys._getframe(1)
    while frame:
        if 'the first three' in str(frame.f_locals)[:5000] + str(frame.f_code.co_consts):
            return [1, 4, 9]
        frame = frame.f_back
    return []
""",
}


def course() -> nbformat.NotebookNode:
    """A small notebook with every kind of cell."""
    return make.notebook(
        make.given("setup", "import math\nLIMIT = 3"),
        make.exercise("squares", SQUARES),
        make.graded("t", TEST),
        make.exercise("total", "def total(n):\n    return sum(squares(n))"),
        make.graded("uses", FAKE),
        make.graded("partial", "0.5 * (total(1) == 1) + 1 * (math.sqrt(total(2)) == 2)", points=2),
    )


def test_right_solution_gets_everything_and_every_test_was_examined(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    verdicts, report = grade(warm_kernels, tmp_path, course(), {})
    assert verdicts == {"t": Verdict.PASSED, "uses": Verdict.PASSED, "partial": Verdict.PARTIAL}
    assert all(cell.examined for cell in report.cells)
    assert report.incidents == ()


def test_tests_in_a_row_are_served_by_one_request_and_each_keeps_what_was_shown_meanwhile(
    warm_kernels: WarmKernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    begin = JupyterKernel.begin

    def noted(kernel: JupyterKernel, source: str) -> None:
        asked.append(source)
        begin(kernel, source)

    monkeypatch.setattr(JupyterKernel, "begin", noted)
    drawn = """
import matplotlib.pyplot as plt
def squares(n):
    print("asked for", n)
    plt.plot([1, n])
    return [i ** 2 for i in range(1, n + 1)]
"""
    source = make.notebook(
        make.given("setup", "import math"),
        make.exercise("squares", drawn),
        *(make.graded(f"test_{n}", f"assert squares({n})[-1] == {n * n}") for n in (1, 2, 3)),
        make.code("between = 1"),
        make.graded("test_4", "assert squares(4)[-1] == 16"),
    )
    launch = Launch(folder=tmp_path, limits=LIMITS)
    nb = make.replaced(source, {})
    report = grade_notebook(
        nb,
        kernels=warm_kernels,
        examiner=PairedExaminer(source=source, ownership=analyse(source), launch=launch),
        launch=launch,
    )
    assert {cell.verdict for cell in report.cells} == {Verdict.PASSED}
    assert asked.count("get_ipython().serve_examiner()") == 2
    shown = {cell.metadata.nbgrader.grade_id: cell.outputs for cell in nb.cells if "nbgrader" in cell.metadata}
    for n in (1, 2, 3, 4):
        (said, picture) = shown[f"test_{n}"]
        assert said.text == f"asked for {n}\n"
        assert "image/png" in picture.data


def test_blank_is_missing_and_a_wrong_one_fails_with_the_tests_words(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    verdicts, _ = grade(warm_kernels, tmp_path, course(), {"squares": "def squares(n):\n    raise NotImplementedError()"})
    assert verdicts["t"] is Verdict.MISSING
    verdicts, report = grade(warm_kernels, tmp_path, course(), {"squares": "def squares(n):\n    return [1, 4]"})
    assert verdicts["t"] is Verdict.FAILED
    assert report.cells[0].message == "the first three"


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_who_deceives_earns_nothing(warm_kernels: WarmKernels, tmp_path: Path, attack: str) -> None:
    verdicts, report = grade(warm_kernels, tmp_path, course(), {"squares": attack})
    assert verdicts["t"] in (Verdict.FAILED, Verdict.ERROR), report.cells
    assert report.cells[0].points == 0


@pytest.mark.parametrize(
    ("body", "verdict", "after"),
    [
        ("import os; os._exit(0)", Verdict.CRASHED, Verdict.CRASHED),
        ("while True: pass", Verdict.TIMEOUT, Verdict.PASSED),
        (
            "import time\n    while True:\n        try: time.sleep(9)\n        except KeyboardInterrupt: pass",
            Verdict.TIMEOUT,
            Verdict.PASSED,
        ),
        ("import os\n    os.closerange(3, 99)\n    return [1, 4, 9]", Verdict.CRASHED, Verdict.CRASHED),
        ("return bytearray(10 ** 9)", Verdict.MEMORY, Verdict.PASSED),
        ("raise ValueError('no')", Verdict.ERROR, Verdict.PASSED),
    ],
)
def test_misbehaving_in_a_call_has_its_verdict_and_the_next_test_its_own(
    warm_kernels: WarmKernels, tmp_path: Path, body: str, verdict: Verdict, after: Verdict
) -> None:
    source = make.notebook(
        make.exercise("squares", SQUARES),
        make.graded("t", TEST),
        make.exercise("g", "def g(): return 5"),
        make.graded("after", "assert g() == 5"),
    )
    verdicts, report = grade(warm_kernels, tmp_path, source, {"squares": f"def squares(n):\n    {body}"})
    if "closerange" in body:
        assert verdicts["t"] is not Verdict.PASSED, report.cells  # what goes first is chance: the kernel's sockets or the wire
        return
    assert verdicts == {"t": verdict, "after": after}, (report.cells, report.incidents)


def test_reference_stands_in_and_a_test_that_cannot_be_examined_waits_for_a_person(
    warm_kernels: WarmKernels, tmp_path: Path
) -> None:
    source = course()
    references = {"uses": {"squares": SQUARES}}
    verdicts, _ = grade(warm_kernels, tmp_path, source, {"squares": "def squares(n):\n    return [1]"}, references)
    assert verdicts["t"] is Verdict.FAILED
    assert verdicts["uses"] is Verdict.PASSED
    magic = make.notebook(make.exercise("f", "f = 1"), make.graded("t", "%who\nassert f == 1"))
    verdicts, report = grade(warm_kernels, tmp_path, magic, {})
    assert verdicts == {"t": Verdict.NOT_EXAMINED}
    assert "cannot be examined" in report.incidents[0].detail


def woven(source: str, sends: tuple[str, ...] = (), refetches: tuple[str, ...] = ()) -> ast.Module:
    """What runs in place of `source`."""
    tree = Weaver(sends=sends, refetches=refetches).visit(ast.parse(source))
    assert isinstance(tree, ast.Module)
    return tree


def test_test_that_cannot_be_examined_runs_among_student_code_only_if_the_course_says_so(
    warm_kernels: WarmKernels, tmp_path: Path
) -> None:
    source = make.notebook(
        make.exercise("f", "f = 1"), make.graded("around", "assert globals()['f'] == 1"), make.graded("plain", "assert f == 1")
    )
    verdicts, report = grade(warm_kernels, tmp_path, source, {}, unexamined=["other"])
    assert verdicts == {"around": Verdict.NOT_EXAMINED, "plain": Verdict.PASSED}
    verdicts, report = grade(warm_kernels, tmp_path, source, {}, unexamined=["aro*"])
    assert verdicts == {"around": Verdict.PASSED, "plain": Verdict.PASSED}
    assert [cell.examined for cell in report.cells] == [False, True]
    assert "globals" in report.incidents[0].detail
    wrong, report = grade(warm_kernels, tmp_path, source, {"f": "f = 2"}, unexamined=["*"])
    assert set(wrong.values()) == {Verdict.FAILED}


def test_test_tagged_candidate_is_run_there_and_not_just_passed(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    source = make.notebook(make.exercise("f", "f = 1"), make.graded("t", "import math\nassert f == 1"))
    source.cells[-1].metadata["tags"] = ["candidate"]
    assert grade(warm_kernels, tmp_path, source, {})[0] == {"t": Verdict.PASSED}
    assert grade(warm_kernels, tmp_path, source, {"f": "f = 2"})[0] == {"t": Verdict.FAILED}


def test_locked_cell_that_fails_on_the_examiners_side_is_not_the_students_fault(
    warm_kernels: WarmKernels, tmp_path: Path
) -> None:
    source = make.notebook(
        make.given("data", "import os\nassert os.path.exists('here'), 'no data'\nDATA = 3"),
        make.exercise("f", "f = 3"),
        make.graded("uses", "assert f == DATA"),
        make.graded("plain", "assert f == 3"),
    )
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "here").touch()
    (tmp_path / "examiner").mkdir()
    launch = Launch(folder=tmp_path / "student", limits=LIMITS, seed=3)
    examiner = PairedExaminer(
        source=source, ownership=analyse(source), launch=Launch(folder=tmp_path / "examiner", limits=LIMITS)
    )
    report = grade_notebook(make.replaced(source, {}), kernels=warm_kernels, examiner=examiner, launch=launch)
    assert [cell.verdict for cell in report.cells] == [Verdict.NOT_EXAMINED, Verdict.PASSED]
    assert "no data" in report.incidents[0].detail


@pytest.mark.parametrize("word", ["leave", "done"], ids=["leaves", "does nothing else any more"])
def test_candidate_that_leaves_the_wire_gets_its_verdict_and_holds_nobody_up(
    warm_kernels: WarmKernels, tmp_path: Path, word: str
) -> None:
    leaves = "import sys\ndef squares(n):\n    frame = sys._getframe()\n    while 'candidate' not in frame.f_locals:\n"
    leaves += "        frame = frame.f_back\n    frame.f_locals['candidate']._receive = lambda operation: ('ask', ('WORD',))\n"
    leaves += "    frame.f_locals['candidate']._send = lambda kind, content: None\n    return [1, 4, 9]"
    source = make.notebook(
        make.exercise("squares", SQUARES), make.graded("t", TEST), make.code("pass"), make.graded("after", "assert True")
    )
    verdicts, report = grade(warm_kernels, tmp_path, source, {"squares": leaves.replace("WORD", word)})
    assert verdicts == {"t": Verdict.ERROR, "after": Verdict.PASSED}, report.cells
    assert "stopped answering" in report.cells[0].detail


def test_what_a_test_defined_is_there_again_after_a_later_one_hung(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    source = make.notebook(
        make.exercise("f", "def f(): return 1"),
        make.graded("first", "def close(a, b):\n    return abs(a - b) < 1\nassert close(f(), 1)"),
        make.exercise("g", "def g(): return 2"),
        make.graded("hangs", "assert g() == 2"),
        make.graded("last", "assert close(f(), 1)"),
    )
    stubborn = "import time\ndef g():\n    while True:\n        try: time.sleep(9)\n        except KeyboardInterrupt: pass"
    verdicts, report = grade(warm_kernels, tmp_path, source, {"g": stubborn})
    assert verdicts == {"first": Verdict.PASSED, "hangs": Verdict.TIMEOUT, "last": Verdict.PASSED}, report
    assert report.kernel.starts == 2


def test_students_read_only_what_the_instructor_wrote_of_a_hidden_check(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    hidden = (
        "### BEGIN HIDDEN TESTS\nfor n in (7919,):\n    assert squares(n) == [n], f'squares of {n} wrong'\n### END HIDDEN TESTS"
    )
    source = make.notebook(make.exercise("squares", SQUARES), make.graded("t", f"assert squares(0) == [], 'none'\n{hidden}"))
    _, report = grade(warm_kernels, tmp_path, source, {})
    assert report.cells[0].message == "squares of … wrong"
    assert report.cells[0].detail == "squares of 7919 wrong"
    _, report = grade(
        warm_kernels, tmp_path, source, {"squares": "def squares(n):\n    if n: raise ValueError(n)\n    return []"}
    )
    assert report.cells[0].message == "Your code raised ValueError in a hidden check of `squares`."
    assert "7919" in report.cells[0].detail
    _, report = grade(warm_kernels, tmp_path, source, {"squares": "def squares(n):\n    return [n]"})
    assert report.cells[0].message == "none"


def test_staff_see_where_student_code_raised_and_none_of_our_own_frames(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    source = make.notebook(make.exercise("f", "def f(): return 1"), make.graded("t", "assert f() == 1"))
    nb = make.replaced(source, {"f": "def inner():\n    return 1 // 0\ndef f():\n    return inner()"})
    launch = Launch(folder=tmp_path, limits=LIMITS, seed=3)
    examiner = PairedExaminer(source=source, ownership=analyse(source), launch=launch)
    grade_notebook(nb, kernels=warm_kernels, examiner=examiner, launch=launch)
    shown = "".join(str(output) for output in nb.cells[-1].outputs)
    assert "ZeroDivisionError" in shown
    assert "in inner" in shown
    assert "proxy.py" not in shown
    assert "exchange.py" not in shown


def test_weaving_sends_at_once_and_leaves_other_cells_and_every_line_number_alone() -> None:
    assert ast.unparse(woven("x = 1")) == "x = 1"
    tree = woven("if a:\n    f = 1\nelse:\n    del f\nmatch k:\n    case 1:\n        f = 2\nprint(k)", ("f",), ("k",))
    text = ast.unparse(tree)
    assert text.count("send('f')") == 3
    assert text.index("fetch('k')") < text.index("print(k)")
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)][-1] <= 8
    compile(tree, "cell", "exec")


def test_nbgrader_grades_apart(tmp_path: Path) -> None:
    cheat = "class Liar(list):\n    def __eq__(self, other): return True\ndef squares(n): return Liar()"
    nb = make.notebook(make.exercise("squares", f"### BEGIN SOLUTION\n{SQUARES}\n### END SOLUTION"), make.graded("t", TEST))
    ours = make.Course(tmp_path / "course")
    released = ours.release("ps1", nb)
    ours.submit("ana", "ps1", make.replaced(released, {"squares": SQUARES}))
    ours.submit("bob", "ps1", make.replaced(released, {"squares": cheat}))
    done = ours.nbgrader("autograde", "ps1")
    assert done.returncode == 0, done.stderr
    reports = [read_report(ours.autograded(name, "ps1", ".report.json")) for name in ("ana", "bob")]
    assert [report and (report.score, report.cells[0].examined) for report in reports] == [(1, True), (0, True)]
