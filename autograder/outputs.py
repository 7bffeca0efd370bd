"""Collects what a cell prints and displays, within a budget, as it arrives.

Runs: trusted side; every message comes from the candidate and is treated as hostile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import nbformat
from nbformat.v4 import output_from_msg

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_VALUE_CHARACTERS = 1000
_KEPT_TYPES = frozenset({"stream", "display_data", "execute_result", "error"})


def clean_text(value: Any) -> Any:
    """`value` with lone surrogates replaced in every string, at any depth: they cannot be written as UTF-8."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return type(value)({clean_text(key): clean_text(item) for key, item in value.items()})
    if isinstance(value, list):
        return [clean_text(item) for item in value]
    return value


def size_of(value: Any) -> int:
    """About how many bytes `value`, decoded from JSON, takes as text."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(str(key)) + size_of(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(size_of, value))
    return 8


class Outputs:
    """The outputs of one cell: at most `output_bytes` kept, the rest dropped as it arrives with one notice."""

    def __init__(self, output_bytes: int, flood_bytes: int) -> None:
        self.items: list[nbformat.NotebookNode] = []
        """nbformat outputs, in order; neighbouring pieces of one stream are joined."""
        self.seen_bytes = 0
        """What the cell sent in all, kept or not."""
        self._kept_bytes = 0
        self._output_bytes = output_bytes
        self._flood_bytes = flood_bytes
        self._cut = False
        self._clear_first = False
        self._displays: dict[str, list[nbformat.NotebookNode]] = {}
        self.value: str | None = None
        """The plain text of the cell's last value, kept whatever the budget; None when the cell ended without one."""
        self.complete = True
        """Whether everything that the cell sent has arrived; the kernel says otherwise."""

    @property
    def flooded(self) -> bool:
        """Whether the cell sent more than any program has a reason to."""
        return self.seen_bytes > self._flood_bytes

    def take(self, message: Mapping[str, Any]) -> None:
        """Add one message of the kernel's output channel; `header` and `content` are dicts. Anything else odd is dropped."""
        kind = message["header"].get("msg_type")
        content = message["content"]
        if not isinstance(kind, str):
            return
        try:
            self._take(kind, message, content)
        except RecursionError:
            return  # nested deeper than any display has a reason to be

    def _take(self, kind: str, message: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        size = size_of(content)
        self.seen_bytes += size
        if kind == "clear_output":
            self._clear(wait=bool(content.get("wait")))
        elif kind == "update_display_data":
            self._update(content, size)
        elif kind in _KEPT_TYPES:
            self._add(message, size)

    def add_error(self, ename: str, evalue: str, traceback: list[str] | None = None) -> None:
        """Record an error that the kernel reported only in its reply, or that the grader noticed itself."""
        error = nbformat.v4.new_output("error", ename=ename, evalue=evalue, traceback=traceback or [f"{ename}: {evalue}"])
        self.items.append(clean_text(error))

    def has_error(self, ename: str) -> bool:
        """Whether an error named `ename` is among the outputs."""
        return any(item.output_type == "error" and item.get("ename") == ename for item in self.items)

    def notice(self, text: str) -> None:
        """Append a line from the grader itself."""
        self.items.append(nbformat.v4.new_output("stream", name="stderr", text=f"[{text}]\n"))

    def _add(self, message: Mapping[str, Any], size: int) -> None:
        try:
            output = clean_text(output_from_msg(message))
            nbformat.validate(output, ref="output", version=4)
        except (KeyError, ValueError, TypeError, AttributeError, nbformat.ValidationError):
            return
        if output.output_type == "execute_result":
            text = output.data.get("text/plain", "")
            self.value = (text if isinstance(text, str) else "".join(text))[:_VALUE_CHARACTERS]
        if self._clear_first:
            self._clear(wait=False)
        if self._kept_bytes + size > self._output_bytes:
            self._cut_off(output)
            return
        self._kept_bytes += size
        self._append(output)
        transient = message["content"].get("transient")
        display_id = transient.get("display_id") if isinstance(transient, dict) else None
        if isinstance(display_id, str):
            self._displays.setdefault(display_id, []).append(output)

    def _append(self, output: nbformat.NotebookNode) -> None:
        last = self.items[-1] if self.items else None
        if last is not None and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            self.items.append(output)

    def _cut_off(self, output: nbformat.NotebookNode) -> None:
        """Keep the part of a stream that still fits; say once that the rest was dropped."""
        if self._cut:
            if output.output_type == "error":  # the reason why a cell failed is worth its bytes
                self.add_error(str(output.ename)[:200], str(output.evalue)[:2000])
            return
        self._cut = True
        if output.output_type == "stream":
            output.text = output.text[: self._output_bytes - self._kept_bytes]
            self._append(output)
        self.notice(f"output cut here: only the first {self._output_bytes:,} bytes of a cell's output are kept")

    def _clear(self, *, wait: bool) -> None:
        self._clear_first = wait
        if not wait:
            self.items.clear()
            self._displays.clear()
            self._kept_bytes = 0
            self._cut = False

    def _update(self, content: Mapping[str, Any], size: int) -> None:
        transient = content.get("transient")
        display_id = transient.get("display_id") if isinstance(transient, dict) else None
        data = content.get("data")
        if not isinstance(display_id, str) or not isinstance(data, dict) or self._kept_bytes + size > self._output_bytes:
            return
        for output in self._displays.get(display_id, []):
            changed = nbformat.from_dict({**output, "data": clean_text(data)})
            try:
                nbformat.validate(changed, ref="output", version=4)
            except nbformat.ValidationError:
                return
            self._kept_bytes += size
            output.data = changed.data
