"""The button *Autograde all*: what a Jupyter server of course staff does when it is pressed."""

from __future__ import annotations

import asyncio
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.grade_button import Gradings
from tests import make, server

NAME = "ps1"
SOURCE = make.notebook(
    make.exercise("f", "### BEGIN SOLUTION\nf = 1\n### END SOLUTION"), make.graded("test_f", "assert f == 1", points=2)
)
SLOW = "import time\ntime.sleep(600)\nf = 1"


@pytest.fixture
def course(tmp_path: Path) -> make.Course:
    made = make.Course(tmp_path / "course")
    released = made.release(NAME, SOURCE)
    for student, answer in (("ana", "f = 1"), ("ben", SLOW)):
        made.submit(student, NAME, make.replaced(released, {"f": answer}))
    return made


@pytest.fixture
def jupyter(course: make.Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[server.Server]:
    for name, value in make.installed(tmp_path / "prefix").items():
        monkeypatch.setenv(name, value)
    with server.running(course.root, tmp_path / "server.log") as running:
        yield running


def until(jupyter: server.Server, wanted: str) -> dict[str, Any]:
    """The state of the grading once it says what is wanted."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        state = jupyter.request(f"autograder/grading/{NAME}")
        if wanted in state["said"]:
            found: dict[str, Any] = state
            return found
        time.sleep(0.3)
    raise AssertionError(state)


def test_one_grading_at_a_time_is_shown_stopped_and_gone_on_with(jupyter: server.Server, course: make.Course) -> None:
    address = f"autograder/grading/{NAME}"
    assert jupyter.request(address) is None
    assert jupyter.request(address, method="POST")["running"] is True
    state = until(jupyter, "1 of 2 graded, about")
    assert (state["done"], state["todo"], state["verdicts"]) == (1, 2, "1 passed")
    assert jupyter.request("autograder/grading/another")["assignment"] == NAME  # it says what goes on in the course
    with pytest.raises(urllib.error.HTTPError, match="409"):
        jupyter.request("autograder/grading/another", method="POST")
    began = time.monotonic()
    state = jupyter.request(f"{address}?stop=yes", method="POST")
    assert time.monotonic() - began < 20
    assert (state["running"], state["failed"]) == (False, False)
    assert state["said"] == "Stopped after 1. What is graded stays, and Autograde all goes on from there."

    course.submit("ben", NAME, make.replaced(SOURCE, {"f": "f = 2"}))
    jupyter.request(address, method="POST")
    state = until(jupyter, "1 graded in ")
    assert state["said"].endswith("; 1 unchanged, not graded again.")
    assert (state["running"], state["failed"], state["verdicts"]) == (False, False, "1 failed")
    scores = {one["student"]: one["score"] for one in jupyter.request(f"formgrader/api/submissions/{NAME}")}
    assert scores == {"ana": 2, "ben": 0}

    jupyter.request("autograder/grading/--force", method="POST")
    deadline = time.monotonic() + 60
    while (state := jupyter.request("autograder/grading/--force"))["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert state["failed"] is True
    assert "nobody handed in '--force'" in state["said"]


async def _failed(course: Path) -> dict[str, Any]:
    grading = await Gradings().start(course, NAME)
    assert grading.follower is not None
    await grading.follower
    return grading.to_json()


def test_a_course_without_this_grader_is_told_in_the_gradings_own_words(tmp_path: Path) -> None:
    course = make.Course(tmp_path, "c = get_config()\n")
    state = asyncio.run(_failed(course.root))
    assert state["failed"] is True
    assert "nbgrader_config.py does not configure this grader" in state["said"]
