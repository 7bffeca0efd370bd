"""The driver's handle on an examiner's process.

Runs: trusted side. What it reads was written by the examiner's process, which parses student data: its form is checked.
"""

from __future__ import annotations

import signal
import socket
import time
from typing import Any

from autograder.kernel import Usage
from autograder.lifeline import Examine, Examined, Prepare, Release, Why, read_frame, send_frame
from autograder.outputs import Outputs
from autograder.zygotes import Fork

_ANSWER_BYTES = 100_000_000
_TEXTS = ("ename", "evalue", "unlike")
_FLAGS = ("out_of_time", "by_student", "builtin", "broken")


class ExaminerProcess:
    """One fork with a desk in it."""

    def __init__(self, fork: Fork, orders: socket.socket) -> None:
        self._fork = fork
        self._orders = orders
        self._end = ""
        self.usage = Usage()

    @property
    def alive(self) -> bool:
        """Whether it can run another cell."""
        return not self._end

    @property
    def end(self) -> str:
        """How it ended, in words; empty while it lives."""
        return self._end

    def send(self, task: Prepare | Examine | Release) -> None:
        """Give it a cell to run, of which `receive` says how it ended; or have it let the candidate go."""
        try:
            send_frame(self._orders, task.encode())
        except OSError as error:
            self.close(f"lost contact with the examiner: {error}")

    def receive(self, outputs: Outputs, *, seconds: float) -> Examined | None:
        """How the cell ended and, into `outputs`, what it showed; None if the process gave no answer in time and was ended."""
        if not self.alive:
            return None
        try:
            self._orders.settimeout(max(0.01, seconds))
            data = read_frame(self._orders, _ANSWER_BYTES)
        except TimeoutError:
            self.close("killed: the examiner gave no answer in time")
            return None
        except (OSError, ValueError) as error:
            self.close(f"lost contact with the examiner: {error}")
            return None
        answer = None if data is None else _read(data)
        if answer is None:
            self._bury()
            return None
        for message in answer.messages:
            outputs.take({"header": {"msg_type": message["msg_type"]}, "content": message["content"], "metadata": {}})
        return answer

    def waits(self, seconds: float) -> bool:
        """Whether it has still given no answer after `seconds`."""
        if not self.alive:
            return False
        self._orders.settimeout(max(0.001, seconds))
        try:
            self._orders.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        except OSError:
            return False
        return False

    def interrupt(self) -> None:
        """End the test that runs."""
        self._fork.send_signal(signal.SIGINT)

    def close(self, why: str = "ended by the grader") -> None:
        """End it. Safe to call twice."""
        if self._end:
            return
        self._end = why
        self._orders.close()
        ended = self._fork.end()
        self.usage = Usage(cpu_seconds=ended.cpu_seconds, peak_bytes=ended.peak_bytes)
        self._fork.close()

    def _bury(self) -> None:
        """It hung up, or sent what is no answer: say why if its warden does."""
        deadline = time.monotonic() + 1
        while self._fork.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        ended = self._fork.poll()
        reason = {Why.MEMORY: "it used more memory than it may", Why.CPU: "it used up its CPU seconds"}
        self.close(f"the examiner was lost: {'it broke off' if ended is None else reason.get(ended.why, 'it ended')}")


def _read(data: bytes) -> Examined | None:
    """The answer in `data`, if it is one."""
    try:
        found = Examined.decode(data)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    if not all(isinstance(getattr(found, name), str) for name in _TEXTS):
        return None
    if not all(isinstance(getattr(found, name), bool) for name in _FLAGS):
        return None
    if not isinstance(found.lines, list) or not all(type(line) is int for line in found.lines):
        return None
    if not isinstance(found.asked, list) or not all(type(question) is str for question in found.asked):
        return None
    if not isinstance(found.messages, list) or not all(_is_message(message) for message in found.messages):
        return None
    return found


def _is_message(message: Any) -> bool:
    return isinstance(message, dict) and isinstance(message.get("msg_type"), str) and isinstance(message.get("content"), dict)
