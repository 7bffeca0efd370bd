"""The examiner's process: runs the instructor's cells, with the student's names fetched over the wire.

Runs: candidate side of the wall, but trusted: the instructor's code runs here, and no student's.

The driver sends a `Prepare` with locked cells or an `Examine` with a test cell, and each is answered by an `Examined`. While
an `Examine` is worked on, the candidate serves the wire. It goes on doing so until it has a cell to run: then comes a `Release`.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from autograder.failures import raised_by_student
from autograder.lifeline import Examine, Examined, ForkRequest, Prepare, Release, read_frame, read_task, send_frame
from autograder.peer import Examiner
from autograder.questions import Questions, UnlikeReferenceError
from autograder.seeds import seed_generators
from autograder.transcript import Shell, make_shell
from autograder.weaving import DESK, Weaver

_AGAIN_SECONDS = 0.5
"""A test that swallowed the alarm hears it again."""


class OutOfTime(BaseException):
    """A test ran longer than it may. Not an Exception, so that a test's own `except` does not swallow it."""


class Desk:
    """Works on the driver's orders until it hangs up."""

    def __init__(self, orders: socket.socket, wire: socket.socket, seed: int) -> None:
        self._orders = orders
        self._wire = Examiner(wire)
        self._shell: Shell = make_shell()
        self._namespace: dict[str, Any] = self._shell.user_ns
        self._fetched: list[str] = []
        self._armed = False
        seed_generators(seed, accelerators=False)

    def start(self) -> None:
        """Work until the driver hangs up."""
        signal.signal(signal.SIGALRM, self._ring)
        signal.signal(signal.SIGINT, self._ring)
        while True:
            data = read_frame(self._orders)
            if data is None:
                return
            task = read_task(data)
            if isinstance(task, Release):
                self._wire.leave()
                continue
            answer = self._prepare(task) if isinstance(task, Prepare) else self._examine(task)
            send_frame(self._orders, answer.encode())

    # -- what woven test cells call --------------------------------------------------------------------------------------

    def fetch(self, name: str) -> None:
        """Take the student's `name` as it is now; where there is none, neither is there here."""
        try:
            self._namespace[name] = self._wire.get(name)
        except NameError:
            self._namespace.pop(name, None)

    def send(self, name: str) -> None:
        """Bind the student's `name` to what it is here, or unbind it."""
        if name in self._namespace:
            self._wire.set(name, self._namespace[name])
        elif self._wire.has(name):
            self._wire.delete(name)

    # -- the driver's orders ---------------------------------------------------------------------------------------------

    def _prepare(self, task: Prepare) -> Examined:
        with self._shell.taken_down() as transcript, self._alarm(task.seconds):
            error = self._run(task.source)
        return self._examined(error, transcript.messages)

    def _examine(self, task: Examine) -> Examined:
        weaver = Weaver(sends=task.writes_back, refetches=task.refetch)
        self._shell.ast_transformers.append(weaver)
        self._namespace[DESK] = self
        questions = self._wire.questions = Questions(task.known)
        with self._shell.taken_down() as transcript:
            try:
                with self._alarm(task.seconds):
                    self._begin(task.takes)
                    seed_generators(task.seed, accelerators=False)
                    error = self._run(task.source)
            except BaseException as failure:  # noqa: BLE001  the student's names could not be fetched
                error = failure
                self._shell._showtraceback(type(failure), failure, [repr(failure)])
            finally:
                self._shell.ast_transformers.remove(weaver)
                self._namespace.pop(DESK, None)
        self._wire.done()
        answer = self._examined(error, transcript.messages)
        unlike = str(error) if isinstance(error, UnlikeReferenceError) else ""
        return dataclasses.replace(answer, asked=sorted(questions.asked), unlike=unlike)

    def _begin(self, names: Sequence[str]) -> None:
        """Make the student's `names` known, as far as there are any, and forget those fetched before."""
        for name in self._fetched:
            self._namespace.pop(name, None)
        self._fetched = list(names)
        for name in names:
            self.fetch(name)

    def _run(self, source: str) -> BaseException | None:
        result = self._shell.run_cell(source, store_history=False)
        error: BaseException | None = result.error_before_exec or result.error_in_exec
        return error

    def _examined(self, error: BaseException | None, messages: list[dict[str, Any]]) -> Examined:
        name = type(error).__name__ if error is not None else ""
        raised = raised_by_student(error) if error is not None else None
        if raised is not None and raised.traceback:
            text = f"In the student's process {raised.type_name} was raised:\n{raised.traceback}"
            messages.append({"msg_type": "stream", "content": {"name": "stderr", "text": text}})
        return Examined(
            ename=name,
            evalue=next((m["content"]["evalue"] for m in messages if m["msg_type"] == "error"), ""),
            messages=messages,
            out_of_time=isinstance(error, OutOfTime),
            lines=_lines_in_cell(error, self._namespace),
            by_student=raised is not None,
            builtin=error is not None and type(error) is vars(builtins).get(name),
            broken=self._wire.broken is not None,
        )

    # -- time ------------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _alarm(self, seconds: float) -> Iterator[None]:
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
        try:
            yield
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, *_: object) -> None:
        if self._armed:
            raise OutOfTime("the test ran longer than it may")


def _lines_in_cell(error: BaseException | None, namespace: dict[str, Any]) -> list[int]:
    """The numbers of the cell's lines that `error` passed through, outermost first."""
    if error is None:
        return []
    frames = list(traceback.walk_tb(error.__traceback__))
    own = next((f.f_code.co_filename for f, _ in frames if f.f_globals is namespace and f.f_code.co_name == "<module>"), None)
    return [line for frame, line in frames if frame.f_code.co_filename == own]


def ready_desk(request: ForkRequest, descriptors: list[int]) -> Desk:
    """A desk that needs only to be started; `descriptors` are the driver's socket and the wire."""
    sys.path.insert(0, "")  # files beside the notebook, as in a kernel
    orders, wire = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    return Desk(orders, wire, request.seed)
