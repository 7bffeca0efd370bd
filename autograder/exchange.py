"""What both ends of the connection do alike: ask, answer, and serve what is asked meanwhile.

Runs: both sides; in the examiner every message was written by student code.

    examiner                                    candidate
    ask("call", f, x)   -- ask ------------->   f(x) runs
                        <-- ask (callback) --   f calls a function that it was given
    the function runs   -- answer --------->    f goes on
    the value           <-- answer ---------    f returned

One side runs at a time; whoever waits for an answer serves what it is asked meanwhile. Each message also carries what its
sender changed in objects that both sides have (`lending`). The examiner sends anything and accepts plain data, so nothing
that the candidate sends can run in it.
"""

from __future__ import annotations

import socket
from typing import Any

from autograder import gradients
from autograder.arrays import Storage, tensor_at, torch_dtype
from autograder.decoding import Reader
from autograder.encoding import Writer, write_elements
from autograder.lending import Loans
from autograder.loans import History, Memory
from autograder.wire import Caps, Channel, Unplain, WireError

MIRRORING = ("get", "getattr", "getitem", "next")
"""Operations that reach for what the student has. A leaf that one of them finds, a parameter, stays equal to the student's."""


class Peer:
    """One end. A subclass says what it accepts, and what it does when asked."""

    lends_memory: bool
    """Whether arrays that this end sends stay equal on both."""

    def __init__(self, connection: socket.socket, caps: Caps, side: int) -> None:
        self.caps = caps
        self.deadline: float | None = None
        """Instant of `time.monotonic` past which no answer is waited for; None waits for ever."""
        self.broken: WireError | None = None
        """Why the connection is of no more use."""
        self.loans = Loans(side, caps.references)
        self._channel = Channel(connection, caps)
        self._exports: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._next_number = 1
        self._dropped: set[int] = set()
        self._depth = 0
        self._answering = ""

    # -- messages ------------------------------------------------------------------------------------------------------

    def ask(self, operation: str, *operands: Any) -> Any:
        """What the other side answers; what it asks meanwhile is served."""
        answered = False
        self._depth += 1
        try:
            self._send("ask", (operation, *operands))
            while True:
                kind, content = self._receive(operation)
                if kind == "ask":
                    self._serve(content)
                    continue
                answered = True
                if kind == "answer":
                    return content
                raise self._failure(content)
        except BaseException as error:
            if not answered and not isinstance(error, Exception):  # an alarm: the answer would be taken for another's
                self.broken = self.broken or WireError(f"interrupted by {type(error).__name__}")
            raise
        finally:
            self._depth -= 1

    def _send(self, kind: str, content: Any) -> None:
        if self.broken is not None:
            raise self.broken
        first = self.loans.next_name
        writer = Writer(self.caps, self)
        try:
            writer.value(kind)
            writer.value(content)
            self.loans.write_changes(writer)
            dropped = tuple(self._dropped)
            writer.value(dropped)
            frame = writer.finish()
            self._channel.check(*frame)
        except BaseException:
            self.loans.undo(first)
            raise
        self._dropped.difference_update(dropped)
        self.loans.gone.clear()
        with _Breaking(self):
            self._channel.send(*frame, self.deadline)

    def _receive(self, operation: str) -> tuple[str, Any]:
        with _Breaking(self):
            body, buffers = self._channel.receive(self.deadline)
            reader = Reader(body, buffers, self.caps, self)
            kind, content, changes, dropped = reader.message(lambda reader: self._parse(reader, operation))
            self._apply(changes)
            for number in dropped:
                self._numbers.pop(id(self._exports.pop(number, None)), None)
            self.loans.remember()
        return kind, content

    def _parse(self, reader: Reader, operation: str) -> tuple[str, Any, Any, Any]:
        kind = reader.value()
        self._answering = operation if kind == "answer" else ""
        if type(kind) is not str or kind not in ("ask", "answer", "raised"):
            raise WireError("a message of an unknown kind")
        content = reader.value()
        changes, dropped = self.loans.read_changes(reader), reader.value()
        if kind != "answer" and type(content) is not tuple:
            raise WireError("a message of an unknown form")
        if type(dropped) is not tuple or not all(type(number) is int for number in dropped):
            raise WireError("a message of an unknown form")
        return kind, content, changes, dropped

    def _apply(self, changes: list[tuple[Any, Any]]) -> None:
        for loan, change in changes:
            try:
                loan.apply(change)
            except WireError:
                raise
            except Exception as error:  # noqa: BLE001  whatever it is, the other side's word was wrong
                raise WireError(f"a change that cannot be made: {type(error).__name__}: {error}") from None

    def _serve(self, content: tuple[Any, ...]) -> None:
        kind, answer = self._outcome(content)
        try:
            self._send(kind, answer)
        except (Unplain, RecursionError, MemoryError) as error:
            self._send("raised", self._describe(error))

    def _outcome(self, content: tuple[Any, ...]) -> tuple[str, Any]:
        raise NotImplementedError

    def _failure(self, content: tuple[Any, ...]) -> BaseException:
        raise NotImplementedError

    def _describe(self, error: BaseException) -> tuple[Any, ...]:
        raise NotImplementedError

    # -- references ----------------------------------------------------------------------------------------------------

    def export(self, thing: Any) -> int:
        """A number by which the other side may speak of an object of ours."""
        number = self._numbers.get(id(thing))
        if number is None:
            number = self._numbers[id(thing)] = self._next_number
            self._next_number += 1
            self._exports[number] = thing
        return number

    def exported(self, number: Any) -> Any:
        """The object of that number."""
        if type(number) is not int or number not in self._exports:
            raise WireError("a reference to nothing")
        return self._exports[number]

    def note_dropped(self, thing: Any, number: int) -> None:
        """Tell the other side, once nothing here uses `thing`, that its object is not needed."""
        self._dropped.discard(number)
        gradients.when_gone(thing, self._dropped.add, number)

    # -- what `Writer` asks ----------------------------------------------------------------------------------------------

    def write_known(self, writer: Writer, thing: Any) -> bool:
        """See `encoding.Outgoing`."""
        name = self.loans.name_of(thing)
        if not name:
            return False
        loan = self.loans.get(name)
        if isinstance(loan, History) and thing._version != loan.version:
            return False  # changed in place: it has another history now
        writer.body += b"k"
        writer.number(name)
        return True

    def name_for(self, thing: Any) -> int:
        """See `encoding.Outgoing`."""
        raise NotImplementedError

    def write_foreign(self, writer: Writer, thing: Any) -> None:
        """See `encoding.Outgoing`."""
        raise NotImplementedError

    def write_connected(self, writer: Writer, tensor: Any) -> None:
        """See `encoding.Outgoing`."""
        leaves, remote = gradients.ancestors(tensor)
        shown = [leaf for leaf in leaves if self._shows(leaf)]
        hidden = tuple(leaf for leaf in leaves if not self._shows(leaf))
        names = [name for name in remote if self.loans.has(name)]
        edges = [gradients.start_of(remote[name]) for name in names]
        graph = gradients.Graph(gradients.end_of(tensor), (*shown, *edges), hidden, tensor.device)
        writer.body += b"G"
        writer.number(self.loans.lend(tensor, History))
        writer.number(self.export(graph))
        writer.value(bool(hidden))
        writer.value(len(shown) + len(names))
        for leaf in shown:
            self._write_leaf(writer, leaf)
        for name in names:
            writer.body += b"k"
            writer.number(name)
        write_elements(writer, tensor, named=self.lends_memory)

    def _shows(self, leaf: Any) -> bool:
        """Whether the other side has, or is to have, a leaf on which a tensor depends."""
        raise NotImplementedError

    def _write_leaf(self, writer: Writer, leaf: Any) -> None:
        writer.value(leaf)

    def find_storage(self, low: int, high: int) -> tuple[int, int] | None:
        """See `encoding.Outgoing`."""
        return self.loans.find_storage(low, high)

    def name_for_storage(self, storage: Storage) -> int:
        """See `encoding.Outgoing`."""
        return self.loans.lend(storage, Memory)

    # -- what `Reader` asks ----------------------------------------------------------------------------------------------

    def read_foreign(self, reader: Reader, tag: bytes) -> Any:
        """See `decoding.Incoming`."""
        if tag == b"k":
            return self._known(reader.number())
        if tag == b"G":
            return self._read_connected(reader)
        raise WireError("a value of an unknown kind")

    def _known(self, name: int) -> Any:
        loan = self.loans.get(name)
        if loan.thing is None or isinstance(loan, Memory):
            raise WireError("an object that is not on loan")
        return loan.thing

    def _read_connected(self, reader: Reader) -> Any:
        reader.begin()
        name, number, hidden, count = reader.number(), reader.number(), reader.value(), reader.value()
        if type(hidden) is not bool or type(count) is not int:
            raise WireError("a tensor of an unknown form")
        inputs = tuple(self._read_input(reader) for _ in range(count))
        data = reader.elements(torch_dtype(reader.text()), tensor_at)

        def backward(gradient: Any, *, create: bool, fill: bool) -> Any:
            return self.ask("gradients", number, gradient, create, fill)

        self.note_dropped(backward, number)
        tensor = gradients.connect(data, inputs, name, hidden=hidden, backward=backward)
        self.loans.borrow(name, tensor, lambda name, tensor: History(name, tensor, backward))
        return reader.end(tensor)

    def _read_input(self, reader: Reader) -> Any:
        return reader.value()

    def storage(self, name: int) -> Any:
        """See `decoding.Incoming`."""
        loan = self.loans.get(name)
        if not isinstance(loan, Memory) or loan.thing.flat is None:
            raise WireError("an array in no memory")
        return loan.thing.flat

    def named(self, name: int, thing: Any) -> None:
        """See `decoding.Incoming`."""
        self.loans.borrow(name, thing)

    def named_storage(self, name: int, data: Any, *, dense: bool) -> None:
        """See `decoding.Incoming`."""
        self.loans.borrow(name, Storage(data, data.nbytes), Memory if dense else Memory.scattered)


class _Breaking:
    """Whatever goes wrong inside leaves the connection unusable."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def __enter__(self) -> None:
        if self._peer.broken is not None:
            raise self._peer.broken

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if error is None:
            return
        self._peer.broken = error if isinstance(error, WireError) else WireError(f"interrupted by {type(error).__name__}")
        if isinstance(error, Exception) and error is not self._peer.broken:
            raise self._peer.broken from None


def gradients_of(graph: Any, gradient: Any, create: Any, fill: Any) -> tuple[Any, ...]:
    """What the other side asks when it goes backwards through a tensor of ours."""
    if not isinstance(graph, gradients.Graph):
        raise WireError("a gradient of something that has none")
    return graph.gradients(gradient, create=create is True, fill=fill is True)
