"""What one driver sustains is measured on the real driver; a week of many submissions is arithmetic on what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autograder import cli
from autograder.bench_driver import DriverBench, Sample
from autograder.class_views import ClassView
from autograder.errors import AutograderError
from autograder.grading import Tally
from autograder.mooc import Week, as_markdown, weeks, write_into
from autograder.scaling import each_minute, origin, plot_scaling

ROOT = Path(__file__).parents[1]
MEASURED = [str(ROOT / "docs" / "img" / name) for name in ("class_scaling.json", "driver.json")]
FIGURES = {
    "cpu_seconds": 2.0,
    "bare_cpu_seconds": 0.5,
    "driver_cpu_seconds": 0.02,
    "driver_wall_seconds": 0.04,
    "disk_bytes": 1024.0,
}
INPUTS = [f"{name}={value}" for name, value in FIGURES.items()]


@pytest.mark.slow
def test_driver_is_measured_while_it_grades_everybody_and_then_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "driver", "--submissions", "20", "--json"]) == cli.OK
    told = json.loads(capsys.readouterr().out)["driver"]
    assert [sample["graded"] for sample in told["samples"]] == list(range(21))
    for name in ("cpu_seconds", "wall_seconds"):
        assert [sample[name] for sample in told["samples"]] == sorted(sample[name] for sample in told["samples"])
    assert told["cpu_seconds"] == told["samples"][-1]["cpu_seconds"] / 20
    assert told["met"] == (told["cpu_seconds"] <= 0.015)
    assert 0 < told["resumed"]["cpu_seconds"] < told["samples"][-1]["cpu_seconds"], "nothing had to be done again"
    assert told["resumed"]["graded"] == 0
    assert 50 < told["peak_bytes"] / 2**20 < 1000
    assert all(0 < size < 2**20 for size in told["disk_bytes"].values()), told["disk_bytes"]
    assert told["disk_bytes"].keys() == {"handed in", "graded folder", "gradebook", "history", "feedback"}


def sample(graded: int, seconds: float) -> Sample:
    return Sample(graded=graded, cpu_seconds=seconds, wall_seconds=2 * seconds, memory_bytes=2**20, peak_bytes=2**20)


@pytest.mark.parametrize(("seconds", "growth"), [(lambda n: 0.01 * n, 1.0), (lambda n: 0.0001 * n * n, 17 / 3)])
def test_growth_with_what_is_graded_already_is_seen(seconds: Any, growth: float) -> None:
    samples = tuple(sample(graded, seconds(graded)) for graded in range(0, 101, 5))
    bench = DriverBench(submissions=100, samples=samples, resumed=sample(0, 0.1), disk_bytes={})
    assert bench.growth() == pytest.approx(growth)
    assert [row[0] for row in bench.rows()] == [str(10 * part) for part in range(1, 11)]
    assert bench.rows()[0][1:3] == (f"{1000 * seconds(10) / 10:.1f}", f"{2000 * seconds(10) / 10:.1f}")
    assert bench.met == (seconds(100) / 100 <= 0.015)


def test_picture_of_a_running_class_reads_each_result_once() -> None:
    class Run:
        assignment, tally = "ps1", Tally(total=3)

        def under_way(self) -> dict[str, float]:
            return {}

    class Result:
        read = 0

        @property
        def verdicts(self) -> dict[Any, int]:
            self.read += 1
            return {}

    run, results = Run(), [Result(), Result()]
    view = ClassView(run)  # type: ignore[arg-type]
    for result in results:
        run.tally.graded.append(result)  # type: ignore[arg-type]
        view.__rich__()
        view.__rich__()
    assert [result.read for result in results] == [1, 1]


def test_week_is_worked_out_from_its_inputs() -> None:
    week = Week(**FIGURES, submissions=86_400, late_share=0.5, late_hours=12, busy_share=0.5, gpu_seconds=10, core_hour_price=2)
    assert (week.cpu_hours, week.grader_hours, week.gpu_hours) == (48, 36, 240)
    assert week.late_each_second == 1
    assert (week.cores, week.drivers, week.cards) == (4, 1, 20)
    assert (week.driver_share, week.price) == (0.01, 96)
    assert week.lines()["disk, GiB a week"] == f"{86_400 / 2**20:.1f}"


def test_inputs_come_from_measurements_and_from_whoever_asks(tmp_path: Path) -> None:
    turns = [
        {"workers": workers, "cpu_seconds": cpu, "bare_cpu_seconds": 1, "grade_seconds": wall, "feedback_seconds": 1}
        for workers, cpu, wall in ((0, 9, 3), (2, 6, 3), (2, 10, 1))
    ]
    file = tmp_path / "class.json"
    bench = {"notebook": "small", "submissions": 4, "turns": turns}
    file.write_text(json.dumps({"classes": [bench]}))
    assert each_minute(bench) == {0: 60, 2: 80}
    with pytest.raises(AutograderError, match=r"nothing says driver_cpu_seconds, driver_wall_seconds, disk_bytes\."):
        weeks([str(file)])
    found = weeks([str(file), *INPUTS[2:], "submissions=7"])
    assert found == {"small": Week(**{**FIGURES, "cpu_seconds": 2.0, "bare_cpu_seconds": 0.25, "submissions": 7})}
    assert weeks([str(file), *INPUTS])["small"].bare_cpu_seconds == 0.5, "what is given wins"
    assert list(weeks(INPUTS)) == ["your inputs"]
    file.write_text("{}")
    for wrong in ("teams=3", "submissions=many", "submissions=nan", "busy_share=0", str(file), str(tmp_path / "none.json")):
        with pytest.raises(AutograderError):
            weeks([*INPUTS, wrong])


def test_page_quotes_what_the_measurements_give(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, copy = ROOT / "docs" / "mooc.md", tmp_path / "mooc.md"
    copy.write_text(page.read_text().replace("| ", "| ?"))
    assert cli.run(["bench", "mooc", *MEASURED, "--into", str(copy)]) == cli.OK
    assert capsys.readouterr().out.strip() == as_markdown(weeks(MEASURED))
    again = copy.read_text().replace("| ?", "| ")
    assert again == page.read_text(), f"`autograder bench mooc {' '.join(MEASURED)} --into docs/mooc.md` brings the page in line"
    assert copy.read_text().count("| ?") < page.read_text().count("| "), "tables are replaced"
    assert cli.run(["bench", "mooc", *MEASURED, "gpu_seconds=60", "--json"]) == cli.OK
    training = json.loads(capsys.readouterr().out)["training"]
    assert f"{training['gpu_hours']:.0f} GPU hours and {training['cards']} cards" in page.read_text()
    copy.write_text("nothing to replace")
    with pytest.raises(AutograderError, match="no place for a table"):
        write_into(copy, MEASURED)


def test_drawing_is_that_of_the_measurements(tmp_path: Path) -> None:
    file = tmp_path / "class_scaling.json"
    file.write_bytes(Path(MEASURED[0]).read_bytes())
    drawn = plot_scaling(file).read_bytes()
    assert plot_scaling(file).read_bytes() == drawn, "the same figures give the same file"
    committed = Path(MEASURED[0]).with_suffix(".svg").read_text()
    assert origin(file) in committed, "`autograder bench plot docs/img/class_scaling.json` draws it again"
    data = json.loads(file.read_text())
    data["classes"][0]["turns"][-1]["grade_seconds"] *= 3
    file.write_text(json.dumps(data))
    assert origin(file) in plot_scaling(file).read_text()
    assert origin(file) not in committed
