"""Scoring: never more than was earned, never a crash, whatever a cell ends with."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.verdict import Score, Verdict, judge_error, judge_value

points = st.floats(min_value=0, max_value=1e6)


@given(text=st.text(), max_points=points)
def test_any_text_gives_points_between_nothing_and_full(text: str, max_points: float) -> None:
    score = judge_value(text, max_points)
    assert score.points is not None
    assert 0 <= score.points <= max_points
    assert score.message or score.verdict is Verdict.PASSED


@given(value=st.floats(), max_points=points)
def test_a_number_earns_itself_clamped_and_nothing_else_earns(value: float, max_points: float) -> None:
    expected = min(max(value, 0.0), max_points) if math.isfinite(value) else 0.0
    assert judge_value(repr(value), max_points).points == expected


def test_no_value_is_full_marks() -> None:
    assert judge_value(None, 5) == Score(verdict=Verdict.PASSED, points=5)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("5", Verdict.PASSED),
        ("5.0", Verdict.PASSED),
        ("2.5", Verdict.PARTIAL),
        ("0", Verdict.FAILED),
        ("True", Verdict.FAILED),
        ("np.float64(2.5)", Verdict.PARTIAL),
        ("np.int64(5)", Verdict.PASSED),
        ("np.float64(nan)", Verdict.FAILED),
    ],
)
def test_verdict_of_a_value(text: str, verdict: Verdict) -> None:
    assert judge_value(text, 5).verdict is verdict


@pytest.mark.parametrize(
    ("ename", "evalue", "verdict"),
    [
        ("AssertionError", "message", Verdict.FAILED),
        ("NotImplementedError", "", Verdict.MISSING),
        ("NotImplementedError", "op not implemented for Half", Verdict.ERROR),
        ("MemoryError", "", Verdict.MEMORY),
        ("ValueError", "message", Verdict.ERROR),
        ("", "", Verdict.ERROR),
    ],
)
def test_verdict_of_an_error_is_worth_nothing(ename: str, evalue: str, verdict: Verdict) -> None:
    score = judge_error(ename, evalue)
    assert (score.verdict, score.points) == (verdict, 0)


def test_only_unsettled_verdicts_ask_for_a_human() -> None:
    assert [verdict for verdict in Verdict if verdict.needs_human] == [Verdict.NOT_EXAMINED, Verdict.INTERNAL]
