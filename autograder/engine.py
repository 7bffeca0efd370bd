"""The grader as a papermill engine: `papermill --engine autograder in.ipynb out.ipynb -p DEVICE cpu`.

Runs: trusted side. The only module that imports papermill.

Papermill loads its engines, this module's class among them, while papermill itself is being imported. Importing papermill
at the top of this module would therefore be a circle whenever this module comes first, so the class is made when it is
first asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from autograder.cells import NBGRADERS, Delimiters, parameters_of, seed_of
from autograder.examiner import Examiner
from autograder.gpu import device_of
from autograder.grade import NO_REFERENCES, grade_notebook
from autograder.kernel import KernelSource, Launch
from autograder.limits import Limits
from autograder.ownership import analyse
from autograder.paired import PairedExaminer
from autograder.report import Report
from autograder.stand_ins import StandIns
from autograder.warm import WarmKernels

ENGINE_NAME = "autograder"
_PAPERMILL_OPTIONS = frozenset(
    [
        "execution_timeout",
        "input_path",
        "log_output",
        "request_save_on_cell_execute",
        "start_timeout",
        "stderr_file",
        "stdout_file",
    ]
)


def __getattr__(name: str) -> Any:
    if name == "AutograderEngine":
        return _engine_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _engine_class() -> type:
    from papermill.engines import Engine

    class AutograderEngine(Engine):  # type: ignore[misc]  # papermill ships no types
        """Runs every cell, whatever fails, and leaves the report in the notebook's metadata under `autograder`."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
            """Called by papermill with its notebook manager."""
            _execute(nb_man, kernel_name, **options)

    return AutograderEngine


def run_with_papermill(
    nb: nbformat.NotebookNode,
    *,
    kernels: KernelSource,
    examiner: Examiner,
    launch: Launch,
    references: StandIns = NO_REFERENCES,
    delimiters: Delimiters = NBGRADERS,
) -> Report:
    """Run `nb` in place through the papermill engine; papermill's own metadata are taken out again.

    They must not stay: nbgrader's checksums, feedback and formgrader would carry them.
    """
    from papermill.engines import papermill_engines

    nb.metadata["papermill"] = {}
    papermill_engines.execute_notebook_with_engine(
        ENGINE_NAME,
        nb,
        launch.kernel_name,
        progress_bar=False,
        launch=launch,
        kernels=kernels,
        examiner=examiner,
        references=references,
        delimiters=delimiters,
    )
    report = Report.from_json(nb.metadata.pop("autograder"))
    nb.metadata.pop("papermill", None)
    for cell in nb.cells:
        cell.metadata.pop("papermill", None)
    return report


def _execute(
    nb_man: Any,
    kernel_name: str,
    *,
    launch: Launch | None = None,
    kernels: KernelSource | None = None,
    examiner: Examiner | None = None,
    references: StandIns = NO_REFERENCES,
    delimiters: Delimiters = NBGRADERS,
    unsafe_no_sandbox: bool = False,
    unexamined: Collection[str] = (),
    **options: Any,
) -> None:
    """Run the managed notebook; papermill's `execution_timeout` and `start_timeout` set the limits of the same meaning.

    Called by papermill itself there is no `launch`: the notebook runs behind the wall in a copy of the current folder, on
    the device that its parameter DEVICE names. Its tests are examined, as far as they can be or `unexamined` does not name
    them; the notebook and the files beside it are taken for the instructor's then, since there is nothing else.

    Raises:
        TypeError: an option that papermill does not pass by itself; a misspelt limit must not be swallowed.
        WallError: this machine cannot wall the notebook in.
    """
    unknown = sorted(set(options) - _PAPERMILL_OPTIONS)
    if unknown:
        raise TypeError(f"unknown option for the autograder engine: {', '.join(unknown)}")
    started = launch or _launch_from(nb_man.nb, kernel_name, options)
    source = kernels or WarmKernels(sandbox=not unsafe_no_sandbox)
    try:
        report = grade_notebook(
            nb_man.nb,
            kernels=source,
            examiner=examiner or _examiner_for(nb_man.nb, started, unexamined),
            launch=started,
            references=references,
            delimiters=delimiters,
            around_cell=lambda cell, index: _reported(nb_man, cell, index),
        )
    finally:
        if kernels is None:
            source.close()
    nb_man.nb.metadata["autograder"] = report.to_json()


def _examiner_for(nb: nbformat.NotebookNode, launch: Launch, unexamined: Collection[str]) -> Examiner:
    source = deepcopy(nb)
    examiner = replace(launch, keep_files=False, device="cpu")
    return PairedExaminer(source=source, ownership=analyse(source, unexamined=unexamined), launch=examiner)


def _launch_from(nb: nbformat.NotebookNode, kernel_name: str, options: dict[str, Any]) -> Launch:
    return Launch(
        folder=Path.cwd(),
        limits=_limits_from(options),
        kernel_name=kernel_name,
        seed=seed_of("", parameters_of(nb).get("SEED")),
        device=device_of(parameters_of(nb).get("DEVICE", "cpu")),
        keep_files=True,
    )


def _limits_from(options: dict[str, Any]) -> Limits:
    changes = {"cell_seconds": options.get("execution_timeout"), "start_seconds": options.get("start_timeout")}
    return Limits().updated({name: float(value) for name, value in changes.items() if value}, where="papermill")


@contextmanager
def _reported(nb_man: Any, cell: nbformat.NotebookNode, index: int) -> Iterator[None]:
    nb_man.cell_start(cell, index)
    try:
        yield
    finally:
        if any(output.output_type == "error" for output in cell.get("outputs", ())):
            nb_man.cell_exception(cell, cell_index=index)
        nb_man.cell_complete(cell, cell_index=index)
