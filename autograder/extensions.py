"""Extensions for single students and what handing in late costs: `extensions.toml` in the course's folder, for staff to edit.

Runs: trusted side. Knows neither nbgrader nor its gradebook.

    [late]                                   # without it nothing is taken off, unless the course's own plugin does
    percent_per_day = 10                     # of what was earned, for each day begun
    most_percent = 50                        # no more than this (default: 100)
    grace_minutes = 15                       # so much later costs nothing (default: 0)

    [[extension]]
    student = "ben"
    assignment = "w1_perceptrons"
    until = 2026-10-12T23:59:00+02:00
    reason = "ill"
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autograder.errors import ExtensionsError

FILE = "extensions.toml"
_DAY_SECONDS = 24 * 3600
_LATE = ("percent_per_day", "most_percent", "grace_minutes")
_EXTENSION = ("student", "assignment", "until", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRule:
    """What handing in late costs."""

    percent_per_day: float
    """Of what was earned, for each day begun."""
    most_percent: float = 100.0
    grace_minutes: float = 0.0

    def penalty(self, score: float, seconds_late: float) -> float:
        """The points to take off `score`."""
        if seconds_late <= 60 * self.grace_minutes:
            return 0.0
        days = math.ceil(seconds_late / _DAY_SECONDS)
        return score * min(self.percent_per_day * days, self.most_percent) / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """What the file says; nothing where there is none."""

    rule: LateRule | None = None
    """None where what being late costs is said elsewhere, or nothing."""
    until: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """(student, assignment) -> until when, in UTC and without a time zone, as nbgrader keeps times."""

    def due(self, student: str, assignment: str, due: datetime) -> datetime:
        """When `student` has to hand in what is `due` for others; never earlier than they."""
        return max(due, self.until.get((student, assignment), due))


def read_extensions(course: Path) -> Extensions:
    """What `extensions.toml` in the folder `course` says.

    Raises:
        ExtensionsError: it cannot be used; the text says what is wrong where, and what it would have to be.
    """
    path = course / FILE
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Extensions()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExtensionsError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise ExtensionsError(f"{path} cannot be read: {error.strerror}") from error
    _check_names(path, data, ("late", "extension"))
    entries = data.get("extension", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ExtensionsError(f"{path}: write [[extension]], with two brackets, above each extension")
    until: dict[tuple[str, str], datetime] = {}
    for number, entry in enumerate(entries, 1):
        student, assignment, when = _extension(f"{path}, extension {number}", entry)
        if (student, assignment) in until:
            raise ExtensionsError(f"{path}: {student} has more than one extension for {assignment}; leave the one that counts")
        until[student, assignment] = when
    return Extensions(rule=_rule(f"{path}, [late]", data["late"]) if "late" in data else None, until=until)


def _extension(where: str, entry: Mapping[str, Any]) -> tuple[str, str, datetime]:
    _check_names(where, entry, _EXTENSION)
    missing = [name for name in _EXTENSION[:3] if name not in entry]
    if missing:
        raise ExtensionsError(f"{where}: {' and '.join(missing)} missing; it has student, assignment, until and perhaps a reason")
    for name in ("student", "assignment", "reason"):
        if not isinstance(entry.get(name, ""), str):
            raise ExtensionsError(f"{where}: {name} = {entry[name]!r} is not text; put it in quotes")
    when = entry["until"]
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise ExtensionsError(
            f"{where} ({entry['student']}): until = {when} is not a moment. Write date, time and how far from UTC, without "
            "quotes: 2026-10-12T23:59:00+02:00, or 2026-10-12T21:59:00Z"
        )
    return entry["student"], entry["assignment"], when.astimezone(UTC).replace(tzinfo=None)


def _rule(where: str, data: Any) -> LateRule:
    if not isinstance(data, dict):
        raise ExtensionsError(f"{where}: late = {data!r} is not a table; write [late] and below it percent_per_day = 10")
    _check_names(where, data, _LATE)
    if "percent_per_day" not in data:
        raise ExtensionsError(f"{where}: percent_per_day missing; without the whole table nothing is taken off")
    for name, value in data.items():
        most = 100 if name.endswith(("percent", "per_day")) else math.inf
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or math.isinf(value):
            raise ExtensionsError(
                f"{where}: {name} = {value!r} is not a number {f'from 0 to {most}' if most == 100 else 'from 0'}"
            )
    return LateRule(**{name: float(value) for name, value in data.items()})


def _check_names(where: str | Path, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [name for name in data if name not in known]
    if unknown:
        raise ExtensionsError(f"{where}: unknown {unknown[0]!r}; known are {', '.join(known)}")
