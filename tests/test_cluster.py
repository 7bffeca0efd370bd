"""A class graded on a Dask cluster whose workers see neither the course's folder nor its gradebook."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import make
from tests.test_course import GOOD, SOURCE, TRIPLE
from tests.traces import rows, tree

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with two workers, each with a folder of its own."""
    folder = tmp_path_factory.mktemp("cluster")
    told = folder / "scheduler.json"
    commands = [
        ["dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)],
        ["dask_worker", "--scheduler-file", str(told), "--nworkers", "2", "--nthreads", "1", "--no-dashboard"],
    ]
    with ExitStack() as stack:
        for name, *options in commands:
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            command = [sys.executable, "-m", f"distributed.cli.{name}", *options]
            process = stack.enter_context(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))
            stack.callback(process.terminate)
        until = time.monotonic() + 120
        while time.monotonic() < until and (folder / "dask_worker.log").read_text().count("Registered to") < 2:
            time.sleep(0.2)
        yield json.loads(told.read_text())["address"]


def test_cluster_gives_what_this_machine_gives(scheduler: str, tmp_path: Path) -> None:
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
        there.autograder("grade", "ps1", "--scheduler", scheduler),
    ]
    assert [one.returncode for one in done] == [1, 1], done[1].stderr
    assert rows(there) == rows(here)
    assert tree(there) == tree(here)


def test_vanished_scheduler_is_told_in_words(tmp_path: Path) -> None:
    course = make.Course(tmp_path)
    done = course.autograder("grade", "ps1", "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 3
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in " ".join(done.stdout.split())
