"""Zygotes that are planted before anybody asks for one, and that all workers of a machine fork from.

Runs: trusted side. Imports nothing heavy, so that planting begins before anything else does.

    driver    planted_ahead(course, assignment)     plants what the last run had use for, while everybody else still imports
    worker    Nursery(folder).join(Plan(...))       a connection to the zygote that was planted for that, or None
              Nursery(folder).note(Plan(...))       it had use for that; the driver remembers it for the next run

To import PyTorch and its first optimiser takes two seconds and a few hundred megabytes: so it is done once for all workers.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autograder.errors import AutograderError
from autograder.folders import Scratch
from autograder.kept import Kept
from autograder.wall import Wall
from autograder.zygotes import PlantingProcess, Zygote, heard

_FORM = "planted/1"
_MOST = 2
"""How many are planted ahead: each takes a core's time, and memory."""
_BACKLOG = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a zygote is to be like."""

    wall: Wall
    modules: tuple[str, ...]

    @property
    def name(self) -> str:
        """Another for each plan, and short: a socket is called so."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The inverse of `to_json`.

        Raises:
            AttributeError, KeyError, TypeError: it is none.
        """
        wall: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data["wall"].items()}
        return cls(wall=Wall(**wall), modules=tuple(map(str, data["modules"])))


class Nursery:
    """A folder that only its owner can write: who may lay a socket there decides what submissions are forked from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._planted: list[PlantingProcess] = []

    @property
    def planting(self) -> bool:
        """Whether this process has begun to plant any here."""
        return bool(self._planted)

    def plant(self, plans: Iterable[Plan]) -> None:
        """Begin to plant these. One that cannot be is left to who needs it, and will be told why."""
        for plan in [*plans][:_MOST]:
            path = self.folder / plan.name
            with suppress(AutograderError, OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
                listener.bind(str(path))
                listener.listen(_BACKLOG)
                self._planted.append(PlantingProcess(plan.wall, plan.modules, listener))

    def join(self, plan: Plan) -> Zygote | None:
        """The zygote that was planted by `plan`, once it is ready; None if there is none, or it can fork nothing."""
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            control.connect(str(self.folder / plan.name))
            if heard(control) is not None:
                return Zygote(plan.wall, control)
        except OSError:  # nobody planted it, or it has ended
            pass
        control.close()
        return None

    def note(self, plan: Plan) -> None:
        """Have the driver know that there was use for `plan`."""
        temporary = self.folder / f"{plan.name}.{os.getpid()}"
        with suppress(OSError):
            temporary.write_text(json.dumps(plan.to_json()), encoding="utf-8")
            temporary.replace(temporary.with_suffix(".json"))

    def noted(self) -> list[Plan]:
        """What there was use for."""
        return [Plan.from_json(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(self.folder.glob("*.json"))]

    def close(self) -> None:
        """End the zygotes. Safe to call twice."""
        while self._planted:
            self._planted.pop().close()


@contextmanager
def planted_ahead(course: Path, assignment: str) -> Iterator[Nursery]:
    """A nursery in which workers find, while the body runs, what the last run of this had use for."""
    kept = Kept(_FORM, [str(course.resolve()), assignment])
    with closing(Scratch("autograder-nursery-")) as folder, closing(Nursery(folder.path)) as nursery:
        with suppress(AttributeError, KeyError, TypeError):  # it may be damaged, or another version's
            nursery.plant(map(Plan.from_json, kept.read() or []))
        yield nursery
        noted = nursery.noted()
        if noted:
            kept.write([plan.to_json() for plan in noted])
