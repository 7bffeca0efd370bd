"""The student's end of the connection over which a test works on objects that live in the student's process (`peer`).

Runs: both sides; used in the candidate, where student code may change it: nothing here guards anything.

    serve(Candidate(connection, namespace))    one test after the other, until the examiner says that it may leave
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from autograder.arrays import is_plain_tensor
from autograder.composites import write_composite
from autograder.decoding import Reader
from autograder.encoding import Writer
from autograder.exchange import MIRRORING, Peer, gradients_of
from autograder.failures import describe, veiled
from autograder.loans import Leaf
from autograder.objects import read_object
from autograder.proxy import OPERATIONS, describe_object
from autograder.wire import Caps, Closed, WireError


class Candidate(Peer):
    """The end in the student's process. Nothing here guards anything: student code may change it."""

    lends_memory = False

    def __init__(
        self,
        connection: socket.socket,
        namespace: dict[str, Any],
        *,
        caps: Caps | None = None,
        after_each: Callable[[], None] = lambda: None,
    ) -> None:
        """`after_each` is called when a test is done."""
        super().__init__(connection, caps or Caps(), 1)
        self._namespace = namespace
        self._after_each = after_each
        self._names_leaves = True
        self._calling = False
        self._raised: list[tuple[BaseException, int]] = []
        self._in_student_code = False
        self._interrupted = False
        self._waits = 0

    def interrupt(self) -> None:
        """Stop the student code that runs, or that is waiting for a callback; without any, nothing happens."""
        if self._in_student_code:
            raise KeyboardInterrupt
        self._interrupted = self._waits > 0

    def serve(self) -> None:
        """Do what the examiner asks until it lets go or is gone."""
        while True:
            try:
                kind, content = self._receive("")
                if kind != "ask" or content == ("leave",):
                    return
                if content == ("done",):
                    self._end_test()
                else:
                    self._serve(content)
                del content
            except Closed:
                return
            except WireError as error:  # what the test sent needs something that is missing here
                self.broken = None
                self._send("raised", self._describe(error))
                traceback.print_exc()  # for staff
            self._raised.clear()

    def _end_test(self) -> None:
        self._in_student_code = True  # it may have asked to be called after each cell
        try:
            self._after_each()
        finally:
            self._in_student_code = False

    def _outcome(self, content: tuple[Any, ...]) -> tuple[str, Any]:
        operation, *operands = content
        try:
            try:
                self._in_student_code = True
                answer = self._do(operation, operands)
            finally:
                self._in_student_code = False
            self._names_leaves = operation in MIRRORING
            return "answer", answer
        except BaseException as error:  # noqa: BLE001  whatever student code raises is an answer
            return "raised", self._describe(error)

    def _do(self, operation: str, operands: list[Any]) -> Any:
        match operation, operands:
            case "get", [name]:
                return self._global(name)
            case "has", [name]:
                return name in self._namespace
            case "set", [name, value]:
                self._namespace[name] = value
            case "delete", [name]:
                self._global(name)
                del self._namespace[name]
            case "run", [source]:
                exec(compile(source, "<reference>", "exec"), self._namespace)
            case "exit", [manager, error]:
                return type(manager).__exit__(manager, None if error is None else type(error), error, None)
            case "gradients", [number, *rest]:
                return gradients_of(self.exported(number), *rest)
            case _:
                return OPERATIONS[operation](*operands)
        return None

    def _global(self, name: str) -> Any:
        if name not in self._namespace:
            raise NameError(f"name {name!r} is not defined", name=name)
        return self._namespace[name]

    def _describe(self, error: BaseException) -> tuple[Any, ...]:
        number = next((number for one, number in self._raised if one is error), None)
        return number, None if number is not None else describe(error)

    def _failure(self, content: tuple[Any, ...]) -> BaseException:
        number, name = content
        error = veiled(name)
        self._raised.append((error, number))
        return error

    def ask(self, operation: str, *operands: Any) -> Any:
        """See `Peer.ask`. An interrupt that arrives meanwhile waits until student code goes on."""
        self._waits += 1
        self._in_student_code, self._names_leaves = False, True
        try:
            return super().ask(operation, *operands)
        finally:
            self._waits -= 1
            self._in_student_code = True
            if self._interrupted:
                self._interrupted = False
                raise KeyboardInterrupt

    # -- values ----------------------------------------------------------------------------------------------------------

    def name_for(self, thing: Any) -> int:
        """See `encoding.Outgoing`: results are copies, but leaves stay what they are, so that training can go on."""
        return self.loans.lend(thing, Leaf) if self._names_leaves and is_plain_tensor(thing) and thing.requires_grad else 0

    def _shows(self, leaf: Any) -> bool:
        return True

    def _write_leaf(self, writer: Writer, leaf: Any) -> None:
        before, self._names_leaves = self._names_leaves, True
        writer.value(leaf)
        self._names_leaves = before

    def write_foreign(self, writer: Writer, thing: Any) -> None:
        """See `encoding.Outgoing`."""
        if write_composite(writer, thing):
            return
        writer.body += b"p"
        writer.number(self.export(thing))
        writer.value(describe_object(thing))

    def read_foreign(self, reader: Reader, tag: bytes) -> Any:
        """See `decoding.Incoming`."""
        if tag == b"p":
            return self.exported(reader.number())
        return read_object(self, reader, tag, self._callback) if tag in b"RMFKO" else super().read_foreign(reader, tag)

    def _callback(self, name: int) -> Any:
        def callback(*arguments: Any, **keywords: Any) -> Any:
            return self.ask("callback", name, arguments, keywords)

        return callback


@contextlib.contextmanager
def _interruptible(candidate: Candidate) -> Iterator[None]:
    """Interrupts reach student code only: one in the middle of a message would leave half of it unread."""

    def interrupt(*_: Any) -> None:
        candidate.interrupt()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def serve(candidate: Candidate) -> None:
    """Let the examiner use the student's namespace until it lets go. What it holds stays known until the next time."""
    with _interruptible(candidate):
        candidate.serve()
