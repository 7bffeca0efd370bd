"""What a command spent, and the class that is graded by nbgrader alone and by us."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autograder.bench_class import ClassBench, Turn, bench_class
from autograder.bench_notebooks import BENCH_NOTEBOOKS
from autograder.counted import count
from autograder.errors import AutograderError

BUSY = "import time\nwhile time.process_time() < {}: pass"
ORPHAN = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {BUSY.format(0.6)!r}], start_new_session=True)
print("said")
"""


def test_what_a_command_leaves_behind_is_waited_for_and_counted(tmp_path: Path) -> None:
    alone = count([sys.executable, "-c", BUSY.format(0.3)], tmp_path)
    assert alone.status == 0
    assert 0.3 <= alone.cpu_seconds < 5
    left = count([sys.executable, "-c", ORPHAN], tmp_path)
    assert left.output == "said\n"
    assert left.cpu_seconds >= 0.6
    assert count([sys.executable, "-c", "raise SystemExit(3)"], tmp_path).status == 3


def test_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(AutograderError, match=r"could not be counted: .*nowhere"):
        count(["/nowhere/at/all"], tmp_path)


def test_figures_compare_turns_of_the_same_round() -> None:
    def turn(number: int, workers: int, seconds: float, cpu_seconds: float) -> Turn:
        driver = 0.1 if workers else None
        found = Turn(
            round=number,
            workers=workers,
            grade_seconds=seconds - 1,
            feedback_seconds=1,
            cpu_seconds=cpu_seconds,
            driver_cpu_seconds=driver,
            bare_cpu_seconds=3,
        )
        assert found.wall_seconds == seconds
        return found

    turns = (turn(0, 0, 40, 40), turn(0, 2, 2, 4), turn(1, 0, 80, 80), turn(1, 2, 5, 8), turn(2, 0, 30, 30), turn(2, 2, 2, 6))
    bench = ClassBench(notebook="small", submissions=10, turns=turns)
    assert bench.ratio(2) == 16  # of 20, 16 and 15
    assert bench.efficiency(2) == 0.5
    assert bench.driver_seconds(2) == pytest.approx(0.01)
    assert [(figure, met) for _, figure, _, met in bench.targets()] == [(pytest.approx(0.01), True), (0.5, True), (16, False)]
    without = ClassBench(notebook="training", submissions=10, turns=turns[1:2])
    assert without.ratio(2) is None
    assert [name for name, *_ in without.targets()] == ["driver, CPU seconds for a submission", "efficiency"]


def test_unknown_notebook_is_told() -> None:
    with pytest.raises(AutograderError, match="'large' is no notebook for a class; there are tiny, small, training"):
        bench_class("large", 1, [1], 1)


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_notebooks_are_solved(name: str) -> None:
    names: dict[str, object] = {}
    for cell in BENCH_NOTEBOOKS[name].build().cells:
        exec(cell.source, names)


@pytest.mark.slow
def test_class_is_graded_by_both_and_counted() -> None:
    bench = bench_class("tiny", 2, [1], 1)
    assert bench.contestants == [0, 1]
    assert all(turn.cpu_seconds > turn.bare_cpu_seconds > 0 for turn in bench.turns)
    assert (bench.ratio(1) or 0) > 0
    assert len(bench.rows()) == 2
