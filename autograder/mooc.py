"""What a week of many submissions takes: cores, drivers, disk, cards. Arithmetic; its inputs are measured, or assumed.

Runs: trusted side; nothing is run at all.

    bench class --json, bench driver --json --> Week, one for each notebook --> a table, also in docs/mooc.md
    NAME=VALUE on the command line -----------> any input, in place of what is measured or assumed
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from autograder.errors import AutograderError

_HOURS = 7 * 24
_YOURS = "your inputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The inputs, and what follows from them. Inputs without a value here are measured."""

    cpu_seconds: float
    """CPU for one submission, grading and feedback, all processes."""
    bare_cpu_seconds: float
    """The part of it that the notebook's own cells need."""
    driver_cpu_seconds: float
    """CPU of the driver for one submission."""
    driver_wall_seconds: float
    """From one submission to the next where workers never keep the driver waiting."""
    disk_bytes: float
    """For one submission, everything that stays."""
    submissions: float = 100_000.0
    """In the week."""
    late_share: float = 0.5
    """The part of them that arrives in the last hours before the deadline."""
    late_hours: float = 12.0
    busy_share: float = 0.8
    """How busy cores and cards are planned to be in these hours: the rest is for what arrives unevenly."""
    gpu_seconds: float = 0.0
    """A card's time for one submission."""
    core_hour_price: float = 0.0
    gpu_hour_price: float = 0.0

    def __post_init__(self) -> None:
        """Raises: AutograderError: an input makes no sense."""
        for field in fields(self):
            if not 0 <= getattr(self, field.name) < math.inf:
                raise AutograderError(f"{field.name}={getattr(self, field.name):g} is not a number from 0 up")
        if self.late_share > 1 or not 0 < self.busy_share <= 1 or not self.late_hours:
            raise AutograderError("late_share is from 0 to 1, busy_share above 0 and at most 1, late_hours above 0")

    @property
    def cpu_hours(self) -> float:
        """submissions * cpu_seconds / 3600"""
        return self.submissions * self.cpu_seconds / 3600

    @property
    def grader_hours(self) -> float:
        """The part of `cpu_hours` that the cells do not need: submissions * (cpu_seconds - bare_cpu_seconds) / 3600"""
        return self.submissions * max(0.0, self.cpu_seconds - self.bare_cpu_seconds) / 3600

    @property
    def late_each_second(self) -> float:
        """Submissions a second before the deadline: submissions * late_share / (late_hours * 3600)"""
        return self.submissions * self.late_share / (self.late_hours * 3600)

    @property
    def cores(self) -> int:
        """That keep up then: late_each_second * cpu_seconds / busy_share, rounded up."""
        return math.ceil(self.late_each_second * self.cpu_seconds / self.busy_share)

    @property
    def drivers(self) -> int:
        """That keep up then, each with its own assignment: late_each_second * driver_wall_seconds / busy_share, rounded up."""
        return math.ceil(self.late_each_second * self.driver_wall_seconds / self.busy_share)

    @property
    def driver_share(self) -> float:
        """The part of `cpu_hours` that is the drivers': driver_cpu_seconds / cpu_seconds"""
        return self.driver_cpu_seconds / self.cpu_seconds if self.cpu_seconds else 0.0

    @property
    def gpu_hours(self) -> float:
        """submissions * gpu_seconds / 3600"""
        return self.submissions * self.gpu_seconds / 3600

    @property
    def cards(self) -> int:
        """That keep up before the deadline: late_each_second * gpu_seconds / busy_share, rounded up."""
        return math.ceil(self.late_each_second * self.gpu_seconds / self.busy_share)

    @property
    def price(self) -> float:
        """cpu_hours * core_hour_price + gpu_hours * gpu_hour_price, of the hours that are used"""
        return self.cpu_hours * self.core_hour_price + self.gpu_hours * self.gpu_hour_price

    def lines(self) -> dict[str, str]:
        """The table's column: first the inputs, then what follows."""
        found = {
            "CPU s each (`cpu_seconds`)": f"{self.cpu_seconds:.2f}",
            "its cells alone (`bare_cpu_seconds`)": f"{self.bare_cpu_seconds:.2f}",
            "driver, CPU ms each (`driver_cpu_seconds`)": f"{1000 * self.driver_cpu_seconds:.1f}",
            "driver, wall ms each (`driver_wall_seconds`)": f"{1000 * self.driver_wall_seconds:.1f}",
            "disk, KiB each (`disk_bytes`)": f"{self.disk_bytes / 1024:.0f}",
            "card, s each (`gpu_seconds`)": f"{self.gpu_seconds:g}",
            "**CPU hours a week**": f"{self.cpu_hours:.0f}",
            "of these the grader adds": f"{self.grader_hours:.0f}",
            "of these the driver's": f"{100 * self.driver_share:.1f} %",
            "cores, if they came evenly": f"{self.cpu_hours / _HOURS:.1f}",
            "**cores before the deadline**": f"{self.cores}",
            "drivers before the deadline": f"{self.drivers}",
            "disk, GiB a week": f"{self.submissions * self.disk_bytes / 2**30:.1f}",
            "GPU hours a week": f"{self.gpu_hours:.0f}",
            "cards before the deadline": f"{self.cards}",
        }
        return found | ({"price of the hours used": f"{self.price:.2f}"} if self.core_hour_price or self.gpu_hour_price else {})

    def to_json(self) -> dict[str, Any]:
        """Inputs and what follows from them."""
        follows = (
            "cpu_hours",
            "grader_hours",
            "late_each_second",
            "cores",
            "drivers",
            "driver_share",
            "gpu_hours",
            "cards",
            "price",
        )
        inputs = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"inputs": inputs, **{name: getattr(self, name) for name in follows}}


def weeks(arguments: Sequence[str]) -> dict[str, Week]:
    """Notebook -> its week, by `arguments`: files that `bench class --json` and `bench driver --json` have written, and inputs as
    NAME=VALUE. Without a file of `bench class` there is one week, of what is given.

    Raises:
        AutograderError: a file or an input cannot be used, or one is missing.
    """
    given = dict(_input(argument) for argument in arguments if "=" in argument)
    measured: dict[str, float] = {}
    notebooks: dict[str, dict[str, float]] = {}
    for path in (argument for argument in arguments if "=" not in argument):
        data = measurements(Path(path))
        measured |= _of_driver(data.get("driver"))
        notebooks |= {bench["notebook"]: _of_class(bench) for bench in data.get("classes", ())}
    found = {}
    for name, values in (notebooks or {_YOURS: {}}).items():
        inputs = {**measured, **values, **given}
        missing = [field.name for field in fields(Week) if field.default is MISSING and field.name not in inputs]
        if missing:
            raise AutograderError(
                f"nothing says {', '.join(missing)}. Name files that `autograder bench class --json` and `bench driver --json` "
                f"have written, or give {missing[0]}=VALUE."
            )
        found[name] = Week(**inputs)
    return found


def measurements(path: Path) -> dict[str, Any]:
    """What a benchmark has written to the file `path` with `--json`.

    Raises:
        AutograderError: it cannot be read, or is something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AutograderError(f"{path} cannot be read as what `autograder bench ... --json` writes: {error}") from error
    if not isinstance(data, dict) or not data.keys() & {"classes", "driver"}:
        raise AutograderError(f"{path} holds neither `classes` nor `driver`; `autograder bench class --json` writes such a file")
    return data


def most_workers(bench: Mapping[str, Any]) -> int:
    """The largest number of workers that `bench`, one of `classes`, has measured."""
    return max(int(turn["workers"]) for turn in bench["turns"])


def as_markdown(found: Mapping[str, Week]) -> str:
    """The table, as the documents have it."""
    columns = [week.lines() for week in found.values()]
    return _table(["", *found], [[name, *(column[name] for column in columns)] for name in columns[0]])


def driver_as_markdown(data: Mapping[str, Any]) -> str:
    """What `bench driver` has measured, as the documents have it."""
    each, target = (1000 * data[name] for name in ("cpu_seconds", "target_seconds"))
    wall, samples = data["wall_seconds"], data["samples"]
    early, late = samples[len(samples) // 10], samples[-1]
    kept = (late["memory_bytes"] - early["memory_bytes"]) / max(1, late["graded"] - early["graded"])
    sizes = ", ".join(f"{name} {size / 1024:.1f}" for name, size in data["disk_bytes"].items())
    said = [
        f"{data['submissions']} submissions, CPU of the driver for each: {each:.1f} ms; target {target:g}: "
        f"{'met' if data['met'] else 'missed'}",
        f"CPU of the last three tenths over that of the first three: {data['growth']:.2f}",
        f"wall time for each: {1000 * wall:.1f} ms, {3600 / wall:.0f} an hour",
        f"going on where nothing changed, which is what a restart costs: {1000 * data['resume_seconds']:.1f} ms for each",
        f"memory at most {data['peak_bytes'] / 2**20:.0f} MiB, with {kept / 1024:.0f} KiB kept for each submission of a run",
        f"on the disk, KiB for each, in whole blocks: {sizes}",
    ]
    table = _table(["graded by then", "CPU, ms each", "wall, ms each", "memory, MiB"], data["rows"])
    return "\n".join([table, "", *(f"- {line}" for line in said)])


def write_into(page: Path, arguments: Sequence[str]) -> None:
    """Put the tables that `arguments` give (see `weeks`) into `page`, each between its pair of comments.

    Raises:
        AutograderError: the page has no such comments, or see `weeks`.
    """
    text, found = page.read_text(encoding="utf-8"), {"weeks": as_markdown(weeks(arguments))}
    for path in (argument for argument in arguments if "=" not in argument):
        driver = measurements(Path(path)).get("driver")
        found |= {"driver": driver_as_markdown(driver)} if driver else {}
    for name, table in found.items():
        before, begin, rest = text.partition(f"<!-- {name}: begin -->\n")
        _, end, after = rest.partition(f"\n<!-- {name}: end -->")
        if not (begin and end):
            raise AutograderError(
                f"{page} has no place for a table: no lines `<!-- {name}: begin -->` and `<!-- {name}: end -->`"
            )
        text = before + begin + table + end + after
    page.write_text(text, encoding="utf-8")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---" if not head[0] else "--:", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _of_driver(data: Mapping[str, Any] | None) -> dict[str, float]:
    if data is None:
        return {}
    return {
        "driver_cpu_seconds": data["cpu_seconds"],
        "driver_wall_seconds": data["wall_seconds"],
        "disk_bytes": sum(data["disk_bytes"].values()),
    }


def _of_class(bench: Mapping[str, Any]) -> dict[str, float]:
    """Of the turns with the largest number of workers, the median."""
    turns = [turn for turn in bench["turns"] if turn["workers"] == most_workers(bench)]
    names = ("cpu_seconds", "bare_cpu_seconds")
    return {name: statistics.median(turn[name] for turn in turns) / bench["submissions"] for name in names}


def _input(argument: str) -> tuple[str, float]:
    name, _, text = argument.partition("=")
    names = [field.name for field in fields(Week)]
    try:
        if name in names:
            return name, float(text)
    except ValueError:
        raise AutograderError(f"{argument}: {text!r} is no number") from None
    raise AutograderError(f"{argument}: there is no input {name!r}; there are {', '.join(names)}")
