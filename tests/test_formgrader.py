"""Formgrader's autograde button: a real Jupyter server on loopback, the request that the button sends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.report import read_report
from tests import make
from tests.test_foreign_course import SOURCE

TOKEN = "for-this-test-only"


@pytest.fixture
def course(tmp_path: Path) -> make.Course:
    course = make.Course(tmp_path / "course")
    released = course.release("ps1", SOURCE)
    course.submit("good", "ps1", make.replaced(released, {"f": "f = 1"}))
    course.submit("wrong", "ps1", make.replaced(released, {"f": "f = 2"}))
    return course


@pytest.fixture
def server(course: make.Course, tmp_path: Path) -> Iterator[str]:
    """The address of a Jupyter server with nbgrader's extensions, started in the course's folder."""
    log = tmp_path / "server.log"
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
    command += [f"--IdentityProvider.token={TOKEN}", "--ServerApp.disable_check_xsrf=True"]
    command += ["--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}"]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=course.root, stdout=file, stderr=file)
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        match = re.search(r"http://127\.0\.0\.1:(\d+)/", log.read_text())
        if match is not None:
            return match[0]
        time.sleep(0.1)
    raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")


def _request(address: str, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(f"{address}{path}", method=method, headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.loads(response.read())


def test_autograde_button_grades_with_us(course: make.Course, server: str) -> None:
    for student in ("good", "wrong"):
        answer = _request(server, f"formgrader/api/submission/ps1/{student}/autograde", method="POST")
        assert answer["success"], answer
    scores = {row["student"]: row["score"] for row in _request(server, "formgrader/api/submissions/ps1")}
    assert scores == {"good": 1, "wrong": 0}
    report = read_report(course.autograded("wrong", "ps1", ".report.json"))
    assert report is not None
    assert [cell.verdict.value for cell in report.cells] == ["failed"]
