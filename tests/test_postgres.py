"""A class whose gradebook is in a PostgreSQL server: the same rows as SQLite's, also when the server is cut off half-way."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import make
from tests.test_course import GOOD, SOURCE, TRIPLE
from tests.traces import rows, tables, tree

pytest.importorskip("psycopg", reason="psycopg is not installed: `pip install autograder[postgres]`")
pytestmark = pytest.mark.slow
STUDENTS = 8
USER = 65534 if os.getuid() == 0 else os.getuid()
"""PostgreSQL refuses to run as root."""


def _program(name: str) -> str:
    """Debian keeps them out of the way, a folder for each version."""
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True), *filter(None, [shutil.which(name)])]
    if not found:
        pytest.skip(f"PostgreSQL is not installed ({name}): `make postgres` installs it on Debian")
    return str(found[0])


class Server:
    """A PostgreSQL server of this test's own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        os.chown(folder, USER, -1)
        for parent in folder.parents:  # pytest's folders are for their owner alone
            if parent.stat().st_mode & 0o001 == 0:
                parent.chmod(parent.stat().st_mode | 0o011)
        self._data = folder / "data"
        self._run("initdb", "-D", str(self._data), "-U", "grader", "-A", "trust", "--no-sync")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [_program(program), *arguments],
            user=USER if os.getuid() == 0 else None,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = str(self._data / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-o", self._options, "-w", "start")

    def cut(self) -> None:
        """End it at once, as a crash does."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")

    def create(self, database: str) -> str:
        """A new, empty database; its address."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "grader", database)
        return f"postgresql://grader@127.0.0.1:{self._port}/{database}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("postgres") / "server")
    server.start()
    yield server
    server.cut()


def a_class(root: Path, config: str = "") -> make.Course:
    course = make.Course(root, f"{make.TWO_LINES}c.CourseDirectory.course_id = 'ml'\n{config}")
    released = course.release("ps1", SOURCE)
    for number in range(STUDENTS):
        wrong = {"double": "def double(x):\n    return x"} if number % 3 == 0 else {}
        course.submit(f"s{number}", "ps1", make.replaced(released, {"double": GOOD, "triple": TRIPLE, **wrong}))
    return course


def test_gradebook_in_postgres_is_that_of_sqlite_also_when_the_server_was_cut_off(server: Server, tmp_path: Path) -> None:
    here = a_class(tmp_path / "here")
    done = here.autograder("grade", "ps1", "--workers", "2")
    assert done.returncode == 0, done.stderr
    expected = f"sqlite:///{here.root / 'gradebook.db'}"

    url = server.create("whole")
    there = a_class(tmp_path / "there", f"c.CourseDirectory.db_url = {url!r}\n")
    shutil.copytree(there.root / "submitted", tmp_path / "submitted")
    done = there.autograder("grade", "ps1", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert tables(url) == tables(expected)
    assert rows(there, url) == rows(here)
    assert tree(there) == tree(here)
    assert not (there.root / "gradebook.db").exists()
    pages = there.autograder("feedback", "ps1", "--json")
    assert (pages.returncode, len(json.loads(pages.stdout))) == (0, STUDENTS), pages.stderr

    assert there.nbgrader("db", "upgrade").returncode == 0

    url = server.create("cut")
    cut = a_class(tmp_path / "cut", f"c.CourseDirectory.db_url = {url!r}\n")
    command = [sys.executable, "-m", "autograder", "grade", "ps1", "--workers", "1", "--json"]
    with subprocess.Popen(command, cwd=cut.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and len(list(cut.root.glob("autograded/*/ps1"))) < 2:
            time.sleep(0.02)
        server.cut()
        said, log = process.communicate(timeout=60)
    assert process.returncode == 3, log.decode()
    error = json.loads(said)["error"]
    assert "cannot be used" in error
    assert "run the same command again" in error
    assert b"Traceback" not in log, log.decode()
    away = [cut.autograder(command, "ps1", "--json") for command in ("grade", "feedback")]
    assert [one.returncode for one in away] == [3, 3], away
    assert all("cannot be used" in json.loads(one.stdout)["error"] for one in away)
    assert list(cut.root.glob("autograded/*/.*")) == []
    server.start()
    done = cut.autograder("grade", "ps1", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unchanged"] >= 2
    assert tables(url) == tables(expected)
    assert tree(cut) == tree(here)
