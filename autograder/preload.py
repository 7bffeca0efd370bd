"""Finds out what a zygote should import: runs the reference notebook once and looks at what it imported.

Runs: trusted side; the notebook, staff's own, runs behind the wall all the same.

There is no list to maintain: an optimiser that imports a compiler at its first step is found because the reference takes
that step. What was found is kept in the user's cache folder under a hash of everything that it depends on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import nbformat

from autograder.errors import KernelStartError, WallError
from autograder.kept import Kept, parts_of_run
from autograder.kernel import KernelSource, Launch
from autograder.outputs import Outputs

log = logging.getLogger(__name__)

_FORM = "preload/2"
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
    kept = Kept(_FORM, parts_of_run(cells, launch), cache)
    known = kept.read()
    if isinstance(known, list):
        return tuple(map(str, known))
    if cells:
        log.info("running the reference notebook once, to see what it imports; the result is kept")
    launch = replace(launch, modules=(), keep_files=False)
    try:
        found = _run(cells, launch, kernels)
    except WallError:
        raise
    except KernelStartError as error:
        log.warning("%s Trying once more.", error)
        found = ()
    found = found or _run(cells, launch, kernels)  # a kernel that was killed says nothing, and a whole class goes by it
    if found:
        kept.write(found)
    return found


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
