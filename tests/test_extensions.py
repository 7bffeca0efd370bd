"""`extensions.toml`: what it says, and what it says of a mistake in it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from autograder.errors import ExtensionsError
from autograder.extensions import FILE, Extensions, LateRule, read_extensions

BEN = '[[extension]]\nstudent = "ben"\nassignment = "ps1"\nuntil = {}\n'
NOON = "2026-10-12T14:00:00+02:00"


def read(tmp_path: Path, text: str) -> Extensions:
    (tmp_path / FILE).write_text(text)
    return read_extensions(tmp_path)


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert read_extensions(tmp_path) == Extensions()


def test_an_extension_moves_the_date_of_one_student_and_never_to_an_earlier_one(tmp_path: Path) -> None:
    found = read(tmp_path, BEN.format(NOON) + 'reason = "ill"\n')
    early, late = datetime(2026, 10, 10), datetime(2026, 10, 13)
    assert found.due("ben", "ps1", early) == datetime(2026, 10, 12, 12)
    assert found.due("ben", "ps1", late) == late
    assert found.due("ben", "ps2", early) == found.due("ada", "ps1", early) == early
    assert found.rule is None


def test_the_rule_counts_days_begun_up_to_its_most_after_its_grace() -> None:
    rule, hour = LateRule(percent_per_day=20, most_percent=50, grace_minutes=15), 3600
    lateness = [900, 901, 24 * hour, 24 * hour + 1, 72 * hour]
    assert [rule.penalty(10, seconds) for seconds in lateness] == [0, 2, 2, 4, 5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("late = ", "not valid TOML"),
        (BEN.format('"2026-10-12"'), "extension 1 (ben): until = 2026-10-12 is not a moment"),
        (BEN.format("2026-10-12T12:00:00"), "how far from UTC"),
        (BEN.format("2026-10-12"), "how far from UTC"),
        (BEN.format(NOON) + BEN.format(NOON), "ben has more than one extension for ps1"),
        (BEN.format(NOON) + 'why = "ill"', "unknown 'why'; known are student, assignment, until, reason"),
        ('[[extension]]\nstudent = "ben"', "extension 1: assignment and until missing"),
        ("[[extension]]\nstudent = 7\nassignment = 'ps1'\nuntil = " + NOON, "student = 7 is not text"),
        ('[extension]\nstudent = "ben"', "with two brackets"),
        ("[extensions]", "unknown 'extensions'; known are late, extension"),
        ("late = 10", "late = 10 is not a table"),
        ("[late]\ngrace_minutes = 5", "percent_per_day missing"),
        ("[late]\npercent_per_day = 101", "percent_per_day = 101 is not a number from 0 to 100"),
        ("[late]\npercent_per_day = 10\nmost_percent = nan", "most_percent = nan is not a number"),
        ("[late]\npercent_per_day = 10\ngrace_minutes = -1", "grace_minutes = -1 is not a number from 0"),
    ],
)
def test_a_mistake_is_named_with_the_file_and_what_to_write(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ExtensionsError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert FILE in str(caught.value)
