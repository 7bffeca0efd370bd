"""An IPython shell without a kernel around it: runs cells and writes down what they show.

Runs: candidate side of the wall, but trusted: in the examiner's process.

A kernel is threads, sockets and 0.1 CPU seconds. Test cells need none of that, only what IPython does with a cell: the value
of its last line, displays, pictures. What they show is written down as the messages that a kernel would have sent.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import TracebackType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Any as AnyTrait
from traitlets.config import Config

_PACKAGE = __file__.rpartition(os.sep)[0] + os.sep
_MOST_BYTES = 20_000_000
"""What one cell may show; the driver keeps less."""
_COUNTED = 200
"""What a message counts beside its text."""


class Transcript:
    """What one cell shows, as messages of a kernel's output channel."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._room = _MOST_BYTES

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Write down one message; past the limit nothing more is."""
        from ipykernel.jsonutil import encode_images, json_clean

        if kind != "stream" and "data" in content:
            content = {**content, "data": encode_images(content["data"])}
        clean = json_clean(content)
        self._room -= len(repr(clean)) + _COUNTED
        if self._room < 0:
            return
        last = self.messages[-1] if self.messages else None
        if last is not None and kind == "stream" == last["msg_type"] and last["content"]["name"] == content["name"]:
            last["content"]["text"] += clean["text"]
        else:
            self.messages.append({"msg_type": kind, "content": clean})


class _Stream(io.TextIOBase):
    def __init__(self, name: str, shell: Shell) -> None:
        self._name, self._shell = name, shell

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self._shell.transcript.add("stream", {"name": self._name, "text": text})
        return len(text)


class _Publisher(DisplayPublisher):
    shell: Any

    def publish(self, data: Any, metadata: Any = None, source: Any = None, **more: Any) -> None:
        kind = "update_display_data" if more.get("update") else "display_data"
        content = {"data": data, "metadata": metadata or {}, "transient": more.get("transient") or {}}
        self.shell.transcript.add(kind, content)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.transcript.add("clear_output", {"wait": wait})


class _Hook(DisplayHook):
    shell: Any

    def write_output_prompt(self) -> None:
        """There is none."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        content = {"data": format_dict, "metadata": md_dict or {}, "execution_count": 0}
        self.shell.transcript.add("execute_result", content)

    def finish_displayhook(self) -> None:
        """There is no line to end."""


class Shell(InteractiveShell):
    """Runs cells; `transcript` has what the current one shows."""

    transcript = AnyTrait()

    def __init__(self, **options: Any) -> None:
        self.transcript = Transcript()
        super().__init__(**options)

    @contextmanager
    def taken_down(self) -> Iterator[Transcript]:
        """Write down what is shown in the body."""
        self.transcript = found = Transcript()
        with redirect_stdout(_Stream("stdout", self)), redirect_stderr(_Stream("stderr", self)):
            yield found

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        """What is to be shown: without the frames of this package, through which a test reaches the student's objects."""
        etype, error, trace = super()._get_exc_info(exc_tuple)
        return etype, error, _without_ours(trace)

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        self.transcript.add("error", {"ename": etype.__name__, "evalue": _text(evalue), "traceback": list(stb)})


def make_shell() -> Shell:
    """The shell of this process."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # as in a kernel: pictures are displayed
    config = Config()
    config.HistoryManager.enabled = False  # no database, no thread that saves into it
    config.InteractiveShell.enable_tip = False
    shell: Shell = Shell.instance(config=config, display_pub_class=_Publisher, displayhook_class=_Hook)
    sys.modules["__main__"] = shell.user_module  # what test cells define is pickled by value
    return shell


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    if trace is None:
        return None
    rest = _without_ours(trace.tb_next)
    if trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        return rest
    return TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a message that cannot be made
        return ""
