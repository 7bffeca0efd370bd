"""What examining costs: both ways take turns at the same work, and the figures are those of what was measured. No timing here."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from autograder import bench_examiner as bench
from autograder import cli
from autograder.bench_examiner import ExaminerBench, Size, measure_crossings, tensor_comparisons
from autograder.bench_notebooks import small_notebook
from autograder.bothways import Submission, Turn, comparisons_of, take_turns, with_shares
from autograder.comparison import Comparison, Group, Limit, Unit
from autograder.crossing import COPIED, PASSED, TENSOR, Cost, CrossingRound, small_arguments
from autograder.errors import SourceError
from autograder.kernel import Launch
from autograder.ratios import Spread
from tests import make
from tests.assignment import write_assignment

SMALL = Size(rounds=1, calls=2, tensor_bytes=400)


def turn(number: int = 0, *, examined: bool = False, name: str = "small", driver: float = 1.0, kernels: float = 1.0) -> Turn:
    return Turn(
        submission=name,
        examined=examined,
        round=number,
        driver_cpu_seconds=driver,
        kernels_cpu_seconds=kernels,
        wall_seconds=10.0,
    )


def crossing(*, wall: float = 1.0, cpu: float = 1.0, **tensor: float) -> CrossingRound:
    costs = {kind: Cost(wall_seconds=wall, cpu_seconds=cpu) for kind in small_arguments()}
    seconds = {**dict.fromkeys(TENSOR, 1.0), **tensor}
    return CrossingRound(
        direct=costs, across=costs, tensor={name: Cost(wall_seconds=value, cpu_seconds=value) for name, value in seconds.items()}
    )


def test_ratio_and_difference_are_medians_of_those_within_each_round() -> None:
    one = Comparison(name="f", base="g", seconds=(4.0, 9.0, 20.0), base_seconds=(2.0, 3.0, 4.0))
    assert one.measured == Spread(median=9.0, low=4.0, high=20.0)
    assert one.compared == Spread(median=3.0, low=2.0, high=4.0)
    assert one.ratio == Spread(median=3.0, low=2.0, high=5.0)
    assert one.more_seconds == Spread(median=6.0, low=2.0, high=16.0)


def test_a_table_shows_three_digits_in_its_unit() -> None:
    one = Comparison(name="f", base="direct", seconds=(0.0012344,), base_seconds=(0.0000001,))
    lines = str(Group(title="calls", unit=Unit.MICROSECONDS, comparisons=(one,))).splitlines()
    assert lines[0] == "calls"
    assert lines[1].split() == ["µs", "against", "µs", "ratio", "more", "µs"]
    assert re.split("  +", lines[2]) == [
        "",
        "f",
        "1,234 (1,234 to 1,234)",
        "direct",
        "0.100 (0.100 to 0.100)",
        "12,344 (12,344 to 12,344)",
        "1,234 (1,234 to 1,234)",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0002, "a call: 200 µs of 200: met"), (0.00021, "a call: 210 µs of 200: MISSED")]
)
def test_a_promise_holds_up_to_its_limit(seconds: float, text: str) -> None:
    limit = Limit(name="a call", seconds=seconds, limit_seconds=0.0002, unit=Unit.MICROSECONDS)
    assert str(limit) == text
    assert limit.to_json()["met"] is text.endswith("met")


def test_what_no_warden_counted_is_shared_among_the_turns() -> None:
    shared = with_shares([turn(kernels=1.0), turn(1, kernels=2.0)], 3.5)
    assert [one.kernels_cpu_seconds for one in shared] == [1.25, 2.25]
    assert with_shares([turn(kernels=1.0)], 0.5)[0].kernels_cpu_seconds == 1.0, "Linux's counters tick"


def test_submissions_are_compared_round_by_round() -> None:
    turns = [turn(number, driver=1.0, kernels=number + 1.0) for number in range(2)]
    turns += [turn(number, examined=True, driver=2.0, kernels=number + 3.0) for number in range(2)]
    cpu, driver, wall = comparisons_of([*turns, turn(name="other"), turn(name="other", examined=True)])[:3]
    assert (cpu.name, cpu.base_seconds, cpu.seconds) == ("small, CPU", (2.0, 3.0), (5.0, 6.0))
    assert (driver.name, driver.ratio.median) == ("small, of that the driver's", 2.0)
    assert (wall.name, wall.more_seconds.median) == ("small, wall", 0.0)


def test_targets_are_what_was_promised() -> None:
    small = next(iter(bench._SMALL))
    turns = (turn(name=small, driver=0.1, kernels=0.1), turn(name=small, examined=True, driver=0.1, kernels=0.25))
    rounds = (crossing(cpu=0.0001, **{PASSED: 0.08, COPIED: 0.03}),)
    limits = ExaminerBench(size=SMALL, crossings=rounds, turns=(*turns, turn(), turn(examined=True))).limits
    assert [limit.met for limit in limits] == [*[True] * len(small_arguments()), False, False]
    assert [limit.limit_seconds for limit in limits[-2:]] == [2 * 0.03, 0.1]
    assert [limit.seconds for limit in limits[-2:]] == [0.08, pytest.approx(0.15)]


def test_calls_and_tensors_are_measured_in_a_process_of_their_own() -> None:
    (measured,) = measure_crossings(SMALL)
    assert CrossingRound.from_json(measured.to_json()) == measured
    assert list(measured.direct) == list(measured.across) == list(small_arguments())
    assert tuple(measured.tensor) == TENSOR
    costs = [*measured.direct.values(), *measured.across.values(), *measured.tensor.values()]
    assert all(cost.wall_seconds > 0 and cost.cpu_seconds > 0 for cost in costs)
    assert len({(one.name, one.base) for one in tensor_comparisons([measured], "cpu_seconds")}) == len(TENSOR) + 1


def test_a_process_that_fails_is_told_in_words() -> None:
    with pytest.raises(SourceError, match=r"ended early with status 1: .*negative"):
        list(measure_crossings(dataclasses.replace(SMALL, tensor_bytes=-400)))


def test_both_ways_grade_the_same_submission(tmp_path: Path) -> None:
    nb = small_notebook("import math", tests=2)
    steps: list[None] = []
    given = Submission(name="small", nb=nb, launch=Launch(folder=tmp_path), source_folder=tmp_path)
    turns = take_turns(given, 1, step=lambda: steps.append(None), cache=tmp_path / "cache")
    assert [(one.examined, one.round, one.errors) for one in turns] == [(False, 0, {}), (True, 0, {})]
    assert all(one.driver_cpu_seconds > 0 and one.kernels_cpu_seconds > 0 and one.wall_seconds > 0 for one in turns)
    assert len(steps) == 2
    assert not any(cell.get("outputs") for cell in nb.cells), "copies were graded"


def test_a_test_that_does_not_pass_is_named_for_each_way(tmp_path: Path) -> None:
    nb = make.notebook(
        make.exercise("f", "def f(): return 1"), make.graded("wrong", "assert f() == 2, 'one'"), make.answer("why", "")
    )
    given = Submission(name="small", nb=nb, launch=Launch(folder=tmp_path), source_folder=tmp_path)
    turns = take_turns(given, 1, cache=tmp_path / "cache")
    assert ExaminerBench(size=SMALL, crossings=(), turns=turns).errors == {
        "small, unexamined, wrong": "failed: one",
        "small, examined, wrong": "failed: one",
    }


def test_everything_is_measured_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_assignment(tmp_path)
    monkeypatch.setattr(bench, "Size", lambda rounds: dataclasses.replace(SMALL, rounds=rounds))
    monkeypatch.setattr(bench, "_SMALL", {"20 test cells": "import math"})
    at = ["--course", str(tmp_path)]
    cli.run(["build", *at])
    capsys.readouterr()
    assert cli.run(["bench", "examiner", "--repeat", "1", "--json", *at]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"machine", "examiner"}
    found = told["examiner"]
    assert set(found) == {"size", "groups", "limits", "errors", "crossings", "turns"}
    assert (found["size"]["rounds"], found["errors"], len(found["crossings"])) == (1, {}, 1)
    assert [(one["submission"], one["examined"]) for one in found["turns"]] == [
        ("20 test cells", False),
        ("20 test cells", True),
        ("w1_means", False),
        ("w1_means", True),
    ]
    assert [set(limit) for limit in found["limits"]] == 6 * [{"name", "seconds", "limit_seconds", "met"}]


def test_tables_targets_and_errors_are_printed() -> None:
    wrong = dataclasses.replace(turn(), errors={"test_1": "failed: why"})
    text = str(ExaminerBench(size=SMALL, crossings=(crossing(),), turns=(wrong, turn(examined=True))))
    assert "Median of 1 rounds" in text
    assert "small, unexamined, test_1: failed: why" in text
    assert "passing the tensor, CPU, at most 2 copies: 1,000 ms of 2,000: met" in text
    assert text.count("against") == 5


def test_a_notebook_that_is_not_built_is_told_in_words(tmp_path: Path) -> None:
    manifest = write_assignment(tmp_path)
    with pytest.raises(SourceError, match="autograder build"):
        bench.bench_examiner([manifest], tmp_path / "source", size=SMALL)
