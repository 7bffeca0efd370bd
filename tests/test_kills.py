"""Whatever is killed whenever, running again gives the gradebook and the folders of an undisturbed run.

Each round has its own seed, which says when, and which of several; the kinds take turns, so that each is hit.
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
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import make
from tests.processes import Process, below, survivors
from tests.test_course import GOOD, SOURCE, TRIPLE
from tests.traces import marks, tables, tree

pytestmark = pytest.mark.kills
STUDENTS = 10
KINDS = ("driver", "worker", "zygote", "warden", "kernel", "examiner")
SEEDS = range(12)
KILLS = 2
"""In a row, in each round: each kind has its turn at four of them."""
COMMAND = [sys.executable, "-m", "autograder", "grade", "ps1", "--workers", "2", "--json"]
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


@dataclass
class Undisturbed:
    """The class before and after runs that nobody disturbs."""

    before: Path
    after: make.Course
    tables: dict[str, list[str]]
    tree: dict[str, Any]
    marks: dict[str, str]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("kills")
    course = make.Course(folder / "before", make.TWO_LINES + COUNTS)
    released = course.release("ps1", SOURCE)
    for number in range(STUDENTS):
        wrong = {"double": "def double(x):\n    return x"} if number % 3 == 0 else {}
        slow = "import time\ntime.sleep(0.1)\n"
        course.submit(f"s{number}", "ps1", make.replaced(released, {"double": slow + GOOD, "triple": TRIPLE, **wrong}))
    after = the_same(course.root, folder / "after")
    began = time.monotonic()
    done = make.run(COMMAND, after.root)
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert recorded(after) == STUDENTS
    return Undisturbed(course.root, after, tables(gradebook(after)), tree(after, without=TRACES), marks(after), seconds)


@pytest.fixture(scope="module")
def hits() -> Counter[str]:
    """How often a process of each kind was killed."""
    return Counter()


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


def of_kind(kind: str, driver: int) -> list[int]:
    """The processes of that kind that live now.

    bubblewrap forks once, and its child becomes the zygote's parent; a zygote's children are wardens, the candidate's first.
    """
    if kind == "driver":
        return [driver]
    lived = below(driver)
    if kind == "worker":
        servers = [process.pid for process in lived if "forkserver" in process.command and process.parent == driver]
        return [process.pid for process in lived if process.parent in servers]
    outer = [process.pid for process in lived if "bwrap" in process.command and process.namespaces == 1]
    if kind == "zygote":
        return outer
    inner = [process.pid for process in lived if process.parent in outer]
    zygotes = [process.pid for process in lived if process.parent in inner]
    found = []
    for zygote in zygotes:
        wardens = [process.pid for process in lived if process.parent == zygote]
        if kind == "warden":
            found += wardens
        else:
            chosen = wardens[:1] if kind == "kernel" else wardens[1:]
            found += [process.pid for process in lived if process.parent in chosen]
    return found


def after(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have passed since this was called."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def run_and_kill(
    command: list[str], root: Path, place: Path, kind: str, moment: Callable[[], bool], chance: random.Random
) -> bool:
    """Run the command and kill a process of that kind as soon as it is `moment`, and there is one; whether there was."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "TMPDIR": str(place)}
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        lived: list[Process] = []
        hit = False
        while process.poll() is None and not hit:
            time.sleep(0.01)
            found = of_kind(kind, process.pid) if moment() else []
            if found:
                lived = below(process.pid)
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(found), signal.SIGKILL)
                    hit = True
        _, said = process.communicate(timeout=120)
    assert b"Traceback" not in said, (kind, said.decode())
    left = survivors([one.pid for one in lived])
    assert left == [], f"{kind} was killed, and these live on: {[one for one in lived if one.pid in left]}"
    return hit


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


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_runs_end_like_an_undisturbed_one(
    undisturbed: Undisturbed, tmp_path: Path, place: Path, hits: Counter[str], seed: int
) -> None:
    course = the_same(undisturbed.before, tmp_path / "course")
    chance = random.Random(seed)
    killed = []
    for number in range(KILLS):
        kind = KINDS[(seed * KILLS + number + seed // len(KINDS)) % len(KINDS)]
        moment = after(chance.uniform(0.1, 0.9) * undisturbed.seconds)
        if run_and_kill(COMMAND, course.root, place, kind, moment, chance):
            killed.append(kind)
    hits.update(killed)
    done = make.run(COMMAND, course.root, environment={"TMPDIR": str(place)})
    assert done.returncode == 0, (killed, done.stderr)
    result = json.loads(done.stdout)
    assert result["unchanged"] + len(result["graded"]) == STUDENTS, killed
    assert tables(gradebook(course)) == undisturbed.tables, killed
    assert tree(course, without=TRACES) == undisturbed.tree, killed
    assert marks(course) == undisturbed.marks, killed
    # Written down once each; the driver may have died after putting one in place, before it could count it.
    assert STUDENTS - killed.count("driver") <= recorded(course) <= STUDENTS, killed
    assert [path.name for path in course.root.glob("autograded/*/.*")] == [], killed
    # Of a killed driver stays what multiprocessing made to talk to its server: an empty folder.
    assert [path.name for path in place.iterdir() if "driver" not in killed or not path.name.startswith("pymp-")] == [], killed


def test_every_kind_of_process_was_hit(hits: Counter[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Only after all rounds, in one process."""
    if sum(hits.values()) < len(SEEDS):
        pytest.skip("not all rounds were run")
    with capsys.disabled():
        sys.stdout.write(f"\nkilled in {len(SEEDS)} rounds: {', '.join(f'{hits[kind]} {kind}' for kind in KINDS)}\n")
    assert all(hits[kind] >= 2 for kind in KINDS), hits


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

    assert run_and_kill(FEEDBACK, course.root, place, kind, lambda: written() >= enough, chance)
    assert enough <= written() < STUDENTS
    done = json.loads(course.autograder("feedback", "ps1", "--json").stdout)
    assert len(done) <= STUDENTS - enough
    assert pages(course) == pages(whole)
    assert [path.name for path in course.root.iterdir() if "under-way" in path.name] == []


def pages(course: make.Course) -> dict[str, bytes]:
    top = course.root / "feedback"
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}
