"""What a test asks of the student's objects, and whether it asks the same where the reference's work is tested.

Runs: both sides; used in the examiner only.

Where a list is asked for, student code may return an object whose length, parts and iteration each say what the next check
wants to hear, and where an array is asked for, one with a `mean` and a `std`. Each single answer is plain data; together they
are no list. A test cannot see that, but the reference can tell: there, the test asks a list, which it has for itself, and
nothing goes over the wire. So what a test asks of objects in the reference's run is all that it is answered in a student's.

Free in any case is what settles nothing by itself, and to go through an object from its first part to its last once, which
is no more than being given a list.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from autograder.proxy import ProxyError, once_asked, type_name_of

_MOST = 10_000
_FREE = frozenset({"get", "has", "set", "delete", "run", "call", "next", "gradients", "setattr", "delattr", "setitem", "delitem"})
_FREE_ONCE = frozenset({"iter", "float"})
_BY_NAME = frozenset({"getattr"})


class UnlikeReferenceError(ProxyError):
    """A test asks something of a student's object that it does not ask of the reference's."""


class Questions:
    """The questions of one test cell."""

    def __init__(self, known: Collection[str] | None = None) -> None:
        """`known` are those of the reference's run; None if there was none: then everything may be asked."""
        self._known = None if known is None else frozenset(known)
        self.asked: set[str] = set()
        """What was asked that is not free, as `known` wants it."""

    def note(self, operation: str, operands: tuple[Any, ...], answer: Any = None) -> None:
        """Take note of what the candidate was asked; it gave an `answer`, or raised something.

        Raises:
            UnlikeReferenceError: it was not asked for that in the reference's run. The answer must be forgotten.
        """
        if operation in _FREE or (operation in _FREE_ONCE and (answer is operands[0] or once_asked(operands[0], operation))):
            return
        question = f"{operation} {operands[1]}" if operation in _BY_NAME else operation
        if self._known is None:
            if len(self.asked) < _MOST:
                self.asked.add(question)
        elif question not in self._known:
            raise UnlikeReferenceError(
                f"the test asks a student's object of type {type_name_of(operands[0])} for `{question}`; where the reference's"
                " work is tested it does not, so the reference gives plain data or another kind of object there"
            )
