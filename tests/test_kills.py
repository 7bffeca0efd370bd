"""Whatever is killed whenever, running again gives the gradebook and the folders of an undisturbed run.

Each round has its own seed, which says which process, when, and how often; they run with `make kills`.
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
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import make
from tests.test_course import GOOD, SOURCE, TRIPLE
from tests.traces import rows, tree

pytestmark = pytest.mark.kills
STUDENTS = 10
ROUNDS = 10
VICTIMS = ("driver", "worker", "zygote")
COMMAND = [sys.executable, "-m", "autograder", "grade", "ps1", "--workers", "2", "--json"]


@dataclass
class Undisturbed:
    """The class before and after a run that nobody disturbs."""

    before: Path
    rows: dict[str, Any]
    tree: dict[str, Any]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("kills")
    course = make.Course(folder / "before")
    released = course.release("ps1", SOURCE)
    for number in range(STUDENTS):
        wrong = {"double": "def double(x):\n    return x"} if number % 3 == 0 else {}
        slow = "import time\ntime.sleep(0.1)\n"
        course.submit(f"s{number}", "ps1", make.replaced(released, {"double": slow + GOOD, "triple": TRIPLE, **wrong}))
    shutil.copytree(course.root, folder / "after")
    after = make.Course(folder / "after")
    began = time.monotonic()
    done = after.autograder("grade", "ps1", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    return Undisturbed(course.root, rows(after), tree(after), time.monotonic() - began)


def below(pid: int) -> list[tuple[int, str]]:
    """Process id and command line of every process below `pid`."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    found, newest = [], {pid}
    while newest:
        newest = {child for child, parent in parents.items() if parent in newest}
        found += sorted(newest)
    commands = []
    for child in found:
        with suppress(OSError):
            commands.append((child, Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()))
    return commands


def victims(driver: int, kind: str) -> list[int]:
    """The processes of that kind that live now."""
    if kind == "driver":
        return [driver]
    lived = below(driver)
    if kind == "zygote":
        return [pid for pid, command in lived if command.startswith(("bwrap", "/usr/bin/bwrap"))][:2]
    servers = [pid for pid, command in lived if "forkserver" in command]
    return [pid for server in servers[:1] for pid, _ in below(server) if f"\nPPid:\t{server}\n" in _status(pid)]


def _status(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/status").read_text()
    return ""


def survivors(pids: list[int]) -> list[int]:
    """Those of `pids` that have not ended after some seconds."""
    until = time.monotonic() + 15
    left = pids
    while left and time.monotonic() < until:
        time.sleep(0.1)
        left = [pid for pid in left if _status(pid) and "State:\tZ" not in _status(pid)]
    return left


def run_and_kill(root: Path, chance: random.Random, seconds: float) -> str:
    """Run the command and kill something at a moment drawn from `chance`; what was killed, if it lived then."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with subprocess.Popen(COMMAND, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        kind = chance.choice(VICTIMS)
        time.sleep(chance.uniform(0.2, 1.0) * seconds)
        found = victims(process.pid, kind) if process.poll() is None else []
        lived = below(process.pid)
        orphans = [pid for pid, _ in lived]
        if found:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(found), signal.SIGKILL)
        process.communicate(timeout=120)
    left = survivors(orphans)
    assert left == [], f"{kind} was killed, and these live on: {[(pid, command) for pid, command in lived if pid in left]}"
    return kind if found else ""


def test_second_run_in_the_same_course_is_refused(undisturbed: Undisturbed) -> None:
    folder = undisturbed.before.parent / "after" / "autograded"
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    done = make.Course(folder.parent).autograder("grade", "ps1", "--json")
    os.close(held)
    assert done.returncode == 3
    assert "another `autograder grade` is at work" in json.loads(done.stdout)["error"]


def _hears_interrupts() -> None:
    """A shell that starts something in the background has it ignore Ctrl-C, and everything that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted_run_ends_at_once_and_goes_on_from_there(undisturbed: Undisturbed, tmp_path: Path) -> None:
    shutil.copytree(undisturbed.before, tmp_path / "course")
    course = make.Course(tmp_path / "course")
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
        lived = [pid for pid, _ in below(process.pid)]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, said = process.communicate(timeout=30)
    assert process.returncode == 3
    assert b"Traceback" not in said, said
    assert survivors(lived) == []
    done = json.loads(course.autograder("grade", "ps1", "--workers", "2", "--json").stdout)
    assert done["unchanged"] >= 2
    assert rows(course) == undisturbed.rows
    assert tree(course) == undisturbed.tree


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_runs_end_like_an_undisturbed_one(undisturbed: Undisturbed, tmp_path: Path, seed: int) -> None:
    course_folder = tmp_path / "course"
    shutil.copytree(undisturbed.before, course_folder)
    chance = random.Random(seed)
    killed = [run_and_kill(course_folder, chance, undisturbed.seconds) for _ in range(2)]
    course = make.Course(course_folder)
    done = course.autograder("grade", "ps1", "--workers", "2", "--json")
    assert done.returncode == 0, (killed, done.stderr)
    last = json.loads(course.autograder("grade", "ps1", "--workers", "1", "--json").stdout)
    assert (last["unchanged"], last["graded"]) == (STUDENTS, []), killed
    assert rows(course) == undisturbed.rows, killed
    assert tree(course) == undisturbed.tree, killed
    assert [path.name for path in course_folder.glob("autograded/*/.*")] == [], killed
