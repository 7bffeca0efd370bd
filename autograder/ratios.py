"""What a benchmark of kernels gives: runs of each contestant, and the figures, ratios and targets made from them.

Runs: trusted side; nothing here measures anything.

A figure is the median of the rounds. A ratio is the median of the ratios within each round, where the contestants ran one
after the other: so a machine that grows slower meanwhile does not shift it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

FIRST_CELL_SECONDS = 0.15
"""Target: CPU from the fork until a first cell has run, the wall included."""
FLOOR_FACTOR = 1.5
"""Target: a whole notebook takes at most this many times the floor's CPU, and `FIRST_CELL_SECONDS`."""


class Contestant(StrEnum):
    """What is measured."""

    COLD = "cold"
    WARM = "warm"
    FLOOR = "floor"


class Part(StrEnum):
    """What a contestant is given to run."""

    FIRST_CELL = "first cell"
    NOTEBOOK = "notebook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One turn of one contestant."""

    round: int
    contestant: Contestant
    part: Part
    wall_seconds: float
    """Start, cells and end."""
    cpu_seconds: float
    """User and system seconds of every process made for this turn."""
    start_seconds: float | None = None
    """Wall seconds from asking for a kernel until it answers."""
    reached_seconds: float | None = None
    """Wall seconds from asking for a kernel until the first of the cells has run."""
    imported_seconds: float | None = None
    """Wall seconds from asking for a kernel until the first cell that imports something has run."""
    driver_cpu_seconds: float | None = None
    """What this process spent meanwhile on messages and files."""
    figures: int = 0
    """Pictures that the cells showed."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Name of each cell that did not run to its end -> why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What several rounds gave."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One quantity, in seconds, of each contestant that has it."""

    name: str
    seconds: Mapping[Contestant, Spread]
    cold_by_warm: Spread | None
    warm_by_floor: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A promise, and what was measured."""

    name: str
    cpu_seconds: float
    limit_seconds: float

    @property
    def met(self) -> bool:
        """Whether the promise holds here."""
        return self.cpu_seconds <= self.limit_seconds


def rows_of(runs: Sequence[Run]) -> tuple[Row, ...]:
    """The table."""
    return (
        _row("start-up, wall", runs, Part.NOTEBOOK, "start_seconds"),
        _row("first cell, wall", runs, Part.FIRST_CELL, "reached_seconds"),
        _row("first cell, CPU", runs, Part.FIRST_CELL, "cpu_seconds"),
        _row("imports done, wall", runs, Part.NOTEBOOK, "imported_seconds"),
        _row("notebook, wall", runs, Part.NOTEBOOK, "wall_seconds"),
        _row("notebook, CPU", runs, Part.NOTEBOOK, "cpu_seconds"),
        _row("driver, CPU", runs, Part.NOTEBOOK, "driver_cpu_seconds"),
    )


def targets_of(runs: Sequence[Run]) -> tuple[Target, ...]:
    """What was promised of the warm kernel, and what it takes."""
    rows = {row.name: row.seconds for row in rows_of(runs)}
    whole = rows["notebook, CPU"]
    return (
        Target(
            name="fork to first cell",
            cpu_seconds=rows["first cell, CPU"][Contestant.WARM].median,
            limit_seconds=FIRST_CELL_SECONDS,
        ),
        Target(
            name=f"whole notebook, at most {FLOOR_FACTOR:g} x floor + {FIRST_CELL_SECONDS:g} s",
            cpu_seconds=whole[Contestant.WARM].median,
            limit_seconds=FLOOR_FACTOR * whole[Contestant.FLOOR].median + FIRST_CELL_SECONDS,
        ),
    )


def errors_of(runs: Sequence[Run]) -> dict[str, str]:
    """Why the contestants cannot be compared: what did not run to its end, and pictures that one kernel did not draw."""
    found = {f"{run.contestant}, {cell}": error for run in runs for cell, error in run.errors.items()}
    drawn = {run.contestant: run.figures for run in runs if run.part is Part.NOTEBOOK}
    cold, warm = drawn.get(Contestant.COLD), drawn.get(Contestant.WARM)
    if cold is not None and warm is not None and cold != warm:
        found["pictures"] = f"the cold kernel showed {cold}, the warm one {warm}: they did not do the same work"
    return found


def with_forks(runs: Sequence[Run], spent_seconds: float) -> tuple[tuple[Run, ...], float]:
    """`runs` with what forking itself cost added to each warm one, and that cost.

    `spent_seconds` is what the zygote and all that it forked spent in all. A warden counts from its own beginning; what the
    zygote spent on forks and what ending a process costs is left, and is nearly the same for each.
    """
    warm = [run for run in runs if run.contestant is Contestant.WARM]
    share = max(0.0, spent_seconds - sum(run.cpu_seconds for run in warm)) / max(1, len(warm))
    changed = (replace(run, cpu_seconds=run.cpu_seconds + share) if run.contestant is Contestant.WARM else run for run in runs)
    return tuple(changed), share


def _row(name: str, runs: Sequence[Run], part: Part, quantity: str) -> Row:
    values: dict[Contestant, dict[int, float]] = {contestant: {} for contestant in Contestant}
    for run in runs:
        value = getattr(run, quantity)
        if run.part is part and value is not None:
            values[run.contestant][run.round] = value
    return Row(
        name=name,
        seconds={contestant: _spread(list(found.values())) for contestant, found in values.items() if found},
        cold_by_warm=_ratio(values[Contestant.COLD], values[Contestant.WARM]),
        warm_by_floor=_ratio(values[Contestant.WARM], values[Contestant.FLOOR]),
    )


def _ratio(above: Mapping[int, float], below: Mapping[int, float]) -> Spread | None:
    """The ratios of the rounds that have both."""
    ratios = [above[number] / below[number] for number in above if below.get(number)]
    return _spread(ratios) if ratios else None


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median=statistics.median(values), low=min(values), high=max(values))
