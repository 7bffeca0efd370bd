"""What changed in an assignment since it was released, and for whom it matters.

Runs: trusted side. Knows neither nbgrader nor files: cells and recorded scores come in, a `Revision` goes out.

nbgrader ties grades to cells by their ids, so an id that is gone takes its grades along. A cell that has another id and is
otherwise the same is taken for a renamed one, whose grades stay; where that cannot be seen for certain, only a person can say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

from autograder.cells import bound_names
from autograder.errors import AutograderError
from autograder.restore import SourceCell

Cells = Mapping[str, Sequence[SourceCell]]
"""Notebook -> the instructor's cells."""
LIKELY = 0.8
"""How alike (0 to 1) two cells are of which one may be the other under a new id."""


class What(StrEnum):
    """In which way a cell or file changed."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    EDITED = "edited"
    POINTS = "points"
    KIND = "kind"
    """It is graded in another way now, such as by hand instead of by test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """One change of one cell, or of a file that goes with the notebook."""

    notebook: str
    """Empty for a file."""
    grade_id: str
    """The cell's id now, or the last one it had; a file's path."""
    what: What
    detail: str
    matters: bool = True
    """Whether a recorded score can come out otherwise. The cells of comments and of text cannot do that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What the gradebook holds for one graded cell of one submission."""

    student: str
    notebook: str
    grade_id: str
    auto_score: float | None
    manual_score: float | None
    extra_credit: float | None

    @property
    def points(self) -> float:
        """What counts, by nbgrader's rule."""
        base = self.auto_score if self.manual_score is None else self.manual_score
        return 0.0 if base is None else base + (self.extra_credit or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What the changes mean for one student."""

    student: str
    recorded: float
    low: float
    """The least that can stand there once the submission is graded again."""
    high: float
    notes: tuple[str, ...]
    """Each score that has to change or may, and each that a person must look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Everything that changed since the release."""

    id: str
    changes: tuple[CellChange, ...]
    students: tuple[Affected, ...]
    """Everybody with a submission."""
    points_then: float
    points_now: float
    renamed: Mapping[tuple[str, str], str]
    """(notebook, old id) -> new id."""

    def __str__(self) -> str:
        count = len(self.students)
        who = f"{count} submission{'s' if count != 1 else ''} in the gradebook"
        if not self.changes:
            return f"{self.id}: {who}, and nothing changed since the release."
        lines = [f"{self.id}: changed since the release, with {who}."]
        width = max(len(change.grade_id) for change in self.changes)
        lines += [f"  {change.what:<8} {change.grade_id:<{width}}  {change.detail}".rstrip() for change in self.changes]
        lines += [f"  {self._says(student)}" for student in self.students]
        return "\n".join(lines)

    def _says(self, student: Affected) -> str:
        then, now = f"{student.recorded:g} of {self.points_then:g}", f"of {self.points_now:g}"
        if not student.notes and self.points_then == self.points_now:
            return f"{student.student}: {then}, as before"
        span = f"{student.low:g}" if student.low == student.high else f"{student.low:g} to {student.high:g}"
        return f"{student.student}: {then} recorded, {span} {now} once graded again" + "".join(
            f"\n      {note}" for note in student.notes
        )

    def to_json(self) -> dict[str, Any]:
        """The revision as plain data."""
        return {
            "id": self.id,
            "points_then": self.points_then,
            "points_now": self.points_now,
            "changes": [asdict(change) for change in self.changes],
            "renamed": [{"notebook": book, "from": old, "to": new} for (book, old), new in self.renamed.items()],
            "students": [asdict(student) for student in self.students],
        }


def compare(
    name: str,
    then: Cells,
    now: Cells,
    *,
    students: Sequence[str] = (),
    scores: Sequence[Score] = (),
    renames: Mapping[str, str] | None = None,
    files: Sequence[CellChange] = (),
) -> Revision:
    """The changes from the cells `then` to those `now`, and what they mean for each of `students`, given their `scores`.

    `renames` (old id -> new id) says of removed cells what they are called now; `files` are changes of other files.

    Raises:
        AutograderError: a rename names a cell that was not removed, or one that was not added.
    """
    renamed = _renamed(then, now, renames or {})
    before = {(book, renamed.get((book, cell.grade_id), cell.grade_id)): cell for book in then for cell in then[book]}
    after = {(book, cell.grade_id): cell for book in now for cell in now[book]}
    changes = [
        CellChange(
            notebook=book,
            grade_id=new,
            what=What.RENAMED,
            detail=f"was {old}: its grades stay, but submissions handed in before hold it as {old}",
        )
        for (book, old), new in renamed.items()
    ]
    for place in dict.fromkeys([*before, *after]):
        changes += _changes(place, before.get(place), after.get(place), after)
    changes += files
    anew = any(change.matters and _runs_before_tests(change, before, after) for change in changes)
    prospects = _Prospects(
        before, after, {(c.notebook, c.grade_id) for c in changes if c.matters and c.what is What.EDITED}, anew
    )
    moved = [replace(score, grade_id=renamed.get((score.notebook, score.grade_id), score.grade_id)) for score in scores]
    return Revision(
        id=name,
        changes=tuple(changes),
        students=tuple(prospects.of(student, [score for score in moved if score.student == student]) for student in students),
        points_then=sum(cell.points or 0.0 for cell in before.values()),
        points_now=sum(cell.points or 0.0 for cell in after.values()),
        renamed=renamed,
    )


def compare_files(then: Mapping[str, bytes], now: Mapping[str, bytes]) -> list[CellChange]:
    """The files beside the notebook that changed; nothing where `then` is empty, because nobody knows what was there."""
    found = []
    for name in sorted({*then, *now} if then else ()):
        if name.endswith(".ipynb") or then.get(name) == now.get(name):
            continue
        what = What.ADDED if name not in then else What.REMOVED if name not in now else What.EDITED
        found.append(CellChange(notebook="", grade_id=name, what=what, detail="a file that tests may read: grade again"))
    return found


def _renamed(then: Cells, now: Cells, said: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Which removed cell is which added one: those that were `said` to be, and those that leave no doubt."""
    found: dict[tuple[str, str], str] = {}
    unused = dict(said)
    for book in then:
        removed, added = _only(then[book], now.get(book, ())), _only(now.get(book, ()), then[book])
        for old, new in said.items():
            if old in removed and new in added:
                found[book, old] = new
                unused.pop(old, None)
                del removed[old], added[new]
        found |= {(book, old): new for old, new in _without_doubt(removed, added)}
    if unused:
        old, new = next(iter(unused.items()))
        raise AutograderError(
            f"{old} -> {new} is no rename: {old} must be the id of a cell that is gone since the release, and {new} that of one "
            "that is new. See the list of changes."
        )
    return found


def _only(cells: Sequence[SourceCell], others: Sequence[SourceCell]) -> dict[str, SourceCell]:
    """The cells whose id is not among `others`."""
    known = {cell.grade_id for cell in others}
    return {cell.grade_id: cell for cell in cells if cell.grade_id not in known}


def _without_doubt(removed: Mapping[str, SourceCell], added: Mapping[str, SourceCell]) -> Iterator[tuple[str, str]]:
    """Pairs of cells with the same text, where that says something and no other cell has it.

    What the gradebook holds of an answer is nbgrader's stub, the same for all: it never tells one from another.
    """
    for old, cell in removed.items():
        twins = [name for name, other in added.items() if _same_text(cell, other)]
        rivals = [name for name, other in removed.items() if _same_text(cell, other)]
        telling = bool(cell.source.strip()) if cell.locked else cell.cell_type == "code" and bool(bound_names(cell.source))
        if telling and len(twins) == len(rivals) == 1:
            yield old, twins[0]


def _same_text(one: SourceCell, other: SourceCell) -> bool:
    return _kind(one) == _kind(other) and one.cell_type == other.cell_type and one.source.strip() == other.source.strip()


def _kind(cell: SourceCell) -> str:
    if cell.task:
        return "a task graded by hand"
    if cell.grade:
        return "an answer graded by hand" if cell.solution or cell.cell_type != "code" else "a test"
    return "an exercise" if cell.solution else "a given cell"


def _is_test(cell: SourceCell | None) -> bool:
    return cell is not None and _kind(cell) == "a test"


def _changes(
    place: tuple[str, str], then: SourceCell | None, now: SourceCell | None, after: Mapping[tuple[str, str], SourceCell]
) -> Iterator[CellChange]:
    book, name = place
    if then is None and now is not None:
        yield CellChange(notebook=book, grade_id=name, what=What.ADDED, detail=_described(now), matters=_matters(now))
    elif then is not None and now is None:
        detail = f"{_described(then)}{_likely_name(then, book, after)}"
        yield CellChange(notebook=book, grade_id=name, what=What.REMOVED, detail=detail, matters=_matters(then))
    elif then is not None and now is not None:
        yield from _edits(book, name, then, now)


def _edits(book: str, name: str, then: SourceCell, now: SourceCell) -> Iterator[CellChange]:
    if (_kind(then), then.cell_type) != (_kind(now), now.cell_type):
        detail = f"was {_kind(then)} ({then.cell_type}), is {_kind(now)} ({now.cell_type})"
        yield CellChange(notebook=book, grade_id=name, what=What.KIND, detail=detail)
    elif then.points != now.points:
        detail = f"{then.points or 0:g} -> {now.points or 0:g}"
        yield CellChange(notebook=book, grade_id=name, what=What.POINTS, detail=detail)
    if then.source != now.source:
        same = then.cell_type == now.cell_type == "code" and _same_code(then.source, now.source)
        detail = f"{_kind(now)}: comments or layout only" if same else _kind(now)
        yield CellChange(notebook=book, grade_id=name, what=What.EDITED, detail=detail, matters=not same and _matters(now))


def _described(cell: SourceCell) -> str:
    return _kind(cell) if cell.points is None else f"{_kind(cell)}, {cell.points:g} points"


def _matters(cell: SourceCell) -> bool:
    """Whether a cell can change a score: graded, or code that runs before tests. What students write there stays theirs."""
    return cell.points is not None or (cell.cell_type == "code" and not cell.solution)


def _likely_name(cell: SourceCell, book: str, after: Mapping[tuple[str, str], SourceCell]) -> str:
    """A hint where a cell now looks like the one that is gone."""
    for (other, name), candidate in after.items():
        alike = SequenceMatcher(None, cell.source, candidate.source, autojunk=False)
        if (
            other == book
            and _kind(candidate) == _kind(cell)
            and candidate.grade_id != cell.grade_id
            and (alike.quick_ratio() >= LIKELY and alike.ratio() >= LIKELY)
        ):
            return f"; its grades stay if it is {name} now: --rename {cell.grade_id}={name}"
    return ""


def _same_code(one: str, other: str) -> bool:
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError):
        return False


def _runs_before_tests(
    change: CellChange, before: Mapping[tuple[str, str], SourceCell], after: Mapping[tuple[str, str], SourceCell]
) -> bool:
    """Whether a change can make any test come out otherwise: a file, or given code."""
    place = change.notebook, change.grade_id
    cells = [cell for cell in (before.get(place), after.get(place)) if cell is not None]
    given = any(_kind(cell) == "a given cell" and cell.cell_type == "code" for cell in cells)
    return not change.notebook or (given and change.what is not What.RENAMED)


@dataclass(frozen=True, slots=True)
class _Prospects:
    """Works out what scores can become."""

    before: Mapping[tuple[str, str], SourceCell]
    after: Mapping[tuple[str, str], SourceCell]
    edited: set[tuple[str, str]]
    anew: bool
    """Whether every test has to be run again."""

    def of(self, student: str, scores: Sequence[Score]) -> Affected:
        """What becomes of one student's `scores`, whose cells are named as they are now."""
        low = high = 0.0
        notes: list[str] = []
        graded = {(score.notebook, score.grade_id): score for score in scores}
        for place in dict.fromkeys([*graded, *(place for place, cell in self.after.items() if cell.points is not None)]):
            least, most, note = self._span(place, graded.get(place))
            low, high = low + least, high + most
            notes += [f"{place[1]}: {note}"] if note else []
        recorded = sum(score.points for score in scores)
        return Affected(student=student, recorded=recorded, low=low, high=high, notes=tuple(notes))

    def _span(self, place: tuple[str, str], score: Score | None) -> tuple[float, float, str]:
        """(least, most, what to know) for one graded cell."""
        then, now = self.before.get(place), self.after.get(place)
        points = 0.0 if score is None else score.points
        if now is None or now.points is None:
            return 0.0, 0.0, f"{points:g} points go; they are kept in the export" if score and _is_marked(score) else ""
        if score is None or then is None or _kind(then) != _kind(now):
            return 0.0, now.points, "new, by test" if _is_test(now) else "new, to be graded by hand"
        if score.manual_score is not None:
            note = f"{score.manual_score:g} given by hand stays, and is above the new maximum of {now.points:g}"
            looked_at = place in self.edited or then.points != now.points
            said = note if score.manual_score > now.points else f"{score.manual_score:g} given by hand stays; look at it again"
            return points, points, said if looked_at else ""
        if not _is_test(now) or score.auto_score is None:
            return points, points, ""
        return self._regraded(place, score, then.points or 0.0, now.points)

    def _regraded(self, place: tuple[str, str], score: Score, most_then: float, most: float) -> tuple[float, float, str]:
        extra, earned = score.extra_credit or 0.0, score.auto_score or 0.0
        if place in self.edited or self.anew:
            why = "its test changed" if place in self.edited else "what runs before it changed"
            return extra, most + extra, f"{earned:g} recorded, {why}: 0 to {most:g}"
        if most == most_then or earned == 0:
            return earned + extra, earned + extra, ""
        if earned == most_then:
            return most + extra, most + extra, f"{earned:g} becomes {most:g}"
        return extra, most + extra, f"{earned:g} recorded in part: 0 to {most:g}"


def _is_marked(score: Score) -> bool:
    return score.auto_score is not None or score.manual_score is not None
