"""Results that are kept between runs, each under a hash of everything that it depends on.

Runs: trusted side.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `class_commands` looks at what is kept before anything is imported that takes long
    from autograder.kernel import Launch

log = logging.getLogger(__name__)


class Kept:
    """The place of one result."""

    def __init__(self, form: str, parts: Iterable[str], folder: Path | None = None) -> None:
        """`form` is what the result is and the version of its form, `parts` everything that it depends on."""
        digest = hashlib.sha256()
        for part in (form, *parts):
            digest.update(f"{len(part)}:{part}".encode())
        self._path = (folder or kept_folder()) / form.partition("/")[0] / f"{digest.hexdigest()}.json"

    def read(self) -> Any:
        """The result; None if it is not there or cannot be read."""
        try:
            return json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, result: Any) -> None:
        """Keep `result`, which JSON can hold. Written under another name first: another run may read it meanwhile."""
        temporary = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(result), encoding="utf-8")
            temporary.replace(self._path)
        except OSError as error:
            log.warning("what a run of the reference found could not be kept in %s: %s", self._path.parent, error)


def kept_folder() -> Path:
    """Where results are kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "autograder"


def parts_of_run(cells: Iterable[str], launch: Launch) -> list[str]:
    """What a run of `cells` by `launch` depends on: these, the modules beside it, this Python and every package in it."""
    helpers = sorted(launch.folder.rglob("*.py"))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in helpers]
    return [sys.version, launch.kernel_name, *packages_here(), *cells, *texts]


@cache
def packages_here() -> tuple[str, ...]:
    """Name and version of every package in this Python, as its folder of metadata is called; reading the metadata takes 0.3 s."""
    found: set[str] = set()
    for folder in sys.path:
        with contextlib.suppress(OSError):
            found.update(name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info")))  # noqa: PTH208
    return tuple(sorted(found))
