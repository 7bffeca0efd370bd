"""What a student may read of a failed test: the instructor's words and Python's names, whatever the error says."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from autograder.cells import Delimiters, released_source
from autograder.disclosure import Failure, builtin_name, hidden_lines, message_for_student
from autograder.verdict import Score, Verdict, judge_error, judge_value

SECRET = "secret-4711"
GENERIC = "A hidden check of exercise `f` did not hold."
UNKNOWN = "A check of exercise `f` did not hold."


def cell(hidden: str) -> str:
    """A test cell with a visible check in line 1 and `hidden` from line 3 on."""
    return f'assert f(1) == 1, f"f(1) gave {{f(1)}}"\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS'


def failure(*lines: int, ename: str = "AssertionError", evalue: str = SECRET, **others: bool) -> Failure:
    flags = {"by_student": False, "builtin": ename.endswith("Error"), **others}
    return Failure(lines=lines, ename=ename, evalue=evalue, **flags)


def message(source: str, failed: Failure, *, examined: bool = True, after_hidden: bool = False) -> str:
    score = judge_error(failed.ename, failed.evalue)
    return message_for_student(source, score, failed, exercise="f", examined=examined, after_hidden=after_hidden)


TEXTS = [
    ('assert f(2) == 2, "other numbers"', "other numbers"),
    ('assert f(2) == 2, ("other "\n  "numbers")', "other numbers"),
    ('assert (f(2)\n        == 2), f"f({x}) gave {f(x)!r:>9}, not {{2}}"', "f(…) gave …, not {2}"),
    ('assert f(2) == 2, "f gave %r, %5.1f%% of %(n)s" % g', "f gave …, …% of …"),
    ('assert f(2) == 2, "f gave {} {{}} {0[a]:>{w}}.".format(f(2))', "f gave … {} …."),
    ('assert f(2) == 2, "f gave {".format(f(2))', GENERIC),
    ('assert f(2) == 2, "f gave " + str(f(2)) + "!"', "f gave …!"),
    ('assert f(2) == 2, f"f gave {f(2)}" + ", not %d" % 2', "f gave …, not …"),
    ('assert f(2) == 2, "100% " "right"', "100% right"),
    ("assert f(2) == 2, f'{f(2)} {x}'", GENERIC),
    ("assert f(2) == 2, str(f(2))", GENERIC),
    ("assert f(2) == 2, secret + text", GENERIC),
    ("assert f(2) == 2, 'a' if x else 'b'", GENERIC),
    ("assert f(2) == 2, 3 % 2", GENERIC),
    ("assert f(2) == 2", GENERIC),
    ('np.testing.assert_allclose(f(2), want, rtol=1e-3, err_msg="values")', "values"),
    ('np.testing.assert_allclose(f(2), want, err_msg=f"values of {x}")', "values of …"),
    ('np.testing.assert_array_equal(f(2), want, "values")', "values"),
    ('np.testing.assert_equal(f(2), "wanted")', GENERIC),
    ('torch.testing.assert_close(f(2), want, msg="values")', "values"),
    ("torch.testing.assert_close(f(2), want, msg=lambda text: text)", GENERIC),
    ('self.assertEqual("input", f(2), "values")', "values"),
    ('self.assertTrue(f(2), "values")', "values"),
    ('check(f(2) == 2, "values")', "values"),
    ('_check(f(2) == 2, message="values")', "values"),
    ('check_same(f("input"), "wanted")', GENERIC),
    ('pytest.fail("values")', "values"),
    ('raise AssertionError(f"values of {x}")', "values of …"),
    ('raise ValueError("input")', GENERIC),
    ('f("input")', GENERIC),
    ('f(message="input")', GENERIC),
    ('g = check(f(2) == 2, "values")', GENERIC),
    ('with pytest.raises(ValueError, match="input"): f(-1)', GENERIC),
    ('for x in "input": assert f(x), "letters"', "letters"),
]


@pytest.mark.parametrize(("hidden", "shown"), TEXTS)
def test_hidden_check_shows_the_literal_text_of_its_message(hidden: str, shown: str) -> None:
    assert message(cell(hidden), failure(3)) == shown


def test_two_checks_on_one_line_are_told_apart_by_what_was_said() -> None:
    source = cell('assert f(2), "two"; assert f(3), f"three: {f(3)}"')
    assert message(source, failure(3, evalue="three: 4")) == "three: …"
    assert message(source, failure(3, evalue="two")) == "two"
    assert message(source, failure(3)) == GENERIC


HELPER = """\
### BEGIN HIDDEN TESTS
def check(fine, text):
    assert fine{inner}
for x in (2, 3):
    check(f(x) == x, "{outer}")
### END HIDDEN TESTS"""


def test_innermost_statement_that_says_something_counts() -> None:
    assert message(HELPER.format(inner="", outer="other numbers"), failure(5, 3)) == "other numbers"
    assert message(HELPER.format(inner=', "not fine"', outer="other numbers"), failure(5, 3)) == "not fine"
    assert message(HELPER.format(inner="", outer=""), failure(5, 3)) == GENERIC


def test_check_that_pytest_failed_is_a_check() -> None:
    source = cell("with pytest.raises(ValueError):\n    f(-1)")
    assert message(source, failure(3, ename="Failed", evalue="DID NOT RAISE")) == GENERIC


def test_visible_check_is_quoted_whole() -> None:
    source = cell("assert f(2) == 2")
    assert message(source, failure(1)) == SECRET
    assert message(source, failure(1, ename="ValueError", by_student=True)) == f"ValueError: {SECRET}"


@pytest.mark.parametrize("examined", [True, False])
def test_cell_without_a_hidden_part_is_quoted_whole(examined: bool) -> None:
    for lines in ((1,), ()):
        assert message("assert f(1) == 1", failure(*lines), examined=examined) == SECRET
    assert message("1 / 0", failure(1, ename="ZeroDivisionError"), examined=examined) == f"ZeroDivisionError: {SECRET}"


LATER = """\
assert f(1) == 1, f"one gave {f(1)}"
for x in (1, 2):
    assert f(x) == x, f"f gave {f(x)}"
    ### BEGIN HIDDEN TESTS
    assert f(9) == 9
    ### END HIDDEN TESTS
assert f(3) == 3, f"three gave {f(3)}\""""


def test_what_runs_after_a_hidden_check_is_not_quoted() -> None:
    assert message(LATER, failure(1)) == SECRET
    assert message(LATER, failure(3)) == "f gave …"
    assert message(LATER, failure(7)) == "three gave …"
    assert message(LATER, failure(7, ename="ValueError", by_student=True)) == "Your code raised ValueError in a check of `f`."
    assert message("assert f(1) == 1", failure(1), after_hidden=True) == UNKNOWN
    failed = failure(1, ename="TypeError")
    said = message("assert f(1) == 1", failed, after_hidden=True)
    assert said == "The check could not work with what your code returned (TypeError)."


ERRORS = [
    ("ValueError", True, "Your code raised ValueError in a hidden check of `f`."),
    ("AssertionError", True, "Your code raised AssertionError in a hidden check of `f`."),
    ("KeyboardInterrupt", True, "Your code raised KeyboardInterrupt in a hidden check of `f`."),
    (SECRET, True, "Your code raised an exception of its own in a hidden check of `f`."),
    ("print", True, "Your code raised an exception of its own in a hidden check of `f`."),
    ("TypeError", False, "The hidden check could not work with what your code returned (TypeError)."),
    ("LinAlgError", False, "The hidden check could not work with what your code returned."),
]


@pytest.mark.parametrize(("ename", "by_student", "shown"), ERRORS)
@pytest.mark.parametrize("lines", [(3,), (3, 1), ()])
def test_hidden_error_shows_only_the_name_of_pythons_own_exceptions(
    ename: str, by_student: bool, shown: str, lines: tuple[int, ...]
) -> None:
    failed = failure(*lines, ename=ename, by_student=by_student, builtin=True)
    assert message(cell("f(2)"), failed) == shown


def test_class_of_the_students_with_one_of_pythons_names_is_not_pythons() -> None:
    failed = failure(3, ename="ValueError", by_student=True, builtin=False)
    assert "an exception of its own" in message(cell("f(2)"), failed)


def test_unknown_lines_are_hidden() -> None:
    assert message(cell('assert f(2), "two"'), failure()) == GENERIC


UNEXAMINED = [
    ("two", "two"),
    ("two, or so", UNKNOWN),
    ("f(1) gave 7", "f(1) gave …"),
    (f"f(1) gave {SECRET}", "f(1) gave …"),
    ("f(1) gav", UNKNOWN),
    ("\nnot close\nvalues here\n", "values"),
    ("from 1 to 2 in 3", "from … to … in …"),
    ("from 1 in 2 to 3", "from … to …"),
    ("to 1 in 2", UNKNOWN),
    ("input", UNKNOWN),
    (SECRET, UNKNOWN),
    ("", UNKNOWN),
]


@pytest.mark.parametrize(("said", "shown"), UNEXAMINED)
def test_in_the_students_process_only_the_instructors_words_count(said: str, shown: str) -> None:
    hidden = (
        'assert f(2), "two"\ncheck(f(2), "values")\nassert g, f"from {a} to {b} in {c}"\nassert f(3), f"{x}"\n'
        'f("input")\nassert h, f"from {a} to {b}"'
    )
    source = cell(hidden)
    failed = failure(1, evalue=said)
    assert message(source, failed, examined=False) == shown
    assert message_for_student(source, judge_error("AssertionError", said), None, exercise="f", examined=False) == shown


def test_in_the_students_process_an_error_is_only_named() -> None:
    source = cell("assert f(2) == 2")
    for by_student in (True, False):
        failed = failure(1, ename="ValueError", by_student=by_student)
        assert message(source, failed, examined=False) == "A check of exercise `f` ended with ValueError."
    own = failure(1, ename=SECRET, builtin=True)
    assert message(source, own, examined=False) == "A check of exercise `f` ended with an error."


def test_long_message_with_many_gaps_is_matched_at_once() -> None:
    source = cell('assert f(2), f"{a}a{b}a{c}a{d}a{e}a{g}a{h}b"')
    assert message(source, failure(evalue="a" * 1_000_000), examined=False) == UNKNOWN


NUMBER = "The test did not come to a usable number of points, so it earns nothing."
VALUES = [
    (None, ""),
    ("2", ""),
    ("99.123456", ""),
    ("1.5", "1.5 of 2 points."),
    ("0", "The partial score is 0."),
    ("-7.25", NUMBER),
    ("nan", NUMBER),
    (SECRET, NUMBER),
]


@pytest.mark.parametrize(("value", "shown"), VALUES)
def test_value_that_a_hidden_test_ended_with_is_not_quoted(value: str | None, shown: str) -> None:
    score = judge_value(value, 2)
    source = cell("f(2) / 2")
    for examined in (True, False):
        assert message_for_student(source, score, None, exercise="f", examined=examined) == shown
    assert message_for_student("f(2) / 2", score, None, exercise="f") == score.message


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Python itself ended here (died: killed by signal 11 (SIGSEGV)).", "Python itself ended here."),
        ("Not reached: Python ended at test_f (died: exited with status 65).", "Not reached: Python ended at test_f."),
    ],
)
def test_exit_status_is_the_students_to_choose(said: str, shown: str) -> None:
    score = Score(verdict=Verdict.CRASHED, points=0.0, message=said)
    assert message_for_student(cell("f(2)"), score, None, exercise="f") == shown
    assert message_for_student("f(2)", score, None, exercise="f", after_hidden=True) == shown
    assert message_for_student("f(2)", score, None, exercise="f") == said


@pytest.mark.parametrize(
    "verdict",
    [Verdict.MISSING, Verdict.TIMEOUT, Verdict.MEMORY, Verdict.OUTPUT_LIMIT, Verdict.NOT_EXAMINED, Verdict.INTERNAL],
)
def test_the_graders_own_words_stay(verdict: Verdict) -> None:
    score = Score(verdict=verdict, points=None, message="stopped after 60 s")
    assert message_for_student(cell("f(2)"), score, failure(3), exercise="f") == "stopped after 60 s"


def test_failure_that_nobody_knows_more_of_shows_nothing() -> None:
    source = cell("f(2)")
    for verdict, shown in (
        (Verdict.FAILED, GENERIC),
        (Verdict.ERROR, "The hidden check could not work with what your code returned."),
    ):
        score = Score(verdict=verdict, points=0.0, message=SECRET)
        assert message_for_student(source, score, None, exercise="f") == shown


def test_courses_own_delimiters_count() -> None:
    source = "assert f(1)\n# VERSTECKT AN\nassert f(2), f'gave {f(2)}'\n# VERSTECKT AUS"
    own = Delimiters(hidden_begin="VERSTECKT AN", hidden_end="VERSTECKT AUS")
    failed = failure(3)
    score = judge_error("AssertionError", SECRET)
    assert message_for_student(source, score, failed, exercise="f", delimiters=own) == "gave …"
    assert message_for_student(source, score, failed, exercise="f") == SECRET


def test_cell_that_is_not_plain_python_shows_no_text() -> None:
    assert message(cell('%time f(2)\nassert f(2), "two"'), failure(4)) == GENERIC
    assert message(cell("%time f(2)"), failure(1)) == UNKNOWN


LINES = strategies.lists(
    strategies.sampled_from(["a", "", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS", "=== BEGIN MARK SCHEME ==="])
)


@given(LINES)
def test_hidden_lines_are_those_that_a_release_leaves_out(lines: list[str]) -> None:
    source = "\n".join(lines)
    hidden = hidden_lines(source)
    kept = "\n".join(line for number, line in enumerate(source.split("\n"), 1) if number not in hidden)
    assert kept == released_source(source)


@given(strategies.text(), strategies.text(min_size=30), strategies.booleans(), strategies.booleans())
def test_nothing_of_an_error_in_a_hidden_check_is_shown(ename: str, evalue: str, by_student: bool, examined: bool) -> None:
    failed = Failure(lines=(3,), by_student=by_student, ename=ename, evalue=evalue, builtin=True)
    score = judge_error(ename, evalue)
    said = message_for_student(cell("assert f(2)"), score, failed, exercise="f", examined=examined)
    assert evalue not in said


def test_names_are_pythons_or_nothing() -> None:
    assert [builtin_name(name) for name in ("ValueError", "SystemExit", "print", "None", SECRET)] == [
        "ValueError",
        "SystemExit",
        "",
        "",
        "",
    ]
