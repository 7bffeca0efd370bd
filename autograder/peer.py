"""The test's end of the connection over which it works on objects that live in the student's process (`candidate`).

Runs: both sides; used in the examiner.

    examiner = Examiner(connection)
    f = examiner.get("f")               a `Proxy`
    f(x)                                runs in the candidate

Pickle goes in, plain data comes out: the examiner may send anything and accepts nothing but plain data and references.
"""

from __future__ import annotations

import contextlib
import socket
import weakref
from typing import Any

from autograder.arrays import copy_of, is_plain_tensor
from autograder.composites import COMPOSITES, read_composite
from autograder.decoding import Reader
from autograder.encoding import Writer
from autograder.exchange import MIRRORING, Peer, gradients_of
from autograder.failures import raised_by_student, rebuild, veil
from autograder.loans import Leaf
from autograder.objects import Callback, write_object
from autograder.proxy import Proxy, number_of, proxy_of
from autograder.questions import Questions, UnlikeReferenceError
from autograder.wire import Caps, WireError

_MOST_FAILURES = 10_000


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
        """Tell the candidate that the test is over."""
        self._tell("done")

    def leave(self) -> None:
        """Let the candidate leave `serve`."""
        self._tell("leave")

    def _tell(self, what: str) -> None:
        with contextlib.suppress(WireError):
            self._send("ask", (what,))

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
            return gradients_of(graph, *operands)
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
