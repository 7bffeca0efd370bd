"""The least CPU a notebook can take: its cells by bare `exec` in a forked child, with no kernel and no wall.

Runs: trusted side, in a process of its own; everything it runs was written by staff.

    python -m autograder.floor <job.json>      one JSON line when ready, then one for each line on standard input

It imports what a zygote imports, then forks a child for each line it reads; the child runs all cells in one namespace and
ends. Whatever a kernel adds is overhead, so the child does the useful work that a notebook's reader sees the result of:
after each cell it renders open figures to PNG and closes them, as matplotlib's inline backend does in a kernel, and what a cell
displays it renders too. It does not print: standard output and the value of a cell's last line go nowhere.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import sys
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PROCESS = "process"
"""Stands for a cell's name where the child itself died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorJob:
    """What to import before the forks, and what to run in each."""

    modules: tuple[str, ...]
    cells: tuple[tuple[str, str], ...]
    """Name and source of each code cell, in order."""

    def to_json(self) -> str:
        """The job as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> FloorJob:
        """The inverse of `to_json`."""
        data = json.loads(text)
        return cls(modules=tuple(data["modules"]), cells=tuple((name, source) for name, source in data["cells"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRun:
    """What one child took."""

    wall_seconds: float
    """From before the fork until the child was waited for."""
    cpu_seconds: float
    """User and system seconds of the child and of the children that it waited for."""
    figures: int = 0
    """Pictures that the cells made."""
    errors: dict[str, str] = field(default_factory=dict)
    """Name of each cell that raised -> what."""

    def to_json(self) -> str:
        """The run as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> FloorRun:
        """The inverse of `to_json`."""
        return cls(**json.loads(text))


def main() -> None:
    """Import, say so, and run the job named on the command line once for each line on standard input."""
    job = FloorJob.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _import_all(job.modules)
    gc.collect()
    gc.freeze()
    results.write(json.dumps({"threads": len(list(Path("/proc/self/task").iterdir()))}) + "\n")
    for _ in sys.stdin:
        results.write(run_in_fork(job).to_json() + "\n")


def run_in_fork(job: FloorJob) -> FloorRun:
    """Run the cells of `job` in a fork of this process."""
    reader, writer = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_child(job, reader, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, status, usage = os.wait4(child, 0)
    return FloorRun(
        wall_seconds=time.monotonic() - began,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        **(json.loads(said) if said else {"errors": {PROCESS: f"ended with status {os.waitstatus_to_exitcode(status)}"}}),
    )


def run_cells(cells: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], int]:
    """Run `cells` in order in one namespace, going on after errors; name of each that raised -> what, and pictures made."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    errors: dict[str, str] = {}
    rendered: list[int] = []
    _render_what_is_displayed(rendered)
    for name, source in cells:
        try:
            exec(compile(source, f"<{name}>", "exec"), namespace)
            rendered += _open_figures()
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  whatever it is, it is reported
            errors[name] = f"{type(error).__name__}: {error}"[:500]
    return errors, sum(rendered)


def _import_all(modules: tuple[str, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001  the zygote leaves it out too
                continue


def _be_child(job: FloorJob, reader: int, writer: int) -> None:
    """Run the cells, say which raised, and end."""
    status = 1
    try:
        os.close(reader)
        os.dup2(1, 2)
        errors, figures = run_cells(job.cells)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(json.dumps({"errors": errors, "figures": figures}).encode())
        status = 0
    finally:
        os._exit(status)


def _render_what_is_displayed(rendered: list[int]) -> None:
    """From here on in this process: without a kernel IPython's `display` prints what a kernel would render."""
    ipython = sys.modules.get("IPython.display")
    if ipython is not None:
        vars(ipython)["display"] = lambda *things, **_: rendered.extend(map(_render, things))


def _open_figures() -> list[int]:
    """What the inline backend does with open figures at the end of a cell."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    rendered = [_render(pyplot.figure(number)) for number in pyplot.get_fignums()]
    if rendered:  # closing nothing would still collect garbage
        pyplot.close("all")
    return rendered


def _render(thing: Any) -> int:
    """Render `thing` if it is a figure with anything in it; whether it was."""
    figures = sys.modules.get("matplotlib.figure")
    if figures is None or not isinstance(thing, figures.Figure) or not (thing.axes or thing.lines):
        return 0
    thing.savefig(io.BytesIO(), format="png", dpi=thing.dpi, bbox_inches="tight")
    return 1


if __name__ == "__main__":
    main()
