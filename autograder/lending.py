"""Objects that both sides have, kept equal: what one side changed is changed on the other when the next message arrives.

Runs: both sides; what the candidate says about objects of the examiner can change only those that were lent to it.

    sender names an object       -> both sides have a *loan* of that name
    a message arrives            -> its changes are applied; each loan remembers the state of its object
    a message leaves             -> objects whose state is another one by now are sent along
    the borrower lets it go      -> its next message says so, and both sides forget the loan

So a function's arguments are compared only while somebody on the other side can still reach them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograder.decoding import Reader
from autograder.encoding import Writer
from autograder.loans import Instance, Loan, Memory, Tensor, kind_of, tuple_of
from autograder.wire import WireError


class Loans:
    """All objects that both sides have. `first` is 0 or 1, so that the two sides give different names."""

    def __init__(self, first: int, most: int) -> None:
        self._loans: dict[int, Loan] = {}
        self._names: dict[int, int] = {}
        self._next = 2 + first
        self._most = most
        self.gone: list[int] = []
        """Names let go of which the other side has not been told."""

    def lend(self, thing: Any, make: Callable[[int, Any], Loan] | None = None) -> int:
        """Name an object of ours."""
        name = self._next
        self._next += 2
        self._add(name, thing, make)
        return name

    def borrow(self, name: int, thing: Any, make: Callable[[int, Any], Loan] | None = None) -> None:
        """Note an object that the other side named."""
        if name % 2 == self._next % 2 or name in self._loans or len(self._loans) >= self._most:
            raise WireError("a name that cannot be given")
        self._add(name, thing, make)

    def _add(self, name: int, thing: Any, make: Callable[[int, Any], Loan] | None) -> None:
        make = make or kind_of(thing)
        self._loans[name] = make(name, thing)
        self._names[id(thing)] = name

    def name_of(self, thing: Any) -> int:
        """The name of an object that both sides have; 0 for any other."""
        name = self._names.get(id(thing), 0)
        return name if name and self._loans[name].thing is thing else 0

    def has(self, name: int) -> bool:
        """Whether there is a loan of that name."""
        return name in self._loans

    def get(self, name: int) -> Loan:
        """The loan of that name."""
        loan = self._loans.get(name)
        if loan is None:
            raise WireError("an object that is not on loan")
        return loan

    def is_ours(self, name: int) -> bool:
        """Whether this side gave the name."""
        return name % 2 == self._next % 2

    def find_storage(self, low: int, high: int) -> tuple[int, int] | None:
        """Name and first address of memory that lies alike on both sides and holds these addresses."""
        for loan in self._loans.values():
            if isinstance(loan, Memory) and loan.low and loan.low <= low and high <= loan.low + loan.thing.size:
                return loan.name, loan.low
        return None

    def write_changes(self, writer: Writer) -> None:
        """Write every object that changed since the last message came, and the names of those let go."""
        for loan in [loan for loan in list(self._loans.values()) if loan.changed()]:
            writer.value(loan.name)
            loan.write_change(writer)
        writer.value(0)
        for loan in self._loans.values():
            loan.release()
        self._let_go()
        writer.value(tuple(self.gone))

    def read_changes(self, reader: Reader) -> list[tuple[Loan, Any]]:
        """What the other side changed; not yet applied, since the whole message must be read first. What it let go is gone."""
        changes = []
        while name := _number(reader.value()):
            loan = self.get(name)
            match loan:
                case Tensor():
                    change: Any = (reader.value(), reader.value(), reader.value())
                case Instance():
                    change = (reader.value(), reader.value())
                case _:
                    change = reader.value()
            changes.append((loan, change))
        for name in map(_number, tuple_of(reader.value())):
            if not self.is_ours(name):
                raise WireError("only the borrower lets an object go")
            self._remove(self.get(name))
        return changes

    def undo(self, first: int) -> None:
        """Forget what was lent under `first` and later names: the message was not sent."""
        for name in range(first, self._next, 2):
            if name in self._loans:
                self._remove(self._loans[name])

    @property
    def next_name(self) -> int:
        """The name that is given next."""
        return self._next

    def remember(self) -> None:
        """Note the state of every object: from now on code of this side may change it.

        What a call was given is let go here, before anything is compared for the next one: while it answered, that was in use.
        """
        self._let_go()
        for loan in self._loans.values():
            loan.remember()

    def _let_go(self) -> None:
        """Forget the borrowed objects that nobody on this side has any more."""
        while found := [loan for name, loan in self._loans.items() if not self.is_ours(name) and loan.let_go()]:
            self.gone += [loan.name for loan in found]
            while found:  # an outer list holds on to an inner one
                self._remove(found.pop())

    def _remove(self, loan: Loan) -> None:
        del self._loans[loan.name]
        if self._names.get(loan.key) == loan.name:
            del self._names[loan.key]


def _number(name: Any) -> int:
    if type(name) is not int:
        raise WireError("a name that is no number")
    return name
