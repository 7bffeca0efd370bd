"""What a benchmark of two ways gives: each quantity beside the one it is compared with, as ratio and as difference.

Runs: trusted side; nothing here measures anything.

A figure is the median of the rounds. A ratio or difference is the median of those within each round, where the two were
measured one after the other: so a machine that grows slower meanwhile does not shift it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from autograder.ratios import Spread


class Unit(Enum):
    """How seconds are shown."""

    MICROSECONDS = "µs", 1e6
    MILLISECONDS = "ms", 1e3
    SECONDS = "s", 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One quantity beside another."""

    name: str
    """What was measured."""
    base: str
    """What it is compared with."""
    seconds: tuple[float, ...]
    """Of each round."""
    base_seconds: tuple[float, ...]
    """Of each round, above 0."""

    @property
    def measured(self) -> Spread:
        """The seconds of all rounds."""
        return spread_of(self.seconds)

    @property
    def compared(self) -> Spread:
        """The seconds of what it is compared with."""
        return spread_of(self.base_seconds)

    @property
    def ratio(self) -> Spread:
        """How many times the base's."""
        return spread_of([mine / base for mine, base in zip(self.seconds, self.base_seconds, strict=True)])

    @property
    def more_seconds(self) -> Spread:
        """How many seconds more than the base's."""
        return spread_of([mine - base for mine, base in zip(self.seconds, self.base_seconds, strict=True)])

    def shown(self, unit: Unit) -> tuple[str, ...]:
        """Its row in a table: name and figure, base and figure, ratio, difference."""
        _, scale = unit.value
        seconds = [_shown(spread, scale) for spread in (self.measured, self.compared)]
        return self.name, seconds[0], self.base, seconds[1], _shown(self.ratio, 1.0), _shown(self.more_seconds, scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Comparisons of one kind."""

    title: str
    unit: Unit
    comparisons: tuple[Comparison, ...]

    def __str__(self) -> str:
        name, _ = self.unit.value
        header = ("", name, "against", name, "ratio", f"more {name}")
        rows = [header, *(one.shown(self.unit) for one in self.comparisons)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([self.title, *(f"  {line}" for line in lines)])

    def to_json(self) -> dict[str, Any]:
        """The group as plain data, in seconds."""
        return {
            "title": self.title,
            "comparisons": [
                {
                    "name": one.name,
                    "base": one.base,
                    "seconds": list(one.seconds),
                    "base_seconds": list(one.base_seconds),
                    "ratio": _as_json(one.ratio),
                    "more_seconds": _as_json(one.more_seconds),
                }
                for one in self.comparisons
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A promise about a time, and what was measured."""

    name: str
    seconds: float
    limit_seconds: float
    unit: Unit

    @property
    def met(self) -> bool:
        """Whether the promise holds here."""
        return self.seconds <= self.limit_seconds

    def __str__(self) -> str:
        name, scale = self.unit.value
        verdict = "met" if self.met else "MISSED"
        return f"{self.name}: {_figure(scale * self.seconds)} {name} of {_figure(scale * self.limit_seconds)}: {verdict}"

    def to_json(self) -> dict[str, Any]:
        """The promise as plain data."""
        return {"name": self.name, "seconds": self.seconds, "limit_seconds": self.limit_seconds, "met": self.met}


def spread_of(values: Sequence[float]) -> Spread:
    """Median, lowest and highest of at least one value."""
    return Spread(median=statistics.median(values), low=min(values), high=max(values))


def _as_json(spread: Spread) -> dict[str, float]:
    return {"median": spread.median, "low": spread.low, "high": spread.high}


def _shown(spread: Spread, scale: float) -> str:
    median, low, high = (_figure(scale * value) for value in (spread.median, spread.low, spread.high))
    return f"{median} ({low} to {high})"


def _figure(value: float) -> str:
    """Three digits that count, and never an exponent."""
    return f"{value:,.{0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3}f}"
