"""Finds out what a zygote should import: runs the reference notebook once and looks at what it imported.

Runs: trusted side; the notebook, staff's own, runs behind the wall all the same.

There is no list to maintain: an optimiser that imports a compiler at its first step is found because the reference takes
that step. What was found is kept in the user's cache folder under a hash of everything that it depends on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import nbformat

from autograder.kernel import KernelSource, Launch
from autograder.outputs import Outputs

log = logging.getLogger(__name__)

_FORMAT = "preload/1"
_ASK = """
import os as _os, sys as _sys
def _lasting(module):
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    return origin is not None and not str(origin).startswith((_os.getcwd(), "/opt/autograder"))
__import__("builtins").print(*[name for name, module in list(_sys.modules.items()) if _lasting(module)])
"""
_ANSWER_BYTES = 2_000_000


def modules_for(
    source: nbformat.NotebookNode | None, launch: Launch, kernels: KernelSource, cache: Path | None = None
) -> tuple[str, ...]:
    """The modules that `source`, run in the folder of `launch`, imports, in the order of their import.

    `source=None` stands for a notebook that is not at hand: then only what every kernel imports is found.

    Raises:
        KernelStartError: no kernel started.
    """
    cells = [cell.source for cell in source.cells if cell.cell_type == "code"] if source is not None else []
    kept = (cache or cache_folder()) / f"{_key(cells, launch)}.json"
    try:
        return tuple(map(str, json.loads(kept.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError):
        pass
    if cells:
        log.info("running the reference notebook once, to see what it imports; the result is kept")
    found = _run(cells, replace(launch, modules=(), keep_files=False), kernels)
    if found:
        _keep(kept, found)
    return found


def cache_folder() -> Path:
    """Where results are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "autograder" / "preload"


def _run(cells: Iterable[str], launch: Launch, kernels: KernelSource) -> tuple[str, ...]:
    kernel = kernels.start(launch)
    try:
        for source in cells:
            if kernel.alive:
                kernel.execute(source, _outputs(), seconds=launch.limits.cell_seconds)
        outputs = _outputs()
        kernel.execute(_ASK, outputs, seconds=launch.limits.cell_seconds)
        text = "".join(item["text"] for item in outputs.items if item.output_type == "stream" and item["name"] == "stdout")
        return tuple(text.split())
    finally:
        kernel.close()


def _outputs() -> Outputs:
    return Outputs(_ANSWER_BYTES, 100 * _ANSWER_BYTES)


def _key(cells: Iterable[str], launch: Launch) -> str:
    """A hash of the notebook, of the modules beside it, of this Python and of every package in it."""
    helpers = sorted(launch.folder.rglob("*.py"))
    packages = sorted({f"{found.name}=={found.version}" for found in metadata.distributions()})
    parts = [
        _FORMAT,
        sys.version,
        launch.kernel_name,
        *packages,
        *cells,
        *(path.read_text(encoding="utf-8", errors="replace") for path in helpers),
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def _keep(path: Path, modules: tuple[str, ...]) -> None:
    """Written under another name first: another run may read it meanwhile."""
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(modules), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        log.warning("what the reference imports could not be kept in %s: %s", path.parent, error)
