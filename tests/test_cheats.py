"""No cheat earns a point that it did not earn or learns a hidden test, and nobody else pays for it.

Each file of tests/cheats/ideas is one student of a class that is graded once, with nbgrader's own commands; `tests/cheats`
says how it is made. docs/cheating.md has how everybody fared.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.cheats.grading import BLANK, HONEST, OURS, Class, grade_class
from tests.cheats.leaks import is_message
from tests.cheats.reading import Cheat, cheats
from tests.cheats.table import is_careless

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(3000)]
CHEATS = cheats()
_ROUNDING = 0.01
_WAITS = "not_examined"
"""The verdict on a test that a person has to look at."""


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """The whole class."""
    return grade_class(tmp_path_factory.mktemp("class") / "course", OURS, CHEATS)


every_cheat = pytest.mark.parametrize("cheat", CHEATS, ids=[cheat.name for cheat in CHEATS])


@every_cheat
def test_cheat_earns_what_is_its_own_and_nothing_else(graded: Class, cheat: Cheat) -> None:
    student = graded.students[cheat.name]
    earned = {test: student.points[test] for test in cheat.points}
    assert {test for test, points in earned.items() if points is None} <= {t for t in earned if student.verdicts[t] == _WAITS}
    too_much = {test: points for test, points in earned.items() if (points or 0) > cheat.points[test] + _ROUNDING}
    assert not too_much, f"{cheat.idea}: its own part is worth {dict(cheat.points)}; verdicts {student.verdicts}"


@every_cheat
def test_other_exercises_of_a_cheat_keep_their_points(graded: Class, cheat: Cheat) -> None:
    student = graded.students[cheat.name]
    others = graded.most.keys() - cheat.points.keys() - cheat.lost
    if "rest" in cheat.lost:
        others = set()
    less = {test: student.points[test] for test in sorted(others) if student.points[test] != graded.most[test]}
    assert not less, {test: student.verdicts.get(test) for test in less}


@every_cheat
def test_cheat_learns_nothing_hidden(graded: Class, cheat: Cheat) -> None:
    student = graded.students[cheat.name]
    told = {token: where for token, where in student.learned.items() if not is_message(token)}
    assert not told or cheat.stays, told
    said = Counter(graded.tokens[token] for token in student.learned if is_message(token))
    assert all(student.verdicts[test] == "failed" and times == 1 for test, times in said.items()), said


def test_no_submission_ends_the_run(graded: Class) -> None:
    assert graded.held_up == frozenset()


@pytest.mark.parametrize("name", HONEST)
def test_honest_students_get_everything_whoever_else_is_in_the_class(graded: Class, name: str) -> None:
    assert graded.students[name].points == graded.most
    assert graded.students[name].learned == {}


def test_who_hands_in_nothing_gets_nothing(graded: Class) -> None:
    assert not any(graded.students[BLANK].points.values())
    assert graded.students[BLANK].learned == {}


@pytest.mark.parametrize("cheat", [one for one in CHEATS if one.stays], ids=lambda one: one.name)
def test_what_the_document_says_cannot_be_denied_is_still_so(graded: Class, cheat: Cheat) -> None:
    student = graded.students[cheat.name]
    careless = {test: points for test, points in cheat.points.items() if is_careless(test) and points == graded.most[test]}
    assert all(student.points[test] == points for test, points in careless.items()), student.points
    assert careless or student.learned, "nothing of what it says was seen"
