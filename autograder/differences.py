"""What grading again changed: how each cell had come out, and how it comes out now.

Runs: trusted side. Knows neither nbgrader nor files: reports and recorded scores come in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.package import GradedSubmission, Package
from autograder.report import Report
from autograder.revision import Score
from autograder.verdict import Verdict

Outcomes = Mapping[tuple[str, str], "Outcome"]
"""(notebook, grade id) -> how that cell came out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one graded cell came out, as the grader has it."""

    verdict: Verdict | None = None
    """None where only the points are known: graded without a report."""
    points: float | None = None
    """None when only a human can say."""
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        verdict = None if self.verdict is None else self.verdict.value
        return {"verdict": verdict, "points": self.points, "message": self.message}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The inverse of `to_json`."""
        verdict = None if data["verdict"] is None else Verdict(data["verdict"])
        return cls(verdict=verdict, points=data["points"], message=data["message"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One cell that comes out otherwise than before."""

    notebook: str
    grade_id: str
    old: Outcome | None
    """None where the cell was not there when the submission was graded before."""
    new: Outcome
    by_hand: float | None = None
    """What a person gave: it counts, before and after. None where nobody did."""
    kept: bool = False
    """Whether the old outcome stays, because other cells were to be graded again."""

    @property
    def gain(self) -> float:
        """By how many points the student's score changes."""
        if self.kept or self.by_hand is not None:
            return 0.0
        return (self.new.points or 0.0) - (0.0 if self.old is None else self.old.points or 0.0)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "notebook": self.notebook,
            "cell": self.grade_id,
            "old": None if self.old is None else self.old.to_json(),
            "new": self.new.to_json(),
            "by_hand": self.by_hand,
            "kept": self.kept,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Difference:
        """The inverse of `to_json`."""
        return cls(
            notebook=data["notebook"],
            grade_id=data["cell"],
            old=None if data["old"] is None else Outcome.from_json(data["old"]),
            new=Outcome.from_json(data["new"]),
            by_hand=data["by_hand"],
            kept=data["kept"],
        )


def outcomes_before(reports: Sequence[Report], scores: Sequence[Score]) -> Outcomes:
    """How the cells of one submission had come out.

    The reports lie in the graded folder, which is moved into place last, so they say what stood before even where an earlier
    run was killed after it had written the gradebook. Where there is none, the gradebook's points are all that is known.
    """
    found = {
        (score.notebook, score.grade_id): Outcome(points=score.auto_score) for score in scores if score.auto_score is not None
    }
    for report in reports:
        found |= _outcomes(report)
    return found


def outcomes_after(package: Package, result: GradedSubmission) -> Outcomes:
    """How the cells come out now; those of a notebook that was not handed in are worth nothing."""
    found: dict[tuple[str, str], Outcome] = {}
    graded = {notebook.name: notebook.report for notebook in result.notebooks}
    for sheet in package.sheets:
        if sheet.name in graded:
            found |= _outcomes(graded[sheet.name])
        else:
            nothing = Outcome(verdict=Verdict.MISSING, points=0.0)
            found |= {(sheet.name, cell.grade_id): nothing for cell in sheet.cells if cell.points is not None}
    return found


def differences(
    before: Outcomes, after: Outcomes, scores: Sequence[Score], chosen: Collection[str] | None = None
) -> tuple[Difference, ...]:
    """The cells that come out otherwise. With `chosen` (grade ids) the others are kept as they were.

    Nothing is a difference where nothing was known before. Cells that are gone since are none either: it was the release that
    took them, and said so.
    """
    by_hand = {(score.notebook, score.grade_id): score.manual_score for score in scores}
    notebooks = {notebook for notebook, _ in before}
    return tuple(
        Difference(
            notebook=place[0],
            grade_id=place[1],
            old=before.get(place),
            new=new,
            by_hand=by_hand.get(place),
            kept=chosen is not None and place[1] not in chosen,
        )
        for place, new in after.items()
        if place[0] in notebooks and _differ(before.get(place), new)
    )


def _outcomes(report: Report) -> dict[tuple[str, str], Outcome]:
    return {
        (report.notebook, cell.grade_id): Outcome(verdict=cell.verdict, points=cell.points, message=cell.message)
        for cell in report.cells
    }


def _differ(old: Outcome | None, new: Outcome) -> bool:
    if old is None or old.verdict is None:
        return old is None or old.points != new.points
    return old != new
