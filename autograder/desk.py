"""What the examiner's kernel does around a test cell: fetches the student's names, sends back what the test binds.

Runs: candidate side of the wall, but trusted: the instructor's code runs here, and no student's.

The driver runs instructor code in this kernel as ordinary cells and speaks to the desk through the shell
(`get_ipython().desk`). Test cells that bind the student's names call it too (`weaving`).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from autograder.peer import Examiner
from autograder.seeds import seed_generators


class Desk:
    """The examiner's end of the wire, and the namespace that test cells run in."""

    def __init__(self, connection: socket.socket, namespace: dict[str, Any]) -> None:
        self._wire = Examiner(connection)
        self._namespace = namespace
        self._fetched: list[str] = []

    def begin(self, names: Sequence[str], seed: int) -> None:
        """Make the student's `names` known, as far as there are any, and start the random generators afresh."""
        for name in self._fetched:
            self._namespace.pop(name, None)
        self._fetched = list(names)
        for name in names:
            self.fetch(name)
        seed_generators(seed)

    def fetch(self, name: str) -> None:
        """Take the student's `name` as it is now; where there is none, neither is there here."""
        if self._wire.has(name):
            self._namespace[name] = self._wire.get(name)
        else:
            self._namespace.pop(name, None)

    def send(self, name: str) -> None:
        """Bind the student's `name` to what it is here, or unbind it."""
        if name in self._namespace:
            self._wire.set(name, self._namespace[name])
        elif self._wire.has(name):
            self._wire.delete(name)

    def end(self) -> None:
        """Let the candidate go on."""
        self._wire.done()
