"""Repeats: other seeds and another order must change no verdict, and the cost must leave head-room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder import repeats
from autograder.grade import grade_notebook
from autograder.kernel import Launch
from autograder.limits import Limits
from autograder.manifest import read_manifest
from autograder.repeats import cost_review, repeat
from autograder.report import KernelReport, Report
from autograder.review import Review
from tests.assignment import write_assignment

VISIBLE = 'assert mean([1.0, 3.0]) == 2.0, "Exercise 1: two values"\n'


def repeated(root: Path, *changes: tuple[str, str]) -> tuple[Review, list[int]]:
    """The review of the tiny assignment with `changes` (old, new) to its text, and how many runs were reported."""
    folder = write_assignment(root).folder
    for name in ("w1_means.py", "assignment.toml"):
        path = folder / name
        text = path.read_text().replace("cell_seconds = 1", "cell_seconds = 60")
        for old, new in changes:
            text = text.replace(old, new, 1)
        path.write_text(text)
    done: list[int] = []
    return repeat(read_manifest(folder), progress=lambda count, total: done.append(total)), done


def test_good_assignment_comes_out_the_same(tmp_path: Path) -> None:
    found, done = repeated(tmp_path)
    assert (found.problems, found.notes) == ((), ())
    assert done == [6] * 6
    assert [figure.name.split(",")[0] for figure in found.figures] == [
        "reference: wall seconds of the slowest cell",
        "reference: wall seconds of all cells",
        "reference: CPU seconds",
        "reference: peak memory in MB",
    ]
    assert all(figure.measured > 0 and figure.holds for figure in found.figures)


def test_what_depends_on_the_seed_or_the_order_is_named(tmp_path: Path) -> None:
    found, _ = repeated(
        tmp_path,
        (
            VISIBLE,
            f'{VISIBLE}_found = 3.0\nassert mean([SEED, 1 - SEED]) == mean([-SEED, 1 + SEED]) and SEED < 2, "Exercise 1: SEED"\n',
        ),
        ('assert mean([5.0]) == 5.0, "Exercise 1: one value"', 'assert mean([_found]) == 3.0, "Exercise 1: as before"'),
        ('assert spread([0.0, 0.0, 6.0]) == 4.0, "Exercise 2: three values"', "0.5 if SEED < 2 else 2.0"),
    )
    seed = "reference with SEED = 2: "
    order = "with all other cells first and the tests in reverse: "
    assert any(problem.startswith("reference, examined: test_spread: partial (0.5 of 2 points)") for problem in found.problems)
    assert any(problem.startswith(f"{seed}test_mean: failed (0 of 2 points): ") for problem in found.problems), found.problems
    assert any(problem.startswith(f"{order}test_mean_empty: ") for problem in found.problems), found.problems
    assert not any("SEED = 1" in problem for problem in found.problems)


def test_blank_that_earns_points_with_another_seed_is_a_problem(tmp_path: Path) -> None:
    gift = 'if SEED != 1:\n    assert spread([1.0, 3.0]) == 1.0, "Exercise 2: two values"\n'
    found, _ = repeated(
        tmp_path,
        ('assert spread([1.0, 3.0]) == 1.0, "Exercise 2: two values"\n', gift),
        ('assert spread([0.0, 0.0, 6.0]) == 4.0, "Exercise 2: three values"\n', ""),
    )
    assert found.problems == ("blank with SEED = 1: test_spread gives 2 points",)


def test_what_cannot_be_repeated_is_noted(tmp_path: Path) -> None:
    found, done = repeated(
        tmp_path,
        ("SEED = 0", "def unused() -> None: ..."),
        ("def spread(values: list[float]) -> float:\n", "unused = None\n\n\ndef spread(values: list[float]) -> float:\n"),
        ("    return max(abs", "    unused = 1\n    return max(abs"),
        (
            "    return sum(values) / len(values)\n    ### END SOLUTION",
            "    return sum(values) / len(values)\n    ### END SOLUTION\n\n\nunused = 1",
        ),
    )
    assert done == [1]
    assert found.problems == ()
    assert found.notes == (
        "the cell of parameters sets no SEED, so nothing was repeated with another",
        "not run in another order: spread defines unused again, which mean defines",
    )


def test_a_notebook_for_gpus_is_compared_with_one_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine has no GPU, the cell that would use one fails: that is a difference, and it is named."""
    monkeypatch.setattr(repeats, "find_gpus", lambda: ["one"])
    launched: list[tuple[str, Mapping[str, object]]] = []

    def grade(nb: nbformat.NotebookNode, *, launch: Launch, **options: Any) -> Report:
        launched.append((launch.device, launch.parameters))
        return grade_notebook(nb, launch=replace(launch, device="cpu"), **options)

    monkeypatch.setattr(repeats, "grade_notebook", grade)
    check = 'assert mean([5.0]) == 5.0 and DEVICE == "cpu", "Exercise 1: one value"'
    found, done = repeated(
        tmp_path, ('device = "cpu"', 'device = "cuda"'), ('assert mean([5.0]) == 5.0, "Exercise 1: one value"', check)
    )
    assert done == [7] * 7
    assert [device for device, _ in launched].count("cuda") == 1
    assert ("cuda", {"DEVICE": "cuda"}) in launched
    assert all(problem.startswith("reference on a GPU: ") for problem in found.problems)


@pytest.mark.parametrize(
    ("peak_bytes", "problems"),
    [
        (1_000_000_000, ()),
        (
            3_000_000_000,
            (
                "reference: peak memory in MB: 3000 of 4000, and others may need 2 times as much; "
                "raise the limit or make it cheaper",
            ),
        ),
    ],
)
def test_cost_must_leave_head_room(peak_bytes: int, problems: tuple[str, ...]) -> None:
    kernel = KernelReport(source="warm", cpu_seconds=3.0, peak_bytes=peak_bytes)
    found = cost_review(Report(cells=(), kernel=kernel, seconds={"cells": 9.0}), ("f", 2.0), Limits())
    assert found.problems == problems
    assert str(found.figures[0]) == "reference: wall seconds of the slowest cell, f 2 (budget at most 30)"
    assert [figure.holds for figure in found.figures] == [True, True, True, not problems]
