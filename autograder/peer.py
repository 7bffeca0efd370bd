"""The two ends of the connection over which a test works on objects that live in the student's process.

Runs: both sides.

    candidate    serve(Candidate(connection, namespace))    until the examiner says that it is done
    examiner     examiner = Examiner(connection)
                 f = examiner.get("f")                      a `Proxy`
                 f(x)                                       runs in the candidate

Pickle goes in, plain data comes out: the examiner may send anything and accepts nothing but plain data and references.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import weakref
from collections.abc import Iterator
from typing import Any

from autograder.arrays import copy_of, is_plain_tensor
from autograder.composites import COMPOSITES, read_composite, write_composite
from autograder.decoding import Reader
from autograder.encoding import Writer
from autograder.exchange import Peer
from autograder.failures import describe, raised_by_student, rebuild, veil, veiled
from autograder.gradients import Graph
from autograder.loans import Leaf
from autograder.objects import Callback, read_object, write_object
from autograder.proxy import OPERATIONS, Proxy, describe_object, number_of, proxy_of
from autograder.questions import Questions, UnlikeReferenceError
from autograder.wire import Caps, Closed, WireError

_MOST_FAILURES = 10_000
MIRRORING = ("get", "getattr", "getitem", "next")
"""Operations that reach for what the student has. A leaf that one of them finds, a parameter, stays equal to the student's."""


class Examiner(Peer):
    """The trusted end. `deadline`, `questions` and `broken` are for whoever runs a test cell over it."""

    lends_memory = True

    def __init__(self, connection: socket.socket, *, caps: Caps | None = None, deadline: float | None = None) -> None:
        super().__init__(connection, caps or Caps(), 0)
        self.deadline = deadline
        self.questions = Questions()
        self._proxies: weakref.WeakValueDictionary[int, Proxy] = weakref.WeakValueDictionary()
        self._raised: list[BaseException] = []
        self._in_graph = False

    # -- for whoever runs a test cell ------------------------------------------------------------------------------------

    def get(self, name: str) -> Any:
        """The student's global `name`: plain data as a copy, anything else as a proxy.

        Raises:
            NameError: there is none.
        """
        return self.ask("get", name)

    def set(self, name: str, value: Any) -> None:
        """Bind the student's global `name`."""
        self.ask("set", name, value)

    def delete(self, name: str) -> None:
        """Unbind the student's global `name`."""
        self.ask("delete", name)

    def has(self, name: str) -> bool:
        """Whether the student has a global `name`."""
        return self.ask("has", name) is True

    def run(self, source: str) -> None:
        """Run `source` among the student's globals."""
        self.ask("run", source)

    def source_of(self, proxy: Proxy) -> str:
        """The source text of a student's function or class.

        Raises:
            OSError, TypeError: there is none.
        """
        return str(self.ask("source", proxy))

    def done(self) -> None:
        """Let the candidate leave `serve`."""
        with contextlib.suppress(WireError):
            self._send("ask", ("done",))

    # -- what a call does ------------------------------------------------------------------------------------------------

    def ask(self, operation: str, *operands: Any) -> Any:
        """See `Peer.ask`. A check that failed in a callback fails the test even if student code caught it."""
        outermost = self._depth == 0
        try:
            answer = super().ask(operation, *operands)
            self.questions.note(operation, operands, answer)
            if outermost:
                failed = next((error for error in self._raised if isinstance(error, AssertionError)), None)
                if failed is not None:
                    raise failed
            return answer
        except BaseException as error:
            failed = next((one for one in self._raised if isinstance(one, AssertionError)), None) if outermost else None
            if failed is not None and failed is not error:
                raise failed from None
            if not isinstance(error, UnlikeReferenceError):
                with contextlib.suppress(UnlikeReferenceError):  # what was raised tells enough
                    self.questions.note(operation, operands)
            if isinstance(error, StopIteration) and operation != "next":
                raise _not_an_end(error) from None
            raise
        finally:
            if outermost:
                self._raised.clear()

    def _failure(self, content: tuple[Any, ...]) -> BaseException:
        if len(content) != 2:
            raise self._break("an exception of an unknown form")
        number, description = content
        if number is not None:
            if type(number) is not int or not 0 <= number < len(self._raised):
                raise self._break("an exception that no callback raised")
            return self._raised[number]
        try:
            return rebuild(description)
        except WireError as error:
            raise self._break(str(error)) from None

    def _break(self, why: str) -> WireError:
        self.broken = WireError(why)
        return self.broken

    def _outcome(self, content: tuple[Any, ...]) -> tuple[str, Any]:
        try:
            return "answer", self._do(*content)
        except WireError as error:
            self.broken = self.broken or error
            raise
        except Exception as error:  # noqa: BLE001  student code hears of it, and it comes back from there
            return "raised", self._describe(error)
        except BaseException as error:
            self._break(f"interrupted by {type(error).__name__}")
            raise

    def _describe(self, error: BaseException) -> tuple[Any, ...]:
        if len(self._raised) >= _MOST_FAILURES:
            raise self._break("callbacks fail without end")
        self._raised.append(error)
        return len(self._raised) - 1, veil(error)

    def _do(self, operation: str = "", number: Any = None, *operands: Any) -> Any:
        if self._depth > self.caps.nesting:
            raise RecursionError("callbacks inside callbacks")
        if operation == "gradients" and len(operands) == 3:
            graph = self.exported(number)
            return _gradients(graph, *operands)
        if operation != "callback" or type(number) is not int or len(operands) != 2:
            raise self._break("the student's process asked for something that it may not ask")
        loan, (arguments, keywords) = self.loans.get(number), operands
        if not isinstance(loan, Callback) or type(arguments) is not tuple or type(keywords) is not dict:
            raise self._break("the student's process called something that it may not call")
        if not all(type(name) is str for name in keywords):
            raise self._break("an argument without a name")
        return loan.thing(*arguments, **keywords)

    # -- values ----------------------------------------------------------------------------------------------------------

    def name_for(self, thing: Any) -> int:
        """See `encoding.Outgoing`: everything that can be changed is lent."""
        return 0 if type(thing) in (tuple, frozenset) else self.loans.lend(thing)

    def _shows(self, leaf: Any) -> bool:
        return self.loans.name_of(leaf) != 0

    def write_foreign(self, writer: Writer, thing: Any) -> None:
        """See `encoding.Outgoing`."""
        if type(thing) is Proxy:
            writer.body += b"p"
            writer.number(number_of(thing))
        else:
            write_object(self, writer, thing)

    def read_foreign(self, reader: Reader, tag: bytes) -> Any:
        """See `decoding.Incoming`."""
        if tag in COMPOSITES:
            return read_composite(reader, tag)
        return self._read_proxy(reader) if tag == b"p" else super().read_foreign(reader, tag)

    def _read_proxy(self, reader: Reader) -> Proxy:
        number, paths = reader.number(), reader.value()
        proxy = self._proxies.get(number)
        if proxy is None:
            if len(self._proxies) >= self.caps.references:
                raise WireError("too many objects at once")
            proxy = self._proxies[number] = proxy_of(self.ask, number, paths)
            self.note_dropped(proxy, number)
        return proxy

    def _may_mirror(self) -> bool:
        """Whether a student's leaf that is read now may change later, as the student's own does.

        What a call returns stays as it was: else a later call, which may be told more, could change an answer given before.
        """
        return self._in_graph or self._answering in ("", *MIRRORING)

    def _read_input(self, reader: Reader) -> Any:
        self._in_graph = True
        tensor = super()._read_input(reader)
        self._in_graph = False
        if not is_plain_tensor(tensor) or not tensor.requires_grad:
            raise WireError("a tensor that depends on something else than tensors")
        return tensor

    def _known(self, name: int) -> Any:
        thing = super()._known(name)
        return copy_of(thing) if isinstance(self.loans.get(name), Leaf) and not self._may_mirror() else thing

    def named(self, name: int, thing: Any) -> None:
        """See `decoding.Incoming`: the candidate names only leaves that want gradients."""
        if not self._may_mirror() or not is_plain_tensor(thing) or not thing.requires_grad:
            raise WireError("a name for something that needs none")
        self.loans.borrow(name, thing, Leaf)

    def named_storage(self, name: int, data: Any, *, dense: bool) -> None:
        """See `decoding.Incoming`."""
        raise WireError("a name for something that needs none")


def _not_an_end(error: StopIteration) -> RuntimeError:
    """What Python itself makes of StopIteration in a generator: else it would end a test's loop before anything was compared."""
    found = RuntimeError("student code raised StopIteration")
    found.raised_by_student = raised_by_student(error)  # type: ignore[attr-defined]
    return found


def _gradients(graph: Any, gradient: Any, create: Any, fill: Any) -> tuple[Any, ...]:
    if not isinstance(graph, Graph):
        raise WireError("a gradient of something that has none")
    return graph.gradients(gradient, create=create is True, fill=fill is True)


class Candidate(Peer):
    """The end in the student's process. Nothing here guards anything: student code may change it."""

    lends_memory = False

    def __init__(self, connection: socket.socket, namespace: dict[str, Any], *, caps: Caps | None = None) -> None:
        super().__init__(connection, caps or Caps(), 1)
        self._namespace = namespace
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
        """Do what the examiner asks until it is done or gone."""
        while True:
            try:
                kind, content = self._receive("")
                if kind != "ask" or content == ("done",):
                    return
                self._serve(content)
                del content
            except Closed:
                return
            except WireError as error:  # what the test sent needs something that is missing here
                self.broken = None
                self._send("raised", self._describe(error))
                raise
            self._raised.clear()

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
                return _gradients(self.exported(number), *rest)
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
    """Let the examiner use the student's namespace until it is done. What it holds stays known until the next time."""
    with _interruptible(candidate):
        candidate.serve()
