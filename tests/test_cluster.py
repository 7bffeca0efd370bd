"""A class graded on a Dask cluster whose workers see neither the course's folder nor its gradebook; and what of it may vanish."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import make
from tests.processes import below
from tests.test_course import GOOD, SOURCE, TRIPLE
from tests.traces import rows, tree

pytest.importorskip("distributed")
STUDENTS = 8


class Cluster:
    """A scheduler with two workers, each with a folder of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        told = folder / "scheduler.json"
        self.scheduler = self._started(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)
        )
        self._keeper = self._started(
            "worker", "--scheduler-file", str(told), "--nworkers", "2", "--nthreads", "1", "--no-dashboard"
        )
        until = time.monotonic() + 120
        while time.monotonic() < until and (folder / "worker.log").read_text().count("Registered to") < 2:
            time.sleep(0.2)
        self.address: str = json.loads(told.read_text())["address"]

    def _started(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context((self._folder / f"{name}.log").open("w"))
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *options]
        process = self._stack.enter_context(subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log))
        self._stack.callback(process.terminate)
        return process

    def workers(self) -> list[int]:
        """The process ids of those that grade now."""
        return [process.parent for process in below(self._keeper.pid) if "bwrap" in process.command and process.namespaces == 1]


@contextmanager
def cluster_in(folder: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(folder, stack)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_in(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def test_cluster_gives_what_this_machine_gives(cluster: Cluster, tmp_path: Path) -> None:
    here = make.Course(tmp_path / "here")
    (here.root / "source" / "ps1").mkdir(parents=True)
    (here.root / "source" / "ps1" / "helper.py").write_text("FACTOR = 2\n")
    released = here.release("ps1", SOURCE)
    for student, double in (("right", GOOD), ("wrong", "def double(x):\n    return x"), ("uses", f"import helper\n{GOOD}")):
        here.submit(student, "ps1", make.replaced(released, {"double": double, "triple": TRIPLE}))
    here.submit("broken", "ps1", b"{")
    shutil.copytree(here.root, tmp_path / "there")
    there = make.Course(tmp_path / "there")
    done = [
        here.autograder("grade", "ps1", "--workers", "1"),
        there.autograder("grade", "ps1", "--scheduler", cluster.address),
    ]
    assert [one.returncode for one in done] == [1, 1], done[1].stderr
    assert rows(there) == rows(here)
    assert tree(there) == tree(here)


def test_scheduler_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    course = make.Course(tmp_path)
    done = course.autograder("grade", "ps1", "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 3
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def slow_class(tmp_path_factory: pytest.TempPathFactory) -> tuple[make.Course, make.Course]:
    """A class that takes some seconds; as handed in, and graded here."""
    folder = tmp_path_factory.mktemp("slow")
    before = make.Course(folder / "before")
    released = before.release("ps1", SOURCE)
    for number in range(STUDENTS):
        double = GOOD if number % 3 else "def double(x):\n    return x"
        cells = {"double": f"import time\ntime.sleep(0.3)\n{double}", "triple": TRIPLE}
        before.submit(f"s{number}", "ps1", make.replaced(released, cells))
    shutil.copytree(before.root, folder / "after")
    after = make.Course(folder / "after")
    assert after.autograder("grade", "ps1").returncode == 0
    return before, after


def disturbed(course: make.Course, cluster: Cluster, disturb: Callable[[], None]) -> tuple[int, dict[str, Any], bytes, float]:
    """Status, result, log, and seconds since `disturb` was called, after two had been graded."""
    command = [sys.executable, "-m", "autograder", "grade", "ps1", "--scheduler", cluster.address, "--json"]
    with subprocess.Popen(command, cwd=course.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and len(list(course.root.glob("autograded/*/ps1"))) < 2:
            time.sleep(0.02)
        disturb()
        began = time.monotonic()
        said, log = process.communicate(timeout=100)
        return process.returncode, json.loads(said), log, time.monotonic() - began


@pytest.mark.slow
def test_scheduler_that_vanishes_is_told_and_another_goes_on(slow_class: tuple[make.Course, make.Course], tmp_path: Path) -> None:
    before, after = slow_class
    shutil.copytree(before.root, tmp_path / "course")
    course = make.Course(tmp_path / "course")
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    with cluster_in(tmp_path / "first") as cluster:
        status, said, log, seconds = disturbed(course, cluster, cluster.scheduler.kill)
    assert status == 3
    assert seconds < 30
    assert "the workers are gone, or whoever hands out their work" in said["error"]
    assert b"Traceback" not in log, log.decode()
    assert list(course.root.glob("autograded/*/.*")) == []
    with cluster_in(tmp_path / "second") as cluster:
        done = course.autograder("grade", "ps1", "--scheduler", cluster.address, "--json")
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["unchanged"] >= 2
    assert again["unchanged"] + len(again["graded"]) == STUDENTS
    assert rows(course) == rows(after)
    assert tree(course) == tree(after)


@pytest.mark.slow
def test_worker_that_is_killed_costs_nobody_anything(
    cluster: Cluster, slow_class: tuple[make.Course, make.Course], tmp_path: Path
) -> None:
    before, after = slow_class
    shutil.copytree(before.root, tmp_path / "course")
    course = make.Course(tmp_path / "course")
    killed: list[int] = []

    def kill() -> None:
        killed.append(cluster.workers()[0])
        os.kill(killed[0], signal.SIGKILL)

    status, said, log, _ = disturbed(course, cluster, kill)
    assert (status, len(said["graded"])) == (0, STUDENTS), log.decode()
    assert killed
    assert rows(course) == rows(after)
    assert tree(course) == tree(after)
