"""Examined and unexamined verdicts: where they are the same that is said, and where not each difference is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from autograder import cli
from autograder.build import build
from autograder.check import check
from autograder.equivalence import Difference, Equivalence, compare
from autograder.manifest import Manifest, read_manifest
from tests.assignment import write_assignment

LIMITS = "cell_seconds = 1\ninterrupt_seconds = 0.5"
MISBEHAVING = """
[[mutant]]
name = "dies"
misconception = "Ends Python."
body = "    __import__('os')._exit(1)"
fails = ["test_mean", "test_mean_empty", "test_spread"]

[[mutant]]
name = "deaf"
misconception = "Does not stop when told to."
body = '''
    while True:
        try:
            __import__("time").sleep(9)
        except KeyboardInterrupt:
            pass
'''
fails = ["test_mean", "test_mean_empty"]

[[mutant]]
name = "does_not_run"
misconception = "Is no Python."
body = "    return ("
fails = ["test_mean"]

[[mutant]]
name = "leaves_something"
misconception = "Changes what others use."
replace = "if not values:"
with = "globals().update(len=lambda values: 0)\\n    if False:"
fails = ["test_mean", "test_mean_empty"]

[[alternative]]
name = "loop"
why = "Adds one by one."
body = '''
    total = 0.0
    for value in values:
        total += value
    if len(values) == 0:
        raise ValueError
    return total / len(values)
'''
"""


def assignment(root: Path, changes: Mapping[str, str] = MappingProxyType({})) -> Manifest:
    """The tiny assignment with misbehaving mutants of its first exercise, and with `changes` (old -> new) in its text."""
    folder = write_assignment(root).folder
    text, manifest = folder / "w1_means.py", folder / "assignment.toml"
    for old, new in changes.items():
        assert text.read_text().count(old) == 1
        text.write_text(text.read_text().replace(old, new))
    manifest.write_text(manifest.read_text().replace("cell_seconds = 1", LIMITS))
    (folder / "mutants" / "mean.toml").write_text(MISBEHAVING)
    build(read_manifest(folder), root / "source")
    return read_manifest(folder)


def test_good_assignment_is_the_same_in_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assignment(tmp_path)
    assert cli.run(["check", "--examined", "--json", "--exercise", "spread", "--course", str(tmp_path)]) == cli.OK
    (report,) = json.loads(capsys.readouterr().out)
    del report["examined"]["seconds"]
    assert report["examined"] == {"id": "w1_means", "runs": 3, "same": 3, "holds": True, "differences": [], "retried": []}


def test_spoilt_pairs_are_replaced(tmp_path: Path) -> None:
    manifest = assignment(tmp_path)
    proven = check(manifest, tmp_path / "source", exercises=frozenset({"mean"}))
    found = compare(manifest, proven.mutants, workers=1)  # so that the order is known
    assert found.differences == ()
    assert found.same == found.runs == 2 + 5
    assert found.retried == ("mean/loop",)  # it runs after leaves_something


def test_checks_that_need_one_process_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cannot = "assert globals()['mean']([1.0, 2.0, 6.0]) == 3.0"
    differs = "assert type(spread) is type(lambda: 0)"
    assignment(tmp_path, {"assert mean([1.0, 2.0, 6.0]) == 3.0": cannot, "assert spread([0.0, 0.0, 6.0]) == 4.0": differs})
    assert cli.run(["check", "--examined", "--json", "--exercise", "spread", "--course", str(tmp_path)]) == cli.ATTENTION
    (report,) = json.loads(capsys.readouterr().out)
    found = {(one["run"], one["cell"]): (one["unexamined"], one["examined"]) for one in report["examined"]["differences"]}
    assert found.keys() == {("reference", "test_mean"), ("reference", "test_spread"), ("blank", "test_mean")}
    assert found["reference", "test_spread"] == ("passed (2.0 points)", "failed (0.0 points): Exercise 2: three values")
    assert found["blank", "test_mean"][1].startswith("not_examined")
    assert report["examined"]["same"] == 1  # spread/range sees neither


def test_each_difference_is_printed_with_both_verdicts() -> None:
    one = Difference(run="mean/loop", cell="test_mean", unexamined="passed", examined="error: no")
    text = str(Equivalence(id="w1", runs=3, differences=(one, one), retried=("mean/sum",), seconds=2.0))
    assert text.splitlines() == [
        "examined: 2 of 3 the same, in 2 s",
        "1 gave the same only in kernels that no other variant had used: mean/sum",
        *["mean/loop, test_mean:", "    in one process  passed", "    examined        error: no"] * 2,
    ]
