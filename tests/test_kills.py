"""Whatever is killed whenever, running again gives the gradebook and the folders of an undisturbed run.

Who is killed when follows from a round's number. A moment is told by what has been graded and who lives, never by a clock
alone: on a fast machine and on a slow one it finds somebody.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.views import ATTENTION, FAILED, OK
from tests import make
from tests.processes import Process, below, end, has_pipe, survivors
from tests.test_course import SOURCE, TRIPLE
from tests.traces import marks, tables, tree

pytestmark = pytest.mark.kills
STUDENTS = 10
WORKERS = 2
LONG = range(STUDENTS - WORKERS, STUDENTS)
"""The last, one for each worker, take their time: whoever is to be killed near the end is still there."""
KINDS = ("driver", "worker", "kernel", "zygote", "warden", "examiner")
"""In this order a kernel never follows but a driver or a worker (`plan`)."""
ROUNDS = range(2 * len(KINDS))
LATEST_DELAY = 0.3
APART = 6
"""When so many were written down between two kills, what the first disturbed has been graded again since."""
COMMAND = [sys.executable, "-m", "autograder", "grade", "ps1", "--workers", str(WORKERS), "--json"]
FEEDBACK = [
    sys.executable,
    "-c",
    "from autograder import cli, handback; handback._PAGES_WORTH_A_WORKER = 1; cli.main(['feedback', 'ps1', '--workers', '2'])",
]
COUNTS = """
from pathlib import Path

def count(**_):
    with Path("recorded").open("a") as file:
        file.write("one\\n")

c.Autograde.post_convert_hook = count
"""
"""nbgrader's own way of being told that a submission was written down."""
TRACES = ("incidents", "starts")
"""What a report rightly says of a kill."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """Of one process."""

    kind: str
    written: int
    """How many must have been written down."""
    beside: str
    """Of which kind a process must live then."""
    delay: float
    """Seconds from then on."""


def plan(number: int) -> tuple[Kill, Kill]:
    """The two kills of a round. Over all rounds each kind is killed four times: before the first submission is written down,
    when only the last are left, and twice between.

    A submission whose kernel is killed when it is graded for the second time has crashed, and is not tried again: what is killed
    before a kernel in the same run must be what gives nobody a second time.
    """
    chance = random.Random(number)
    again, first = divmod(number, len(KINDS))
    second = (first + 1 + again) % len(KINDS)
    latest = LONG[0]
    moments = (chance.randint(0, latest - APART), latest) if again else (0, chance.randint(1, latest - 1))

    def kill(kind: str, written: int) -> Kill:
        beside = chance.choice(KINDS) if kind == "driver" else kind
        return Kill(kind=kind, written=written, beside=beside, delay=chance.uniform(0, LATEST_DELAY))

    return kill(KINDS[first], moments[0]), kill(KINDS[second], moments[1])


@dataclass
class Undisturbed:
    """The class before and after runs that nobody disturbs."""

    before: Path
    after: make.Course
    tables: dict[str, list[str]]
    tree: dict[str, Any]
    marks: dict[str, str]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("kills")
    course = make.Course(folder / "before", make.TWO_LINES + COUNTS)
    released = course.release("ps1", SOURCE)
    for number in range(STUDENTS):
        answer = "x" if number % 3 == 0 else "2 * x"
        wait = f"time.sleep({0.5 if number in LONG else 0.05})"
        double = f"import time\n{wait}\ndef double(x):\n    {wait}\n    return {answer}"  # in a cell, and while it is examined
        course.submit(f"s{number}", "ps1", make.replaced(released, {"double": double, "triple": TRIPLE}))
    after = the_same(course.root, folder / "after")
    done = make.run(COMMAND, after.root)
    assert done.returncode == 0, done.stderr
    assert recorded(after) == STUDENTS
    return Undisturbed(course.root, after, tables(gradebook(after)), tree(after, without=TRACES), marks(after))


@pytest.fixture(scope="module")
def hits() -> dict[str, list[int]]:
    """Kind -> how many submissions were written down whenever one was killed."""
    return {kind: [] for kind in KINDS}


@pytest.fixture
def place() -> Iterator[Path]:
    """Where temporary files lie: a unix socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        yield Path(name)


def the_same(root: Path, folder: Path) -> make.Course:
    shutil.copytree(root, folder)
    return make.Course(folder, make.TWO_LINES + COUNTS)


def gradebook(course: make.Course) -> str:
    return f"sqlite:///{course.root / 'gradebook.db'}"


def recorded(course: make.Course) -> int:
    path = course.root / "recorded"
    return len(path.read_text().splitlines()) if path.exists() else 0


def undecided(course: make.Course, *, finished: bool) -> set[str]:
    """Whose submissions the grader failed at. After a run that finished there may also be nothing at all."""
    reports = {path.parts[-3]: json.loads(path.read_text()) for path in course.root.glob("autograded/*/*/*.report.json")}
    failed = {student for student, report in reports.items() if any(cell["verdict"] == "internal" for cell in report["cells"])}
    return failed | ({f"s{number}" for number in range(STUDENTS)} - set(reports) if finished else set())


def of_kind(kind: str, driver: int, lived: list[Process]) -> list[int]:
    """Who of them is of that kind. Zygotes, wardens and what these fork have one command line.

        bubblewrap (any number) -- zygote -- wardens -- each a kernel, or an examiner

    A kernel has several threads, an examiner one, and so has whatever is only starting; but that holds a pipe to its warden.
    A worker has a thread that waits for the driver's end; the forkserver's other children have not.
    """
    if kind == "driver":
        return [driver]
    servers = [process.pid for process in lived if "multiprocessing.forkserver" in process.command]
    if kind == "worker":
        return [process.pid for process in lived if process.pid in servers and process.parent in servers and process.threads > 1]
    planted = [process for process in lived if "autograder.zygote" in process.command]
    walls = [process for process in planted if Path(process.command.split()[0]).name == "bwrap"]
    zygotes = _children(planted, walls, but=walls)
    if kind == "zygote":
        return [process.pid for process in (*walls, *zygotes)]
    wardens = [warden for warden in _children(planted, zygotes) if warden.namespaces == 3]
    if kind == "warden":
        return [process.pid for process in wardens]
    inmates = _children(planted, wardens)
    if kind == "kernel":
        return [process.pid for process in inmates if process.threads > 1]
    return [process.pid for process in inmates if process.threads == 1 and not has_pipe(process.pid)]


def _children(lived: list[Process], of: list[Process], but: Sequence[Process] = ()) -> list[Process]:
    parents = {process.pid for process in of}
    return [process for process in lived if process.parent in parents and process not in but]


def run_and_kill(
    command: list[str],
    root: Path,
    environment: dict[str, str],
    kills: Sequence[Kill],
    written: Callable[[], int],
    chance: random.Random,
    *,
    status: Collection[int],
) -> list[int]:
    """Run the command and kill these, one after the other; how many had been `written` at each.

    Only a driver's death ends the run, and the next kill needs another; any other run ends with one of these `status`.
    """
    moments: list[int] = []
    while len(moments) < len(kills):
        with subprocess.Popen(
            command, cwd=root, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            lived: list[Process] = []
            for kill in kills[len(moments) :]:
                lived += _strike(kill, process, written, chance)
                moments.append(written())
                if kill.kind == "driver":
                    break
            _, said = process.communicate(timeout=120)
        assert b"Traceback" not in said, (kill, said.decode())
        expected = (-signal.SIGKILL,) if kill.kind == "driver" else status
        assert process.returncode in expected, (kill, said.decode())
        left = survivors([one.pid for one in lived])
        assert left == [], f"after {kills} these live on: {[one for one in lived if one.pid in left]}"
    return moments


def _strike(kill: Kill, run: subprocess.Popen[bytes], written: Callable[[], int], chance: random.Random) -> list[Process]:
    """Kill one of that kind as soon as it is the moment and there is one; who lived then."""
    due: float | None = None
    while run.poll() is None:
        time.sleep(0.01)
        if written() < kill.written:
            continue
        lived = below(run.pid)
        if due is None and of_kind(kill.beside, run.pid, lived):
            due = time.monotonic() + kill.delay
        found = of_kind(kill.kind, run.pid, lived) if due is not None and time.monotonic() >= due else []
        if found and end(chance.choice(found)):
            return lived
    _, said = run.communicate()
    pytest.fail(f"{kill}: there was none until the run ended, with {written()} written: {said.decode() or 'it said nothing'}")


def test_second_run_in_the_same_course_is_refused(undisturbed: Undisturbed) -> None:
    held = os.open(undisturbed.after.root / "autograded", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    done = undisturbed.after.autograder("grade", "ps1", "--json")
    os.close(held)
    assert done.returncode == 3
    assert "another `autograder grade` is at work" in json.loads(done.stdout)["error"]


def _hears_interrupts() -> None:
    """A shell that starts something in the background has it ignore Ctrl-C, and everything that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted_run_ends_at_once_and_goes_on_from_there(undisturbed: Undisturbed, tmp_path: Path) -> None:
    course = the_same(undisturbed.before, tmp_path / "course")
    with subprocess.Popen(
        COMMAND,
        cwd=course.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_hears_interrupts,
    ) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and len(list(course.root.glob("autograded/*/ps1"))) < 2:
            time.sleep(0.05)
        lived = [one.pid for one in below(process.pid)]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, said = process.communicate(timeout=30)
    assert process.returncode == 3
    assert b"Traceback" not in said, said
    assert survivors(lived) == []
    done = json.loads(make.run(COMMAND, course.root).stdout)
    assert done["unchanged"] >= 2
    assert tables(gradebook(course)) == undisturbed.tables
    assert tree(course, without=TRACES) == undisturbed.tree


@pytest.mark.parametrize("number", ROUNDS)
def test_killed_runs_end_like_an_undisturbed_one(
    undisturbed: Undisturbed, tmp_path: Path, place: Path, hits: dict[str, list[int]], number: int
) -> None:
    course = the_same(undisturbed.before, tmp_path / "course")
    kills = plan(number)
    # Nothing is known of the reference yet: it is run too, and may be killed.
    environment = {"PYTHONHASHSEED": "0", "TMPDIR": str(place), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def written() -> int:
        return len(list(course.root.glob("autograded/*/ps1")))

    moments = run_and_kill(COMMAND, course.root, environment, kills, written, random.Random(number), status=(OK, ATTENTION))
    for kill, moment in zip(kills, moments, strict=True):
        hits[kill.kind].append(moment)
    killed = [kill.kind for kill in kills]
    # What is disturbed twice in one run is left to the next; what is disturbed once is not.
    left = undecided(course, finished=killed[-1] != "driver")
    once = "driver" in killed or moments[1] - moments[0] >= APART
    assert len(left) <= (0 if once else WORKERS), (kills, moments, left)
    done = make.run(COMMAND, course.root, environment=environment)
    assert done.returncode == OK, (kills, done.stderr)
    result = json.loads(done.stdout)
    assert result["unchanged"] + len(result["graded"]) == STUDENTS, kills
    assert left <= {one["student"] for one in result["graded"]}, kills
    assert tables(gradebook(course)) == undisturbed.tables, kills
    assert tree(course, without=TRACES) == undisturbed.tree, kills
    assert marks(course) == undisturbed.marks, kills
    # Written down once each; the driver may have died after putting one in place, before it could count it.
    assert STUDENTS - killed.count("driver") <= recorded(course) - len(left) <= STUDENTS, kills
    assert [path.name for path in course.root.glob("autograded/*/.*")] == [], kills
    # Of a killed driver stays what multiprocessing made to talk to its server: an empty folder.
    assert [path.name for path in place.iterdir() if "driver" not in killed or not path.name.startswith("pymp-")] == [], kills


def test_every_kind_of_process_was_hit(hits: dict[str, list[int]], capsys: pytest.CaptureFixture[str]) -> None:
    """Only after all rounds, in one process."""
    if sum(map(len, hits.values())) < 2 * len(ROUNDS):
        pytest.skip("not all rounds were run")
    with capsys.disabled():
        sys.stdout.write(f"\nkilled in {len(ROUNDS)} rounds, when so many of {STUDENTS} submissions were written down:\n")
        sys.stdout.writelines(f"  {len(found)} {kind}: {', '.join(map(str, sorted(found)))}\n" for kind, found in hits.items())
    assert {len(found) for found in hits.values()} == {4}, hits


@pytest.mark.parametrize(("seed", "kind"), [(0, "driver"), (1, "worker"), (2, "driver")])
def test_feedback_that_is_killed_half_way_goes_on(
    undisturbed: Undisturbed, tmp_path: Path, place: Path, seed: int, kind: str
) -> None:
    whole = the_same(undisturbed.after.root, tmp_path / "whole")
    course = the_same(undisturbed.after.root, tmp_path / "course")
    assert make.run(FEEDBACK, whole.root).returncode == 0
    chance = random.Random(seed)
    enough = chance.randint(1, STUDENTS // 3)  # the rest must not be done while the processes are looked up

    def written() -> int:
        return len(list(course.root.glob("feedback/*/ps1/*.html")))

    kill = Kill(kind=kind, written=enough, beside=kind, delay=0)
    run_and_kill(FEEDBACK, course.root, {"TMPDIR": str(place)}, [kill], written, chance, status=[FAILED])
    assert enough <= written() < STUDENTS
    done = json.loads(course.autograder("feedback", "ps1", "--json").stdout)
    assert len(done) <= STUDENTS - enough
    assert pages(course) == pages(whole)
    assert [path.name for path in course.root.iterdir() if "under-way" in path.name] == []


def pages(course: make.Course) -> dict[str, bytes]:
    top = course.root / "feedback"
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}
