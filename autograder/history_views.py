"""How it looks in a terminal what grading again changed: of one run, and of all that there were.

Runs: trusted side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from autograder.bookkeeping import Graded
from autograder.differences import Difference, Outcome
from autograder.history import Entry, History, Run

_NOTHING = "-"


def changes_views(graded: Sequence[Graded], *, dry_run: bool) -> list[RenderableType]:
    """What changed for whom, and a line that sums it up; nothing where nobody had been graded before."""
    rows = [(one.student, difference) for one in _sorted(graded) for difference in one.differences]
    views: list[RenderableType] = []
    if rows:
        table = _table("what would change" if dry_run else "what changed")
        for student, difference in rows:
            table.add_row(Text(student), *_cells(difference))
        views.append(table)
    if dry_run or any(one.again for one in graded):
        views.append(Text(_summary_line(_summary(graded), dry_run=dry_run)))
    return views


def changes_as_json(graded: Sequence[Graded], *, dry_run: bool) -> dict[str, Any]:
    """What `changes_views` shows, for machines."""
    changes = [{"student": one.student, **difference.to_json()} for one in _sorted(graded) for difference in one.differences]
    return {"dry_run": dry_run, "changes": changes, "again": _summary(graded)}


def history_views(history: History, assignment: str, students: Sequence[str] = ()) -> list[RenderableType]:
    """Every run, and every cell that it changed."""
    views: list[RenderableType] = []
    for run, entries in _by_run(history, students):
        views.append(Text(_run_line(run, entries)))
        shown = [entry for entry in entries if entry.differences or entry.problem or students]
        if shown:
            views.append(_entries_table(shown))
    of_whom = f" of {', '.join(students)}" if students else ""
    return views or [Text(f"{assignment}: nothing was graded{of_whom}")]


def history_as_json(history: History, students: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The history for machines: runs, oldest first, each with its submissions."""
    return [
        {
            **({"run": entries[0].run} if run is None else run.to_json()),
            "submissions": [{name: value for name, value in entry.to_json().items() if name != "run"} for entry in entries],
        }
        for run, entries in _by_run(history, students)
    ]


def _by_run(history: History, students: Sequence[str]) -> list[tuple[Run | None, list[Entry]]]:
    """The runs, oldest first, with their entries; None for a run whose own line was lost."""
    found: dict[str, list[Entry]] = {}
    for entry in sorted(history.entries.values(), key=lambda entry: entry.when):
        if not students or entry.student in students:
            found.setdefault(entry.run, []).append(entry)
    return [(history.runs.get(run), entries) for run, entries in found.items()]


def _run_line(run: Run | None, entries: Sequence[Entry]) -> str:
    if run is None:
        return f"{entries[0].when}  run {entries[0].run}"
    first, again = sum(not entry.again for entry in entries), sum(entry.again for entry in entries)
    counts = [f"{first} for the first time" if first else "", f"{again} again" if again else ""]
    options = run.options
    asked = [
        "--force" if options.get("force") else "",
        f"--cells {' '.join(options['cells'])}" if options.get("cells") else "",
        f"--device {options['device']}" if options.get("device") else "",
    ]
    what = ", ".join(filter(None, counts)) + f" ({' '.join(filter(None, asked))})" * any(asked)
    version = run.versions.get("autograder", "?")
    return f"{run.when}  {run.who} graded {what}, autograder {version}" + (f": {run.why}" if run.why else "")


def _entries_table(entries: Sequence[Entry]) -> Table:
    table = _table("")
    for entry in sorted(entries, key=lambda entry: entry.student):
        rows = [_cells(difference) for difference in entry.differences]
        if entry.problem:
            rows = [(Text(""), _NOTHING, _NOTHING, Text(entry.problem, style="red"))]
        elif not rows:
            points = _NOTHING if entry.points is None else f"{entry.points:g} points"
            rows = [(Text(""), _NOTHING, points, Text("as before" if entry.again else "graded for the first time"))]
        for row in rows:
            table.add_row(Text(entry.student), *row)
    return table


def _table(title: str) -> Table:
    table = Table(title=title or None, title_justify="left")
    for name in ("student", "cell"):
        table.add_column(name, no_wrap=True)
    for name in ("was", "is", ""):
        table.add_column(name, ratio=1)
    return table


def _cells(difference: Difference) -> tuple[Text, str, str, Text]:
    return Text(difference.grade_id), _shown(difference.old), _shown(difference.new), Text(_note(difference))


def _note(difference: Difference) -> str:
    """What to know of a cell that comes out otherwise."""
    old, new = difference.old, difference.new
    same = old is not None and (old.points, old.verdict) == (new.points, new.verdict)
    notes = [
        "differs, kept" if difference.kept else "",
        f"says now: {new.message or 'nothing'}" if same else "",
        f"{difference.by_hand:g} given by hand counts" if difference.by_hand is not None else "",
    ]
    return "; ".join(filter(None, notes))


def _shown(outcome: Outcome | None) -> str:
    if outcome is None:
        return _NOTHING
    verdict = "points" if outcome.verdict is None else outcome.verdict.value.replace("_", " ")
    return verdict if outcome.points is None else f"{outcome.points:g} {verdict}"


def _summary(graded: Sequence[Graded]) -> dict[str, Any]:
    """How many of those who had been graded before have more or fewer points now, and what it comes to."""
    again = [one for one in graded if one.again and not one.problem]
    gains = {one.student: sum(difference.gain for difference in one.differences) for one in again}
    otherwise = [one for one in again if not gains[one.student] and any(not found.kept for found in one.differences)]
    up, down = (sum(sign * gain > 0 for gain in gains.values()) for sign in (1, -1))
    return {
        "unchanged": len(again) - up - down - len(otherwise),
        "up": up,
        "down": down,
        "otherwise": len(otherwise),
        "points": sum(gains.values()),
        "kept_cells": sum(difference.kept for one in again for difference in one.differences),
    }


def _summary_line(summary: dict[str, Any], *, dry_run: bool) -> str:
    parts = [f"{summary[name]} {name}" for name in ("unchanged", "up", "down")]
    if summary["otherwise"]:
        parts.append(f"{summary['otherwise']} with the same points by another verdict or message, or by hand")
    kept = summary["kept_cells"]
    line = f"Graded again: {', '.join(parts)}; {summary['points']:+g} points in all."
    line += f" {kept} cell{'s differ' if kept > 1 else ' differs'} and {'were' if kept > 1 else 'was'} kept." if kept else ""
    return line + " Nothing was written." * dry_run


def _sorted(graded: Sequence[Graded]) -> list[Graded]:
    return sorted(graded, key=lambda one: one.student)
