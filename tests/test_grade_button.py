"""What formgrader's page says of a grading that *Autograde all* started (with a server: `test_formgrader`)."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from autograder.grade_button import Grading

SAID = {"student": "ana", "verdicts": {"passed": 2, "not_examined": 1}, "attention": "", "graded": 1, "unchanged": 3, "total": 9}
FAILED = SAID | {"student": "ben", "verdicts": {"internal": 1}, "attention": "the grader failed", "graded": 2}
RESULT = {"graded": [{}, {}], "unchanged": 3}
PROGRAM = "import sys\nsys.stderr.write('x' * 9000 + 'the disk is full')\nprint(sys.argv[1])\nsys.exit(int(sys.argv[2]))"


def followed(folder: Path, *said: Any, rest: str = "", status: int = 0, stopped: bool = False) -> dict[str, Any]:
    """What is shown of a process that says this and ends."""

    async def run() -> dict[str, Any]:
        lines = "\n".join([*(json.dumps({"progress": one}) for one in said), rest])
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, lines, str(status)), cwd=folder, stdout=pipe, stderr=pipe
        )
        grading = Grading(assignment="ps1", process=process, stopped=stopped)
        await grading.follow()
        return grading.to_json()

    return asyncio.run(run())


def test_the_end_names_who_needs_a_person(tmp_path: Path) -> None:
    shown = followed(tmp_path, SAID, FAILED, rest=json.dumps(RESULT, indent=1), status=1)
    assert (shown["running"], shown["failed"], shown["done"], shown["todo"]) == (False, False, 2, 6)
    assert shown["verdicts"] == "2 passed, 1 left to a person, 1 internal"
    assert shown["attention"] == ["ben: the grader failed"]
    assert shown["said"].startswith("2 graded in ")
    assert shown["said"].endswith("; 3 unchanged, not graded again.")


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        (json.dumps({"error": "PostgreSQL is gone"}, indent=1), "PostgreSQL is gone\n2 were graded in this run, and stay so."),
        ("", "the disk is full\n2 were graded in this run, and stay so."),
        ('{"graded": [', "the disk is full\n2 were graded in this run, and stay so."),
    ],
)
def test_a_failure_is_told_in_the_gradings_own_words(tmp_path: Path, rest: str, words: str) -> None:
    shown = followed(tmp_path, SAID, FAILED, rest=rest, status=3)
    assert (shown["running"], shown["failed"]) == (False, True)
    assert shown["said"].endswith(words)
    assert len(shown["said"]) < 4200


def test_what_was_stopped_is_no_failure(tmp_path: Path) -> None:
    shown = followed(tmp_path, SAID, status=-2, stopped=True)
    assert shown["failed"] is False
    assert shown["said"].startswith("Stopped after 1.")
