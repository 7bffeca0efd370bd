"""Exceptions on their way from one process to the other.

Runs: both sides.

An exception of student code arrives as one of the examiner's own classes, the nearest that its class derives from, with
plain arguments; what the student's class was called and where it was raised is kept for staff. An exception of the test's
own callback passes through student code unseen and arrives as the same object.
"""

from __future__ import annotations

import builtins
import sys
import traceback
from dataclasses import dataclass
from typing import Any

from autograder.wire import WireError

_PACKAGE = __file__.rpartition("/")[0] + "/"
_TEXT_CHARACTERS = 2000
_TRACE_CHARACTERS = 20_000
_ARGUMENTS = 10
_FRAMES = 30
_CLASSES = 50
_PLAIN = (type(None), bool, int, float, str, bytes)
_NOT_THE_STUDENTS = frozenset(
    {
        "autograder",
        "pytest",
        "_pytest",
        "unittest",
        "hypothesis",
        "IPython",
        "ipykernel",
        "jupyter_client",
        "zmq",
        "__main__",
        "bdb",
    }
)
"""Packages whose exceptions mean something to those who run tests."""


@dataclass(frozen=True, slots=True)
class Raised:
    """What is known of an exception that student code raised."""

    type_name: str
    message: str
    traceback: str
    """For staff only: it can show the inputs of hidden tests."""


class StudentError(Exception):
    """Student code raised an exception of a class of its own."""


class StudentExit(StudentError):
    """Student code tried to end the process, or was interrupted."""


def raised_by_student(error: BaseException) -> Raised | None:
    """What is known of `error` if student code raised it; None if the test did."""
    found = getattr(error, "raised_by_student", None)
    return found if type(found) is Raised else None


def describe(error: BaseException) -> tuple[Any, ...]:
    """`error` as plain data: classes, arguments, message, traceback."""
    classes = tuple(f"{kind.__module__}:{kind.__qualname__}" for kind in type(error).__mro__[:_CLASSES])
    try:
        arguments = tuple(_plain(part) for part in tuple(error.args)[:_ARGUMENTS])
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_PACKAGE)]
        trace = "".join(traceback.format_list(frames[-_FRAMES:]))[-_TRACE_CHARACTERS:]
    except BaseException:  # noqa: BLE001  a student's exception may do anything when it is looked at
        arguments, trace = (), ""
    return classes, arguments, _text(error), trace


def _plain(part: Any) -> Any:
    if type(part) not in _PLAIN:
        return _text(part)
    return part[:_TEXT_CHARACTERS] if isinstance(part, str | bytes) else part


def _text(thing: Any) -> str:
    try:
        return str(str(thing)[:_TEXT_CHARACTERS])
    except BaseException:  # noqa: BLE001
        return ""


def rebuild(description: Any) -> BaseException:
    """The exception that `describe` described in the other process."""
    if type(description) is not tuple or len(description) != 4:
        raise WireError("an exception of an unknown form")
    classes, arguments, message, trace = description
    if type(classes) is not tuple or not classes or type(arguments) is not tuple:
        raise WireError("an exception of an unknown form")
    if not all(type(text) is str for text in (*classes, message, trace)) or not all(type(part) in _PLAIN for part in arguments):
        raise WireError("an exception of an unknown form")
    name = clean_name(classes[0].partition(":")[2])
    error = _instance(classes, arguments, name, message)
    error.raised_by_student = Raised(name, message[:_TEXT_CHARACTERS], trace[:_TRACE_CHARACTERS])  # type: ignore[attr-defined]
    return error


def _instance(classes: tuple[str, ...], arguments: tuple[Any, ...], name: str, message: str) -> BaseException:
    own = next((kind for kind in map(find_class, classes) if kind is not None and issubclass(kind, BaseException)), Exception)
    if not issubclass(own, Exception):
        return StudentExit(f"{name}: {message}" if message else name)
    if own is Exception and name != "Exception":
        return StudentError(f"{name}: {message}" if message else name)
    try:
        error = own(*arguments) if own.__module__ == "builtins" else own.__new__(own, *arguments)
    except Exception:  # noqa: BLE001  a constructor that wants other arguments
        error = Exception.__new__(own)
        error.args = arguments
    return error


def find_class(path: str) -> type | None:
    """The class `module:qualname`, if this process has it anyway. Nothing is imported, and no code of the class runs."""
    module, _, qualname = path.partition(":")
    if module.partition(".")[0] in _NOT_THE_STUDENTS or len(path) > 300:
        return None
    if module == "builtins":
        found: Any = vars(builtins).get(qualname)
        return found if isinstance(found, type) else None
    found = sys.modules.get(module)
    for part in qualname.split("."):
        try:
            found = vars(found).get(part)
        except TypeError:
            return None
    return found if isinstance(found, type) else None


def clean_name(text: str) -> str:
    """`text` as far as it can be the name of something."""
    return "".join(character for character in text[:80] if character.isalnum() or character in "_.") or "unnamed"


def veil(error: BaseException) -> str:
    """All that student code learns of an exception of the test's: its nearest builtin class."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")


def veiled(name: str) -> BaseException:
    """The exception that student code meets instead."""
    kind = vars(builtins).get(name)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        kind = Exception
    try:
        error: BaseException = kind("the test's callback raised")
    except TypeError:
        error = Exception("the test's callback raised")
    return error
