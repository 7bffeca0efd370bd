"""The benchmark: contestants take turns at the same work, and the ratios are those of what was measured. No timing here."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder import bench, cli
from autograder.bench import KernelBench, bench_kernels, turns_of
from autograder.errors import SourceError
from autograder.floor import PROCESS, FloorJob, FloorRun
from autograder.limits import Limits
from autograder.manifest import Manifest
from autograder.ratios import Contestant, Part, Run, Spread, errors_of, rows_of, targets_of, with_forks
from tests import make
from tests.assignment import write_assignment

COLD, WARM, FLOOR = Contestant.COLD, Contestant.WARM, Contestant.FLOOR


def job(*sources: str, modules: tuple[str, ...] = ()) -> FloorJob:
    return FloorJob(modules=modules, cells=tuple((f"cell {number}", source) for number, source in enumerate(sources, start=1)))


def floor_of(todo: FloorJob, folder: Path, *, times: int = 1) -> list[FloorRun]:
    """What the floor's program says of `times` runs."""
    path = folder / "job.json"
    path.write_text(todo.to_json())
    done = subprocess.run(
        [sys.executable, "-m", "autograder.floor", str(path)], input="\n" * times, capture_output=True, text=True, check=True
    )
    ready, *runs = done.stdout.splitlines()
    assert json.loads(ready) == {"threads": 1}
    return [FloorRun.from_json(line) for line in runs]


def course(root: Path, *cells: nbformat.NotebookNode) -> Manifest:
    """A course whose only source notebook has `cells`."""
    manifest = write_assignment(root)
    folder = root / "source" / manifest.id
    folder.mkdir(parents=True)
    (folder / "numbers.txt").write_text("1 2 3\n")
    nbformat.write(make.notebook(*cells), folder / f"{manifest.id}.ipynb")
    return manifest


def run(contestant: Contestant, part: Part = Part.NOTEBOOK, *, number: int = 0, cpu: float = 0.0, **others: Any) -> Run:
    return Run(round=number, contestant=contestant, part=part, wall_seconds=2 * cpu, cpu_seconds=cpu, **others)


def test_a_ratio_is_the_median_of_the_ratios_within_each_round() -> None:
    runs = [run(COLD, number=number, cpu=cpu) for number, cpu in enumerate([4.0, 9.0, 20.0])]
    runs += [run(WARM, number=number, cpu=cpu) for number, cpu in enumerate([2.0, 3.0, 4.0])]
    runs += [run(FLOOR, number=number, cpu=cpu) for number, cpu in enumerate([1.0, 2.0, 4.0])]
    row = {row.name: row for row in rows_of(runs)}["notebook, CPU"]
    assert row.seconds == {
        COLD: Spread(median=9.0, low=4.0, high=20.0),
        WARM: Spread(median=3.0, low=2.0, high=4.0),
        FLOOR: Spread(median=2.0, low=1.0, high=4.0),
    }
    assert row.cold_by_warm == Spread(median=3.0, low=2.0, high=5.0)
    assert row.warm_by_floor == Spread(median=1.5, low=1.0, high=2.0)


def test_a_quantity_that_a_contestant_lacks_has_no_ratio() -> None:
    runs = [run(COLD, start_seconds=3.0), run(WARM, start_seconds=0.5), run(FLOOR, cpu=1.0)]
    row = rows_of(runs)[0]
    assert (row.name, set(row.seconds), row.warm_by_floor) == ("start-up, wall", {COLD, WARM}, None)
    assert row.cold_by_warm == Spread(median=6.0, low=6.0, high=6.0)


@pytest.mark.parametrize(("first", "whole", "met"), [(0.15, 1.65, [True, True]), (0.16, 1.66, [False, False])])
def test_targets_are_what_was_promised(first: float, whole: float, met: list[bool]) -> None:
    runs = [run(WARM, Part.FIRST_CELL, cpu=first), run(WARM, cpu=whole), run(FLOOR, cpu=1.0)]
    targets = targets_of(runs)
    assert [target.met for target in targets] == met
    assert [target.limit_seconds for target in targets] == [0.15, 1.5 * 1.0 + 0.15]


def test_what_forking_cost_is_shared_among_the_warm_runs() -> None:
    runs = [run(WARM, Part.FIRST_CELL, cpu=1.0), run(COLD, cpu=5.0), run(WARM, cpu=2.0)]
    counted, share = with_forks(runs, 3.5)
    assert share == 0.25
    assert [item.cpu_seconds for item in counted] == [1.25, 5.0, 2.25]


def test_kernels_that_show_different_pictures_did_different_work() -> None:
    runs = [run(COLD, figures=3), run(WARM, figures=3)]
    assert errors_of(runs) == {}
    assert "3, the warm one 0" in errors_of([runs[0], replace(runs[1], figures=0)])["pictures"]


def test_contestants_take_turns_and_each_begins_once() -> None:
    rounds = [turns_of(number) for number in range(len(bench.TURNS))]
    assert all(set(turns) == set(bench.TURNS) for turns in rounds)
    assert {turns[0] for turns in rounds} == set(bench.TURNS)


def test_the_floor_runs_cells_in_one_namespace_and_names_those_that_raise(tmp_path: Path) -> None:
    sources = ["x = 1", "print(x)\nassert x == 1", "1 / 0", "def broken(:", "assert x == 1", "raise SystemExit"]
    (told,) = floor_of(job(*sources, modules=("json", "no_such_module")), tmp_path)
    assert told.cpu_seconds > 0
    assert {cell: error.split(":")[0] for cell, error in told.errors.items()} == {
        "cell 3": "ZeroDivisionError",
        "cell 4": "SyntaxError",
        "cell 6": "SystemExit",
    }


def test_a_fork_of_the_floor_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    once = job("import sys\nassert not hasattr(sys, 'poison')\nsys.poison = 1")
    assert [told.errors for told in floor_of(once, tmp_path, times=2)] == [{}, {}]


def test_a_child_of_the_floor_that_dies_is_told(tmp_path: Path) -> None:
    (told,) = floor_of(job("import os; os._exit(3)"), tmp_path)
    assert told.errors == {PROCESS: "ended with status 3"}


def test_the_floor_draws_open_figures_as_a_kernel_would(tmp_path: Path) -> None:
    drawing = job(
        "import matplotlib; matplotlib.use('agg')\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])",
        "assert not plt.get_fignums(), 'closed after its cell'",
        "for _ in range(2):\n    plt.figure().add_subplot()",
    )
    (told,) = floor_of(drawing, tmp_path)
    assert (told.errors, told.figures) == ({}, 3)


def test_the_floor_draws_what_a_cell_displays(tmp_path: Path) -> None:
    shown = (
        "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\n"
        "from IPython.display import display\n"
        "plt.plot([1, 2])\ndisplay(plt.gcf(), 3)\nplt.close()"
    )
    (told,) = floor_of(job(shown, modules=("IPython.display",)), tmp_path)
    assert (told.errors, told.figures) == ({}, 1)


def test_all_contestants_run_the_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    course(
        tmp_path,
        make.given("files", "import json\nnumbers = open('numbers.txt').read().split()\nopen('made.txt', 'w').write('x')"),
        make.text("# Text is not run"),
        make.graded("test_numbers", "assert len(numbers) == 3"),
    )
    assert cli.run(["bench", "kernels", "--repeat", "1", "--json", "--course", str(tmp_path)]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"machine", "kernels"}
    assert told["machine"]["cores"] >= 1
    (measured,) = told["kernels"]
    assert (measured["id"], measured["cells"], measured["rounds"], measured["errors"]) == ("w1_means", 2, 1, {})
    assert [(item["contestant"], item["part"]) for item in measured["runs"]] == [tuple(map(str, turn)) for turn in turns_of(0)]
    assert all(item["cpu_seconds"] > 0 for item in measured["runs"])
    assert [row["name"] for row in measured["rows"]][-2:] == ["notebook, CPU", "driver, CPU"]
    assert set(measured["rows"][3]["seconds"]) == {"cold", "warm"}, "until imports are done"
    assert set(measured["rows"][-2]["seconds"]) == {"cold", "warm", "floor"}
    assert [set(target) for target in measured["targets"]] == 2 * [{"name", "cpu_seconds", "limit_seconds", "met"}]
    assert sorted(path.name for path in (tmp_path / "source" / "w1_means").iterdir()) == ["numbers.txt", "w1_means.ipynb"]


def test_a_cell_that_raises_is_named_for_each_contestant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    course(tmp_path, make.graded("test_wrong", "assert False, 'as it should not be'"))
    assert cli.run(["bench", "kernels", "--repeat", "1", "--course", str(tmp_path)]) == cli.ATTENTION
    text = " ".join(capsys.readouterr().out.split())
    for contestant in Contestant:
        assert f"{contestant}, test_wrong: AssertionError: as it should not be" in text
    assert "Measured on" in text


def test_progress_is_told_for_each_turn(tmp_path: Path) -> None:
    manifest = course(tmp_path, make.code("1"))
    seen: list[tuple[int, int]] = []
    measured = bench_kernels(manifest, tmp_path / "source", rounds=1, progress=lambda done, total: seen.append((done, total)))
    assert isinstance(measured, KernelBench)
    assert seen == [(number, 5) for number in range(1, 6)]


def test_a_notebook_that_is_not_built_is_told_in_words(tmp_path: Path) -> None:
    manifest = write_assignment(tmp_path)
    with pytest.raises(SourceError, match="autograder build"):
        bench_kernels(manifest, tmp_path / "source")


@pytest.mark.parametrize("arguments", [["nothing"], ["kernels", "--repeat", "0"], []])
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.run(["bench", *arguments])
    assert caught.value.code == cli.USAGE


def test_the_machine_is_described() -> None:
    machine = bench.describe_machine()
    assert machine.memory_bytes > 0
    assert f"torch {machine.packages['torch']}" in str(machine)


def test_a_module_that_starts_threads_has_no_floor(tmp_path: Path) -> None:
    (tmp_path / "restless.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
    )
    with pytest.raises(SourceError, match="thread"):
        bench.Floor(job("1", modules=("restless",)), tmp_path, Limits())
