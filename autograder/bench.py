"""Measures kernels side by side in one run: cold as nbgrader starts them, warm behind the wall, and the floor under both.

Runs: trusted side; notebooks are staff's own, but only the warm kernel walls them in.

The same notebook with its hidden tests runs in every contestant, which take turns; each round begins with another one. All
compute with the same number of threads. The cold kernel is nbgrader's, driven as we drive ours: nbgrader's own driver would
add its share.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from traitlets import Dict as DictTrait

from autograder.cells import grade_id_of
from autograder.errors import SourceError
from autograder.floor import FloorJob, FloorRun
from autograder.kernel import Ending, JupyterKernel, Kernel, Launch
from autograder.limits import Limits
from autograder.manifest import Manifest
from autograder.outputs import Outputs
from autograder.preload import modules_for
from autograder.ratios import Contestant, Part, Row, Run, Target, errors_of, rows_of, targets_of, with_forks
from autograder.warm import WarmKernels

_FIRST_CELL = (("first cell", "1 + 1"),)
_SETTLE_SECONDS = 0.3
"""After its last word a warden still has to exit and be waited for before its CPU counts."""

Progress = Callable[[int, int], None]
Cells = tuple[tuple[str, str], ...]
Folders = Mapping["Contestant", Path]


TURNS = (
    (Contestant.COLD, Part.FIRST_CELL),
    (Contestant.WARM, Part.FIRST_CELL),
    (Contestant.COLD, Part.NOTEBOOK),
    (Contestant.WARM, Part.NOTEBOOK),
    (Contestant.FLOOR, Part.NOTEBOOK),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured."""

    cpu: str
    cores: int
    """Those that this process may use."""
    memory_bytes: int
    linux: str
    python: str
    packages: Mapping[str, str]
    """Versions of what the figures depend on most."""

    def __str__(self) -> str:
        memory = self.memory_bytes / 2**30
        versions = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        return f"{self.cores} cores of {self.cpu}, {memory:.0f} GiB, Linux {self.linux}, Python {self.python}, {versions}"

    def to_json(self) -> dict[str, Any]:
        """The machine as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelBench:
    """What was measured on one assignment."""

    id: str
    cells: int
    threads: int
    rounds: int
    plant_seconds: float
    """Wall seconds to plant the zygote, once for a class."""
    fork_cpu_seconds: float
    """The part of each warm run's CPU that its warden cannot count: the zygote's forks, and ending the processes."""
    runs: tuple[Run, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The table."""
        return rows_of(self.runs)

    @property
    def targets(self) -> tuple[Target, ...]:
        """What was promised, and what was measured."""
        return targets_of(self.runs)

    @property
    def errors(self) -> dict[str, str]:
        """Why the contestants cannot be compared; empty when they can."""
        return errors_of(self.runs)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "id": self.id,
            "cells": self.cells,
            "threads": self.threads,
            "rounds": self.rounds,
            "plant_seconds": self.plant_seconds,
            "fork_cpu_seconds": self.fork_cpu_seconds,
            "rows": [asdict(row) for row in self.rows],
            "targets": [{**asdict(target), "met": target.met} for target in self.targets],
            "errors": self.errors,
            "runs": [asdict(run) for run in self.runs],
        }


def bench_kernels(
    manifest: Manifest, source: Path, *, rounds: int = 5, progress: Progress | None = None, cache: Path | None = None
) -> KernelBench:
    """Run the reference notebook of `manifest`, built in the folder `source`, `rounds` times in each contestant.

    Raises:
        SourceError: the notebook has not been built, or the floor ended early.
        KernelStartError: a kernel did not start, or this machine cannot wall it in.
    """
    nb = _read(source / manifest.id / f"{manifest.id}.ipynb")
    code = [(index, cell) for index, cell in enumerate(nb.cells, start=1) if cell.cell_type == "code"]
    cells = tuple((grade_id_of(cell) or f"cell {index}", cell.source) for index, cell in code)
    kernel_name = nb.metadata.get("kernelspec", {}).get("name", "python3")
    warm = WarmKernels()
    with _staged(source / manifest.id) as folders:
        launch = Launch(
            folder=folders[Contestant.WARM],
            limits=manifest.limits,
            kernel_name=kernel_name,
            device=manifest.device,
            keep_files=True,
        )
        try:
            launch = replace(launch, modules=modules_for(nb, launch, warm, cache))
            return _compare(manifest.id, cells, launch, warm, folders, rounds, progress)
        finally:
            warm.close()


def turns_of(round_number: int) -> tuple[tuple[Contestant, Part], ...]:
    """The turns of one round; each round begins one later."""
    first = round_number % len(TURNS)
    return TURNS[first:] + TURNS[:first]


def describe_machine() -> Machine:
    """This machine, in what matters to the figures; nothing that tells which machine it is."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    installed = {found.name: found.version for found in metadata.distributions()}
    return Machine(
        cpu=models[0] if models else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        linux=platform.release(),
        python=platform.python_version(),
        packages={name: installed[name] for name in ("ipykernel", "torch", "numpy", "matplotlib") if name in installed},
    )


def _compare(
    name: str, cells: Cells, launch: Launch, warm: WarmKernels, folders: Folders, rounds: int, progress: Progress | None
) -> KernelBench:
    """Take turns. A first fork, not counted, plants the zygote."""
    began = time.monotonic()
    warm.start(launch).close()
    planted = time.monotonic() - began
    time.sleep(_SETTLE_SECONDS)
    zygote = _descendants(os.getpid())
    spent = -_cpu_seconds(zygote)
    runs: list[Run] = []
    with Floor(FloorJob(modules=launch.modules, cells=cells), folders[Contestant.FLOOR], launch.limits) as floor:
        for number in range(rounds):
            for contestant, part in turns_of(number):
                todo = _FIRST_CELL if part is Part.FIRST_CELL else cells
                if contestant is Contestant.FLOOR:
                    runs.append(Run(round=number, contestant=contestant, part=part, **asdict(floor.run())))
                else:
                    start = partial(warm.start, launch)
                    if contestant is Contestant.COLD:
                        start = partial(_start_cold, replace(launch, folder=folders[Contestant.COLD]))
                    runs.append(_run_kernel(start, todo, launch.limits, number, contestant, part))
                if progress is not None:
                    progress(len(runs), rounds * len(TURNS))
    time.sleep(_SETTLE_SECONDS)
    spent += _cpu_seconds(zygote)
    counted, share = with_forks(runs, spent)
    return KernelBench(
        id=name,
        cells=len(cells),
        threads=int(launch.limits.threads),
        rounds=rounds,
        plant_seconds=planted,
        fork_cpu_seconds=share,
        runs=counted,
    )


def _run_kernel(
    start: Callable[[], Kernel], cells: Cells, limits: Limits, number: int, contestant: Contestant, part: Part
) -> Run:
    """Start a kernel, run `cells` and end it."""
    errors, figures = {}, 0
    reached = imported = None
    ended, own = _rusage_seconds(resource.RUSAGE_CHILDREN), _rusage_seconds(resource.RUSAGE_SELF)
    began = time.monotonic()
    kernel = start()
    try:
        for name, source in cells:
            outputs = Outputs(limits.output_bytes, limits.flood_bytes)
            reply = kernel.execute(source, outputs, seconds=limits.cell_seconds)
            passed = time.monotonic() - began
            reached = reached or passed
            imported = imported or (passed if _imports(source) else None)
            figures += sum("image/png" in item.get("data", ()) for item in outputs.items)
            if reply.ending is not Ending.OK:
                errors[name] = f"{reply.ename}: {reply.evalue}" if reply.ename else str(reply.ending)
    finally:
        kernel.close()
    ended, own = _rusage_seconds(resource.RUSAGE_CHILDREN) - ended, _rusage_seconds(resource.RUSAGE_SELF) - own
    return Run(
        round=number,
        contestant=contestant,
        part=part,
        wall_seconds=time.monotonic() - began,
        cpu_seconds=ended if contestant is Contestant.COLD else kernel.usage.cpu_seconds,
        start_seconds=kernel.start_seconds,
        reached_seconds=reached,
        imported_seconds=imported,
        driver_cpu_seconds=own,
        figures=figures,
        errors=errors,
    )


def _imports(source: str) -> bool:
    """Whether a cell has an import statement; no for one that is not plain Python."""
    with contextlib.suppress(SyntaxError):
        return any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(ast.parse(source)))
    return False


def _start_cold(launch: Launch) -> Kernel:
    """A cold kernel with the threads of a warm one; nbgrader's own would take as many as there are cores."""
    return JupyterKernel(launch, partial(_SteadyManager, steady=_environment(launch.limits)))


class _SteadyManager(KernelManager):
    """Starts kernels with `steady` in their environment."""

    steady = DictTrait(help="environment variables")

    @property
    def kernel_spec(self) -> KernelSpec | None:
        """The kernelspec, with the variables in it."""
        spec = super().kernel_spec
        if spec is None:
            return None
        changed = copy.copy(spec)
        changed.env = {**spec.env, **self.steady}
        return changed


def _environment(limits: Limits) -> dict[str, str]:
    """What makes the others do the same work as a warm kernel."""
    threads = str(int(limits.threads))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {**dict.fromkeys(names, threads), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


class Floor:
    """The floor's process; `run` has it fork once."""

    def __init__(self, job: FloorJob, folder: Path, limits: Limits) -> None:
        """Start it in `folder` and wait until it has imported.

        Raises:
            SourceError: it ended, or what it imported does not let it fork.
        """
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `__exit__`
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            file.write(job.to_json())
            file.flush()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "autograder.floor", file.name],
                cwd=folder,
                env={**os.environ, **_environment(limits), "MPLBACKEND": "agg"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
            )
            threads = json.loads(self._answer())["threads"]
        if threads > 1:
            self.__exit__()
            raise SourceError(f"a module starts threads when imported ({threads} run), so bare forks cannot be measured here.")

    def __enter__(self) -> Floor:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._errors.close()

    def run(self) -> FloorRun:
        """Fork once and wait for it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        return FloorRun.from_json(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise SourceError(f"the floor's process ended early with status {self._process.wait()}: {said[0]}")
        return line


@contextmanager
def _staged(folder: Path) -> Iterator[Folders]:
    """A copy of the staged files for each contestant, without the notebook."""
    with tempfile.TemporaryDirectory(prefix="autograder-bench-") as root:
        folders = {contestant: Path(root, contestant, folder.name) for contestant in Contestant}
        for copied in folders.values():
            shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("*.ipynb", "__pycache__"))
        yield folders


def _read(path: Path) -> nbformat.NotebookNode:
    try:
        found: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file. `autograder build` makes it.") from None
    return found


def _rusage_seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _descendants(ancestor: int) -> frozenset[int]:
    """Every living process below `ancestor`."""
    parents = {int(path.name): int(fields[1]) for path in Path("/proc").glob("[0-9]*") if (fields := _stat(int(path.name)))}
    found: set[int] = set()
    newest = {ancestor}
    while newest:
        newest = {pid for pid, parent in parents.items() if parent in newest} - found
        found |= newest
    return frozenset(found)


def _cpu_seconds(pids: Iterable[int]) -> float:
    """User and system seconds of `pids`, with those of the children that they waited for."""
    return sum(sum(map(int, _stat(pid)[11:15])) for pid in pids) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """/proc/<pid>/stat after the name; empty when the process is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return []
