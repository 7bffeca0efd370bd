"""What a student may read of a test that did not pass: nothing hidden, neither source nor inputs nor values.

Runs: trusted side.

Student code meets the inputs of hidden checks and decides much of what an error says: the text of its exceptions, the names of
its classes, the values that a message quotes. So the message of a hidden check is made of what the instructor wrote, and of
names of Python's own exceptions. What student code has met once it can say later: nothing that runs after a hidden check is
quoted either. Staff read everything in the report.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from string import Formatter

from autograder.cells import NBGRADERS, Delimiters, released_source
from autograder.verdict import Score, Verdict

_QUOTES_NOTHING = (
    *(Verdict.MISSING, Verdict.TIMEOUT, Verdict.MEMORY, Verdict.OUTPUT_LIMIT),
    *(Verdict.PARTIAL, Verdict.NOT_EXAMINED, Verdict.INTERNAL),
)
"""Verdicts whose messages are the grader's own words and limits, or the score itself."""
_NO_CHECK_HELD = ("AssertionError", "Failed")
"""What a check raises that does not hold; the second is pytest's."""
_ABOUT_POINTS = ("The partial score", "The test ended with")
"""How the messages begin that quote a test's value."""
_ZERO = "The partial score is 0."
_KEYWORDS = ("msg", "err_msg", "message")
_CHECKING = re.compile(r"_*(assert|check|expect|fail)")
"""Names of functions that check; only their arguments are read, since a string passed to another is an input."""
_JUST_CHECKING = re.compile(r"_*(check|expect|fail|assert_?(true|false)?)_*", re.IGNORECASE)
"""Those that compare nothing: any string they are given is a message. To others the first two can be values."""
_PERCENT = re.compile(r"%(?:\([^)]*\))?[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[hlL]?[a-zA-Z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a test cell failed, by somebody who can be believed."""

    lines: tuple[int, ...]
    """1-based line numbers within the cell's source of the frames that lie in it, outermost first; empty where unknown."""
    by_student: bool
    """Whether student code raised it."""
    ename: str
    evalue: str
    builtin: bool
    """Whether `ename` names one of Python's own exception classes."""


Pieces = tuple[str, ...]
"""Literal text; between two pieces stands a value."""
_GAP: Pieces = ("", "")


def hidden_lines(source: str, delimiters: Delimiters = NBGRADERS) -> frozenset[int]:
    """The 1-based numbers of the lines of `source` that are not released."""
    count = source.count("\n") + 1
    numbered = "\n".join(f"{number}\t{line}" for number, line in enumerate(source.split("\n"), 1))
    released = {int(line.partition("\t")[0]) for line in released_source(numbered, delimiters).split("\n") if line}
    return frozenset(range(1, count + 1)) - released


def builtin_name(ename: str) -> str:
    """`ename` if one of Python's own exceptions is called so, else nothing: the name of a class can carry data."""
    found = vars(builtins).get(ename)
    return ename if isinstance(found, type) and issubclass(found, BaseException) else ""


def message_for_student(
    source: str,
    score: Score,
    failure: Failure | None,
    *,
    exercise: str,
    delimiters: Delimiters = NBGRADERS,
    examined: bool = True,
    after_hidden: bool = False,
) -> str:
    """What the student reads of the test cell `source`, which came to `score`; nothing that tells of hidden checks.

    A cell without a hidden part has its whole message. `failure` is None when the test ended by itself or nobody knows how.
    `examined=False` says that the test ran in the student's process, where nothing that it says can be believed;
    `after_hidden` that student code had met another cell's hidden checks by then.
    """
    hidden = hidden_lines(source, delimiters)
    if score.verdict in _QUOTES_NOTHING or not (hidden or after_hidden):
        return score.message
    if score.verdict is Verdict.PASSED:
        return ""
    if score.verdict is Verdict.CRASHED:
        return re.sub(r" \(.*\)", "", score.message)  # student code chooses with which status it exits
    if failure is None and score.message.startswith(_ABOUT_POINTS):
        return _ZERO if score.message == _ZERO else "The test did not come to a usable number of points, so it earns nothing."
    texts = _Texts(source)
    if not examined:
        return _unexamined(texts, score, failure, exercise)
    is_hidden = failure is None or not failure.lines or not hidden.isdisjoint(failure.lines)
    if failure is not None and not is_hidden and not after_hidden and texts.over_by(min(hidden), failure.lines[0]):
        return score.message
    return _examined(texts, score, failure, exercise, "hidden check" if is_hidden and hidden else "check")


def _unexamined(texts: _Texts, score: Score, failure: Failure | None, exercise: str) -> str:
    """Only the instructor's words and Python's names; which check it was cannot be known."""
    if score.verdict is Verdict.FAILED:
        said = failure.evalue if failure is not None else score.message
        return texts.closest(said) or f"A check of exercise `{exercise}` did not hold."
    return f"A check of exercise `{exercise}` ended with {_name(failure) or 'an error'}."


def _examined(texts: _Texts, score: Score, failure: Failure | None, exercise: str, check: str) -> str:
    name = _name(failure)
    if failure is not None and failure.by_student:
        return f"Your code raised {name or 'an exception of its own'} in a {check} of `{exercise}`."
    if score.verdict is Verdict.FAILED or (failure is not None and failure.ename in _NO_CHECK_HELD):
        return (failure and texts.innermost(failure)) or f"A {check} of exercise `{exercise}` did not hold."
    return f"The {check} could not work with what your code returned{f' ({name})' if name else ''}."


def _name(failure: Failure | None) -> str:
    return builtin_name(failure.ename) if failure is not None and failure.builtin else ""


@dataclass(frozen=True, slots=True)
class _Text:
    """The message that the instructor wrote for one check."""

    pieces: Pieces
    lines: range
    """Where the statement stands that says it."""
    within: bool
    """Whether a function was given it, which may say more around it."""

    def __str__(self) -> str:
        return "…".join(self.pieces)

    def fits(self, said: str) -> bool:
        """Whether `said` is this message with values in it."""
        pieces = ("", *self.pieces, "") if self.within else self.pieces
        if len(pieces) == 1:
            return said == pieces[0]
        start, *middle, end = pieces
        place = len(start)
        for piece in middle:  # not as a regular expression, which a long text could keep busy for hours
            found = said.find(piece, place)
            if found < 0:
                return False
            place = found + len(piece)
        return said.startswith(start) and said.endswith(end) and len(said) - len(end) >= place


class _Texts:
    """The messages that the instructor wrote for the checks of a test cell; none in a cell that is not plain Python."""

    def __init__(self, source: str) -> None:
        try:
            self._tree = ast.parse(source)
        except (SyntaxError, ValueError):
            self._tree = ast.Module(body=[], type_ignores=[])
        self._texts = [text for node in ast.walk(self._tree) if isinstance(node, ast.stmt) for text in _texts_of(node)]

    def over_by(self, hidden: int, line: int) -> bool:
        """Whether the top-level statement that `line` belongs to ends before line `hidden`."""
        return any(line in _lines_of(statement) and _lines_of(statement)[-1] < hidden for statement in self._tree.body)

    def closest(self, said: str) -> str:
        """The message that came out as `said`, the one with most literal text; empty if none did."""
        fitting = [text for text in self._texts if text.fits(said)]
        return str(max(fitting, key=lambda text: sum(map(len, text.pieces)))) if fitting else ""

    def innermost(self, failure: Failure) -> str:
        """The message of the innermost statement on the way to `failure` that has one; empty if none has."""
        for line in reversed(failure.lines):
            here = [text for text in self._texts if line in text.lines]
            chosen = here if len(here) == 1 else [text for text in here if text.fits(failure.evalue)]
            if chosen:
                return str(chosen[0])
        return ""


def _lines_of(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _texts_of(statement: ast.stmt) -> Iterator[_Text]:
    match statement:
        case ast.Assert(msg=ast.expr() as message):
            found = _pieces(message)
        case ast.Raise(exc=ast.Call(func=ast.Name(id="AssertionError"), args=[message])):
            found = _pieces(message)
        case ast.Expr(value=ast.Call() as call):
            found = _message_of(call)
        case _:
            found = None
    if found is not None and any(character.isalnum() for piece in found for character in piece):
        yield _Text(found, _lines_of(statement), within=isinstance(statement, ast.Expr))


def _message_of(call: ast.Call) -> Pieces | None:
    """The message among the arguments of a function that checks."""
    name = ast.unparse(call.func).rpartition(".")[2]
    if not _CHECKING.match(name):
        return None
    named = [keyword.value for keyword in call.keywords if keyword.arg in _KEYWORDS]
    positional = call.args[0 if _JUST_CHECKING.fullmatch(name) else 2 :]
    return next((pieces for message in (*named, *reversed(positional)) if (pieces := _pieces(message))), None)


def _pieces(node: ast.expr) -> Pieces | None:
    """The literal text of an expression that makes a string; None if it has none."""
    match node:
        case ast.Constant(value=str() as literal):
            return (literal,)
        case ast.JoinedStr(values=parts):
            return _joined(parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right) if _pieces(left) or _pieces(right):
            return _joined([left, right])
        case ast.BinOp(left=left, op=ast.Mod()) if text := _pieces(left):
            return tuple(part for piece in text for part in _percent(piece))
        case ast.Call(func=ast.Attribute(value=left, attr="format")) if text := _pieces(left):
            return tuple(part for piece in text for part in _braces(piece))
    return None


def _joined(parts: Sequence[ast.expr]) -> Pieces:
    return reduce(
        lambda left, right: (*left[:-1], left[-1] + right[0], *right[1:]), (_pieces(part) or _GAP for part in parts), ("",)
    )


def _percent(text: str) -> Pieces:
    return tuple(part.replace("\0", "%") for part in _PERCENT.split(text.replace("%%", "\0")))


def _braces(text: str) -> Pieces:
    pieces = [""]
    try:
        for literal, field, _, _ in Formatter().parse(text):
            pieces[-1] += literal
            pieces += [] if field is None else [""]
    except ValueError:  # a format that raises when it is used
        return ("",)
    return tuple(pieces)
