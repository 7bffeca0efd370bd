"""How one notebook is run: time, output, dead kernels, and our own failures. Real kernels throughout."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from autograder import kernel as kernel_module
from autograder.errors import KernelStartError
from autograder.examiner import CandidateExaminer
from autograder.grade import NO_REFERENCES, grade_notebook
from autograder.kernel import ColdKernels, Ending, Kernel, KernelSource, Launch
from autograder.limits import Limits
from autograder.outputs import Outputs
from autograder.report import Report
from autograder.stand_ins import StandIns
from autograder.verdict import Verdict
from autograder.warm import WarmKernels
from tests import make

LIMITS = Limits(cell_seconds=3, notebook_seconds=60, interrupt_seconds=1)
IGNORES = "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        pass"


class Grading:
    """Grades cells by one source of kernels."""

    def __init__(self, kernels: KernelSource) -> None:
        self.kernels = kernels

    def __call__(
        self,
        folder: Path,
        *cells: nbformat.NotebookNode,
        limits: Limits = LIMITS,
        kernels: KernelSource | None = None,
        references: StandIns = NO_REFERENCES,
    ) -> tuple[Report, nbformat.NotebookNode]:
        nb = make.notebook(*cells)
        report = grade_notebook(
            nb,
            kernels=kernels or self.kernels,
            examiner=CandidateExaminer(),
            launch=Launch(folder=folder, limits=limits),
            references=references,
        )
        return report, nb


@pytest.fixture(params=["warm", "cold"])
def grade(request: pytest.FixtureRequest, warm_kernels: WarmKernels) -> Grading:
    """Both sources: the wall must not change what a submission gets."""
    return Grading(warm_kernels if request.param == "warm" else ColdKernels())


def verdicts(report: Report) -> dict[str, Verdict]:
    return {cell.grade_id: cell.verdict for cell in report.cells}


def test_kernel_that_ignores_interrupts_is_replaced_and_earlier_cells_are_there_again(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(
        tmp_path,
        make.code("x = 5"),
        make.code("y = 1 / 0"),
        make.graded("before", "assert x == 5"),
        make.exercise("loops", IGNORES),
        make.graded("after", "assert x == 5"),
        make.graded("also", "assert 'loops' not in globals()"),
    )
    assert verdicts(report) == {"before": Verdict.PASSED, "after": Verdict.PASSED, "also": Verdict.PASSED}
    assert report.kernel.starts == 2
    assert [(incident.where, incident.what) for incident in report.incidents] == [("loops", "timeout"), ("loops", "kernel")]


def test_test_cell_over_its_time_is_a_timeout_and_the_next_is_judged(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(tmp_path, make.graded("slow", "import time; time.sleep(30)"), make.graded("quick", "assert True"))
    assert verdicts(report) == {"slow": Verdict.TIMEOUT, "quick": Verdict.PASSED}
    assert report.kernel.starts == 1


def test_notebook_over_its_time_stops_and_the_rest_is_timeout(grade: Grading, tmp_path: Path) -> None:
    cells = [make.graded(f"t{i}", "import time; time.sleep(1)") for i in range(6)]
    began = time.monotonic()
    report, _ = grade(tmp_path, *cells, limits=replace(LIMITS, notebook_seconds=2.5))
    assert list(verdicts(report).values()) == [Verdict.PASSED] * 2 + [Verdict.TIMEOUT] * 4
    assert "used up" in report.cells[-1].message
    assert time.monotonic() - began < 20


def test_long_output_is_cut_and_costs_nothing(grade: Grading, tmp_path: Path) -> None:
    report, nb = grade(
        tmp_path,
        make.graded("talks", "for i in range(2000): print('x' * 1000)"),
        limits=replace(LIMITS, output_bytes=10_000),
    )
    assert verdicts(report) == {"talks": Verdict.PASSED}
    text = "".join(output.text for output in nb.cells[0].outputs)
    assert len(text) < 12_000
    assert "output cut here" in text


def test_endless_output_is_stopped_long_before_the_time_is_up(grade: Grading, tmp_path: Path) -> None:
    report, nb = grade(
        tmp_path,
        make.graded("floods", "while True: print('x' * 10_000)"),
        make.graded("after", "assert True"),
        limits=replace(LIMITS, cell_seconds=120, output_bytes=10_000, flood_bytes=5_000_000),
    )
    assert verdicts(report) == {"floods": Verdict.OUTPUT_LIMIT, "after": Verdict.PASSED}
    assert report.cells[0].seconds < 60
    assert len(nbformat.writes(nb)) < 100_000


def test_one_giant_message_is_refused_and_the_notebook_goes_on(
    grade: Grading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_module, "_MESSAGE_BYTES", 1_000_000)
    report, nb = grade(
        tmp_path,
        make.code("from IPython.display import display\ndisplay({'text/plain': 'x' * 5_000_000}, raw=True)"),
        make.graded("after", "print('seen')\nassert True"),
    )
    assert verdicts(report) == {"after": Verdict.PASSED}
    assert len(nbformat.writes(nb)) < 100_000


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("import os; os._exit(7)", "exited with status 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("exit()", "died"),
    ],
)
def test_dead_kernel_names_its_end_and_crashes_the_rest(grade: Grading, tmp_path: Path, source: str, end: str) -> None:
    report, _ = grade(tmp_path, make.graded("before", "assert True"), make.code(source), make.graded("after", "assert True"))
    assert verdicts(report) == {"before": Verdict.PASSED, "after": Verdict.CRASHED}
    assert end in report.kernel.end
    assert "cell 2" in report.cells[1].message


def test_memory_error_has_a_verdict_of_its_own(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(tmp_path, make.graded("hungry", "x = bytes(1 << 60)"))
    assert verdicts(report) == {"hungry": Verdict.MEMORY}


def test_input_does_not_wait_for_a_keyboard(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(tmp_path, make.graded("asks", "input('name? ')"))
    assert verdicts(report) == {"asks": Verdict.ERROR}
    assert report.cells[0].seconds < 2


class _Broken:
    """A source whose first `failures` starts fail."""

    name = "broken"
    sandbox = False

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def start(self, launch: Launch) -> Kernel:
        self.failures -= 1
        if self.failures >= 0:
            raise KernelStartError("no kernel today")
        return ColdKernels().start(launch)

    def start_pair(self, candidate: Launch, examiner: Launch) -> tuple[Kernel, Kernel]:
        raise KernelStartError("no kernels today")

    def close(self) -> None:
        """Nothing to end."""


def test_our_own_failure_is_never_a_zero(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(tmp_path, make.code("x = 1"), make.graded("t", "assert True"), kernels=_Broken(99))
    assert verdicts(report) == {"t": Verdict.INTERNAL}
    assert report.cells[0].points is None
    assert report.needs_attention


def test_start_that_fails_once_is_tried_again(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(tmp_path, make.graded("t", "assert True"), kernels=_Broken(1))
    assert verdicts(report) == {"t": Verdict.PASSED}


def test_unknown_kernel_is_our_failure_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KernelStartError, match="kernelspec list"):
        ColdKernels().start(Launch(folder=tmp_path, kernel_name="no-such-kernel"))


def test_nothing_stays_behind(tmp_path: Path) -> None:
    kernel = ColdKernels().start(Launch(folder=tmp_path, limits=LIMITS))
    outputs = Outputs(1000, 10_000)
    assert kernel.execute("import os; print(os.getpid(), os.getcwd())", outputs, seconds=5).ending is Ending.OK
    pid, folder = outputs.items[0].text.split()
    assert folder == str(tmp_path)
    kernel.close()
    kernel.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert not kernel.alive


def test_reference_stands_in_for_an_earlier_exercise_while_one_test_runs(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(
        tmp_path,
        make.exercise("base", "name = 'mine'\ndef base(): return 'wrong'"),
        make.graded("test_base", "assert base() == 'right'"),
        make.exercise("later", "def later(): return base() + '!'"),
        make.graded("test_later", "assert later() == 'right!'"),
        make.graded("test_gone", "assert gone() == 1"),
        make.graded("test_back", "assert base() == 'wrong' and 'gone' not in globals() and name == 'mine'"),
        references={"test_later": {"base": "def base(): return 'right'"}, "test_gone": {"gone": "def gone(): return 1"}},
    )
    assert verdicts(report) == {
        "test_base": Verdict.FAILED,
        "test_later": Verdict.PASSED,
        "test_gone": Verdict.PASSED,
        "test_back": Verdict.PASSED,
    }


FORGES = """
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent()
junk = [5, None, [], 'x', {}, {'data': 7}, {'name': 'stdout', 'text': 9}, {'execution_state': []}]
junk += [{'data': {'text/plain': {}}, 'metadata': []}]
kinds = ['stream', 'display_data', 'execute_result', 'error', 'status', 'clear_output', 'update_display_data', 'nonsense']
for kind in kinds:
    for content in junk:
        session.send(kernel.iopub_socket, kind, content=content, parent=parent)
for header in (None, [], {}, {'msg_type': []}, {'msg_type': 'stream', 'date': 'no date', 'msg_id': 3}):
    message = session.msg('stream', content={'name': 'stdout', 'text': 'x'}, parent=parent)
    message['header'] = header
    kernel.iopub_socket.send_multipart(session.serialize(message))
kernel.iopub_socket.send_multipart([b'no', b'message'])
kernel.iopub_socket.send_multipart([b'stream', b'<IDS|MSG>', b'bad signature', b'{}', b'{}', b'{}', b'{}'])
"""


def test_forged_messages_are_data_and_hurt_nobody(grade: Grading, tmp_path: Path) -> None:
    report, nb = grade(tmp_path, make.code(FORGES), make.graded("after", "assert True"))
    assert verdicts(report) == {"after": Verdict.PASSED}
    assert not nb.cells[0].outputs or all(output.output_type != "execute_result" or output.data for output in nb.cells[0].outputs)
    nbformat.validate(nb)


def test_printing_much_does_not_hide_a_partial_score(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(
        tmp_path,
        make.exercise("f", "def f():\n    print('x' * 999_979, end='', flush=True)\n    return -1"),
        make.graded("t", "int(f() == 1)", points=3),
    )
    assert (report.cells[0].verdict, report.cells[0].points) == (Verdict.FAILED, 0)


def test_students_display_settings_do_not_change_how_a_test_reads(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(
        tmp_path,
        make.code("get_ipython().ast_node_interactivity = 'all'\n%precision 0"),
        make.graded("asserts", "{'a': 1}.pop('a')\nassert True", points=4),
        make.graded("number", "0.4"),
        make.code("get_ipython().ast_node_interactivity = 'last_expr_or_assign'"),
        make.graded("assigns", "ok = 7"),
    )
    assert [(cell.verdict, cell.points) for cell in report.cells] == [
        (Verdict.PASSED, 4),
        (Verdict.PARTIAL, 0.4),
        (Verdict.PASSED, 1),
    ]


def test_nothing_of_a_reference_stays_behind(grade: Grading, tmp_path: Path) -> None:
    report, _ = grade(
        tmp_path,
        make.code("def fit(x): return -1"),
        make.graded("t_later", "assert fit(2) == 2"),
        make.graded("t_fit", "assert fit(1) == 1"),
        make.graded("t_helper", "assert 'helper' not in globals()"),
        references={"t_later": {"ex1": "def helper(x): return x\ndef fit(x): return helper(x)"}},
    )
    assert verdicts(report) == {"t_later": Verdict.PASSED, "t_fit": Verdict.FAILED, "t_helper": Verdict.PASSED}


def test_kernel_that_dies_between_two_cells_is_a_crash_not_a_loss(grade: Grading, tmp_path: Path) -> None:
    dies_soon = "import os, threading, time\nthreading.Timer(0.2, lambda: os._exit(1)).start()"
    report, _ = grade(
        tmp_path,
        make.graded("before", "assert True"),
        make.code(dies_soon + "\nget_ipython().events.register('pre_run_cell', lambda info: time.sleep(1))"),
        make.graded("after", "assert True"),
        make.graded("last", "assert True"),
        references={"after": {"f": "def f(): return 1"}},
    )
    assert verdicts(report) == {"before": Verdict.PASSED, "after": Verdict.CRASHED, "last": Verdict.CRASHED}
