"""Going over each limit: the verdict, what the student reads, and a clean machine afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from autograder.examiner import CandidateExaminer
from autograder.grade import grade_notebook
from autograder.kernel import Ending, Launch
from autograder.limits import Limits
from autograder.outputs import Outputs
from autograder.report import Report
from autograder.verdict import Verdict
from autograder.warm import WarmKernels
from tests import make
from tests.processes import outermost

SMALL = Limits(
    cell_seconds=20,
    notebook_seconds=60,
    interrupt_seconds=1,
    cpu_seconds=30,
    memory_bytes=400_000_000,
    processes=40,
    disk_bytes=20_000_000,
    output_bytes=10_000,
    flood_bytes=3_000_000,
)
MEMORY_HOGS = {
    "many small pieces in several processes": (
        "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        held = []\n        while True:\n"
        "            held.append(bytearray(os.urandom(1000) * 1000)); time.sleep(0.002)\ntime.sleep(60)"
    ),
    "files in shared memory": (
        "import os, time\nfor number in range(9):\n    if os.fork() == 0:\n"
        "        with open(f'/dev/shm/{number}', 'wb') as file: file.write(bytes(60_000_000))\n"
        "        time.sleep(60)\ntime.sleep(60)"
    ),
}


@dataclass(frozen=True)
class Over:
    """An exercise that goes over one limit, and what must come of it."""

    limit: str
    source: str
    verdict: Verdict
    message: str
    changed: Limits = SMALL


OVER = [
    Over("cell_seconds", "while True: pass", Verdict.TIMEOUT, "stopped after 1 s", replace(SMALL, cell_seconds=1)),
    Over("notebook_seconds", "import time; time.sleep(9)", Verdict.TIMEOUT, "stopped after", replace(SMALL, notebook_seconds=2)),
    Over(
        "interrupt_seconds",
        "import time\nwhile True:\n    try: time.sleep(9)\n    except KeyboardInterrupt: pass",
        Verdict.TIMEOUT,
        "stopped after 1 s",
        replace(SMALL, cell_seconds=1),
    ),
    Over("cpu_seconds", "while True: pass", Verdict.TIMEOUT, "used up its 2 CPU seconds", replace(SMALL, cpu_seconds=2)),
    Over(
        "cpu_seconds",
        "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        while True: pass\ntime.sleep(60)",
        Verdict.TIMEOUT,
        "used up its 2 CPU seconds",
        replace(SMALL, cpu_seconds=2),
    ),
    Over("memory_bytes", "x = bytearray(10**9)", Verdict.MEMORY, "ran out of memory"),
    *(
        Over("memory_bytes", source, Verdict.MEMORY, "used more than 0.4 GB of memory", replace(SMALL, disk_bytes=1_000_000_000))
        for source in MEMORY_HOGS.values()
    ),
    Over("memory_bytes", "import mmap; mmap.mmap(-1, 5_000_000)", Verdict.ERROR, "Operation not permitted"),
    Over("open_files", "import os\nheld = [os.open('/', os.O_RDONLY) for _ in range(300)]", Verdict.ERROR, "Too many open files"),
    Over(
        "memory_bytes",
        "import numpy as np; x = np.ones(10**9)",
        Verdict.MEMORY,
        "ran out of memory",
    ),
    Over(
        "processes",
        "import subprocess\nheld = [subprocess.Popen(['sleep', '99']) for _ in range(100)]",
        Verdict.ERROR,
        "BlockingIOError",
    ),
    Over(
        "processes",
        "import threading, time\nfor _ in range(100): threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
        Verdict.ERROR,
        "can't start new thread",
    ),
    Over(
        "disk_bytes",
        "for i in range(9):\n    with open(f'{i}', 'wb') as f: f.write(bytes(5_000_000))",
        Verdict.ERROR,
        "No space left",
    ),
    Over(
        "disk_bytes",
        "for i in range(9):\n    with open(f'/tmp/{i}', 'wb') as f: f.write(bytes(5_000_000))",
        Verdict.ERROR,
        "No space left",
    ),
    Over(
        "disk_bytes",
        "for i in range(9):\n    with open(f'/dev/shm/{i}', 'wb') as f: f.write(bytes(5_000_000))",
        Verdict.ERROR,
        "No space left",
    ),
    Over("disk_bytes", "f = open('x', 'wb'); f.truncate(10**9)", Verdict.ERROR, "File too large"),
    Over("disk_bytes", "for i in range(9_000): open(f'{i}', 'w').close()", Verdict.ERROR, "No space left"),
    Over("flood_bytes", "while True: print('x' * 1000)", Verdict.OUTPUT_LIMIT, "printed without end"),
]


def grade(kernels: WarmKernels, folder: Path, source: str, limits: Limits) -> Report:
    """The report on a test cell that runs `source`, with a cell before and one after it."""
    nb = make.notebook(
        make.code("before = 5"),
        make.exercise("f", f"def f():\n    exec({source!r}, {{}})"),
        make.graded("over", "f()"),
        make.graded("after", "assert before == 5"),
    )
    return grade_notebook(
        nb, kernels=kernels, examiner=CandidateExaminer(), launch=Launch(folder=folder, limits=limits, modules=("numpy",))
    )


def descendants(pid: int) -> set[int]:
    """Every process below `pid`, as the whole machine sees them."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(path.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


def below(kernels: WarmKernels) -> set[int]:
    """Every process below the zygotes."""
    return set().union(*(descendants(outermost(zygote).pid) for zygote in kernels._zygotes.values()))


@pytest.mark.parametrize("over", OVER, ids=lambda over: f"{over.limit}-{over.source[:30]!r}")
def test_over_a_limit(warm_kernels: WarmKernels, tmp_path: Path, over: Over) -> None:
    warm_kernels.start(Launch(folder=tmp_path, modules=("numpy",))).close()
    before = below(warm_kernels)
    report = grade(warm_kernels, tmp_path, over.source, over.changed)
    cells = {cell.grade_id: cell for cell in report.cells}
    assert cells["over"].verdict is over.verdict, cells["over"]
    assert over.message in cells["over"].message
    if over.limit == "cpu_seconds":
        assert cells["after"].verdict is Verdict.TIMEOUT
        assert "2 CPU seconds were used up at over" in cells["after"].message
    elif over.limit == "notebook_seconds":
        assert cells["after"].verdict is Verdict.TIMEOUT
    else:
        assert cells["after"].verdict is Verdict.PASSED
    deadline = time.monotonic() + 5  # a warden has said its last word a moment before it is gone
    while not below(warm_kernels) <= before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert below(warm_kernels) <= before
    # What a submission writes there has a number for a name; the semaphores beside it are those of other tests.
    assert [path for path in Path("/dev/shm").iterdir() if path.name.isdigit()] == []
    assert list(tmp_path.iterdir()) == []


def test_every_limit_that_a_submission_can_go_over_is_gone_over() -> None:
    not_limits_of_use = {"start_seconds", "output_bytes", "kept_bytes", "threads"}  # tested in test_grade and test_warm
    assert {over.limit for over in OVER} == {field.name for field in fields(Limits)} - not_limits_of_use


@pytest.mark.parametrize("source", MEMORY_HOGS.values(), ids=MEMORY_HOGS)
def test_memory_hog_does_not_disturb_its_neighbour(warm_kernels: WarmKernels, tmp_path: Path, source: str) -> None:
    launch = Launch(folder=tmp_path, limits=replace(SMALL, disk_bytes=1_000_000_000), modules=("numpy",))
    neighbour = warm_kernels.start(launch)
    hog = warm_kernels.start(launch)
    try:
        assert neighbour.execute("x = bytearray(100_000_000)", Outputs(1000, 1000), seconds=20).ending is Ending.OK
        assert hog.execute(source, Outputs(1000, 100_000), seconds=20).ending is Ending.MEMORY
        assert "used more than 0.4 GB" in hog.end
        began = time.monotonic()
        assert neighbour.execute("assert len(x) == 100_000_000", Outputs(1000, 1000), seconds=20).ending is Ending.OK
        assert time.monotonic() - began < 10
    finally:
        hog.close()
        neighbour.close()
    assert hog.usage.peak_bytes < 2 * SMALL.memory_bytes
