"""What a kernel's messages say, whatever they hold, and what they do to this process.

Runs: trusted side; the messages were written by student code, if it wants to.
"""

from __future__ import annotations

import json
import logging
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_client.session import DELIM

from autograder.lifeline import SERVED

log = logging.getLogger(__name__)

_PARTS = ("header", "parent_header", "metadata", "content")
"""What a message consists of."""
_LOOK_SECONDS = 0.1
_GROWTH_BYTES = 400_000_000
"""How much the driver may grow while a cell runs: a message can have any number of parts."""


class DriverMemory:
    """Whether this process has grown more than any cell has a reason to make it, looked at a few times a second."""

    def __init__(self) -> None:
        self._began = resident_bytes()
        self._next = 0.0

    def has_grown(self) -> bool:
        """Whether it has."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _LOOK_SECONDS
        return resident_bytes() - self._began > _GROWTH_BYTES


def resident_bytes() -> int:
    """What this process holds in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def message_of(parts: Sequence[bytes], request: str) -> dict[str, Any] | None:
    """The message that arrived in `parts`, if it answers `request` and is well formed."""
    try:
        first = parts.index(DELIM) + 2  # a signature comes before the message: student code has the key, so it says nothing
        message = dict(zip(_PARTS, map(json.loads, parts[first : first + len(_PARTS)]), strict=True))
    except (ValueError, RecursionError) as error:  # anything can arrive from student code, and none of it is ours
        log.debug("dropped a malformed message: %s", error)
        return None
    fields = [message.get(name) for name in ("header", "parent_header", "content")]
    if not all(isinstance(field, dict) for field in fields) or message["parent_header"].get("msg_id") != request:
        return None
    return message


def is_idle(message: dict[str, Any]) -> bool:
    """Whether the kernel says that it has sent everything."""
    return _says(message, "idle")


def is_served(message: dict[str, Any]) -> bool:
    """Whether the candidate says that it has served a test, and sent everything that was shown meanwhile."""
    return _says(message, SERVED)


def _says(message: dict[str, Any], state: str) -> bool:
    return bool(message["header"].get("msg_type") == "status" and message["content"].get("execution_state") == state)


def leaves(reply: dict[str, Any]) -> bool:
    """Whether the cell called `exit()`: the kernel ends a moment later, and what still runs until then would be chance."""
    payload = reply.get("payload")
    return isinstance(payload, list) and any(isinstance(item, dict) and item.get("source") == "ask_exit" for item in payload)


def is_text_list(value: Any) -> bool:
    """Whether `value` is lines of text, and some."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def text_of(value: Any) -> str:
    """`value` if it is text."""
    return value if isinstance(value, str) else ""
