"""The reference and the blank release graded again, as submissions are: what that costs, with other seeds, in another order.

Runs: trusted side; the notebooks are staff's own, and run behind the wall, examined, all the same.

    reference            once as it is: full marks, within the manifest's limits with head-room
    SEED                 two other values: the reference still has full marks, the blank release nothing
    order                all other cells first, then the test cells from the last to the first: the same verdicts
    GPU                  where the manifest asks for one and there is one, the reference once more on it: the same verdicts
"""

from __future__ import annotations

import copy
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import nbformat

from autograder.cells import Kind, blank_of, grade_id_of, kind_of, parameters_of, seed_of
from autograder.gpu import find_gpus
from autograder.grade import grade_notebook
from autograder.kernel import Launch
from autograder.limits import Limits
from autograder.manifest import Manifest
from autograder.names import names_of
from autograder.ownership import analyse, modules_in
from autograder.plots import parsed
from autograder.reading import Figure
from autograder.report import CellReport, Report
from autograder.review import Review
from autograder.variants import Setting, read_setting
from autograder.verdict import Verdict
from autograder.warm import WarmKernels

SEEDS = 2
"""So many further values of SEED are tried."""
HEAD_ROOM = 2
"""The reference should need no more than this part of a limit: graders are busy and students' solutions slower."""
_SEED = re.compile(r"^SEED\b[^=\n]*=[^\n]*", re.MULTILINE)

Progress = Callable[[int, int], None]
_Around = Callable[[nbformat.NotebookNode, int], AbstractContextManager[None]]


def repeat(manifest: Manifest, *, progress: Progress | None = None) -> Review:
    """What came of grading the reference and the blank release of `manifest` again and again.

    Takes about six times as long as the notebook.

    progress: called with (done, total) after each run.

    Raises:
        AutograderError: a file of the assignment cannot be read, or a kernel did not start.
    """
    kernels = WarmKernels()
    try:
        with tempfile.TemporaryDirectory(prefix="autograder-check-") as root:
            return _Repeats(manifest, read_setting(manifest, Path(root, manifest.id), kernels), progress).review()
    finally:
        kernels.close()


class _Repeats:
    """The runs of one assignment."""

    def __init__(self, manifest: Manifest, setting: Setting, progress: Progress | None) -> None:
        self._manifest = manifest
        self._setting = setting
        self._progress = progress or (lambda done, total: None)
        self._done = 0
        self._seeds = _other_seeds(setting.source)
        self._order_matters = _defined_again(setting.source)
        self._on_gpu = manifest.device == "cuda" and bool(find_gpus())
        self._total = 1 + 2 * len(self._seeds) + (not self._order_matters) + self._on_gpu

    def review(self) -> Review:
        """Everything that there is to say."""
        clock = _Clock()
        first = self._grade(self._setting, self._setting.source, clock.time)
        full = Review(problems=tuple(f"reference, examined: {_said(cell)}" for cell in _lost(first)))
        found = full + cost_review(first, clock.slowest(first.seconds["cells"]), self._manifest.limits)
        if not self._seeds:
            found += Review(notes=("the cell of parameters sets no SEED, so nothing was repeated with another",))
        if self._on_gpu:
            found += Review(problems=tuple(self._with_gpu(first)))
        for seed in self._seeds:
            found += Review(problems=tuple(self._with_seed(seed, first)))
        if self._order_matters:
            return found + Review(notes=(f"not run in another order: {self._order_matters}",))
        return found + Review(problems=tuple(self._in_another_order(first)))

    def _with_seed(self, seed: int, first: Report) -> Iterator[str]:
        setting = self._changed(_with_seed(self._setting.source, seed), seed)
        reference = self._grade(setting, setting.source)
        yield from (f"reference with SEED = {seed}: {difference}" for difference in _differences(first, reference))
        blank = self._grade(setting, blank_of(setting.source))
        earned = [cell for cell in blank.cells if cell.points]
        yield from (f"blank with SEED = {seed}: {cell.grade_id} gives {cell.points:g} points" for cell in earned)

    def _with_gpu(self, first: Report) -> Iterator[str]:
        parameters = {"DEVICE": "cuda"} if "DEVICE" in parameters_of(self._setting.source) else {}
        launch = replace(self._setting.launch, device="cuda", parameters=parameters)
        report = self._grade(self._setting, self._setting.source, launch=launch)
        yield from (f"reference on a GPU: {difference}" for difference in _differences(first, report))

    def _in_another_order(self, first: Report) -> Iterator[str]:
        tests = [cell for cell in self._setting.source.cells if _is_test(cell)]
        others = [cell for cell in self._setting.source.cells if not _is_test(cell)]
        setting = self._changed(nbformat.v4.new_notebook(cells=[*others, *reversed(tests)]), None)
        report = self._grade(setting, setting.source)
        yield from (
            f"with all other cells first and the tests in reverse: {difference}" for difference in _differences(first, report)
        )

    def _changed(self, source: nbformat.NotebookNode, seed: int | None) -> Setting:
        setting, launch = self._setting, self._setting.launch
        return replace(
            setting,
            source=source,
            ownership=analyse(source, modules=modules_in(launch.folder), unexamined=self._manifest.unexamined),
            launch=launch if seed is None else replace(launch, seed=seed_of(self._manifest.id, seed)),
        )

    def _grade(
        self, setting: Setting, nb: nbformat.NotebookNode, around: _Around | None = None, launch: Launch | None = None
    ) -> Report:
        """`launch` is that of the student's kernel, where it is not the examiner's."""
        report = grade_notebook(
            copy.deepcopy(nb),
            kernels=setting.kernels,
            examiner=setting.examiner(examined=True),
            launch=launch or setting.launch,
            references=setting.references,
            around_cell=around,
        )
        self._done += 1
        self._progress(self._done, self._total)
        return report


class _Clock:
    """Keeps what each code cell took."""

    def __init__(self) -> None:
        self._cells: list[tuple[str, float]] = []

    @contextmanager
    def time(self, cell: nbformat.NotebookNode, index: int) -> Iterator[None]:
        """Around one cell."""
        began = time.monotonic()
        yield
        if cell.cell_type == "code" and cell.source.strip():
            self._cells.append((grade_id_of(cell) or f"cell {index + 1}", time.monotonic() - began))

    def slowest(self, total_seconds: float) -> tuple[str, float]:
        """The cell that took longest, with its wall seconds; all took `total_seconds`, the kernel's start not counted."""
        first, *others = self._cells or [("", 0.0)]  # the first waited for the kernel too
        return max([(first[0], total_seconds - sum(seconds for _, seconds in others)), *others], key=lambda cell: cell[1])


def cost_review(report: Report, slowest: tuple[str, float], limits: Limits) -> Review:
    """What `report` says of the reference's cost; `slowest` is its slowest cell with its wall seconds."""
    name, seconds = slowest
    megabytes = 1e6
    used = (
        (f"wall seconds of the slowest cell, {name}", seconds, limits.cell_seconds),
        ("wall seconds of all cells", report.seconds["cells"], limits.notebook_seconds),
        ("CPU seconds", report.kernel.cpu_seconds, limits.cpu_seconds),
        ("peak memory in MB", report.kernel.peak_bytes / megabytes, limits.memory_bytes / megabytes),
    )
    figures = tuple(
        Figure(name=f"reference: {what}", measured=_rounded(measured), low=0, high=limit / HEAD_ROOM)
        for what, measured, limit in used
    )
    return Review(
        problems=tuple(
            f"{figure.name}: {figure.measured:g} of {limit:g}, and others may need {HEAD_ROOM} times as much; raise the limit or "
            "make it cheaper"
            for figure, (_, _, limit) in zip(figures, used, strict=True)
            if not figure.holds
        ),
        figures=figures,
    )


def _rounded(measured: float) -> float:
    return float(f"{measured:.3g}")


def _other_seeds(nb: nbformat.NotebookNode) -> list[int]:
    """Values that SEED does not have; none where the parameters have no whole number of that name."""
    seed = parameters_of(nb).get("SEED")
    return [value for value in range(1, SEEDS + 2) if value != seed][:SEEDS] if type(seed) is int else []


def _with_seed(nb: nbformat.NotebookNode, seed: int) -> nbformat.NotebookNode:
    changed = copy.deepcopy(nb)
    for cell in changed.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", ()):
            cell.source = _SEED.sub(f"SEED = {seed}", cell.source)
    return changed


def _is_test(cell: nbformat.NotebookNode) -> bool:
    return kind_of(cell) is Kind.TEST and cell.cell_type == "code"


def _defined_again(nb: nbformat.NotebookNode) -> str:
    """Why the order of cells makes a difference that is meant: what an exercise defines is defined again; empty if nothing is."""
    owner: dict[str, str] = {}
    for index, cell in enumerate(nb.cells):
        tree = parsed(cell.source) if cell.cell_type == "code" and not _is_test(cell) else None
        if tree is None:
            continue
        name = grade_id_of(cell) or f"cell {index + 1}"
        binds = names_of(tree, lambda module, level: None).binds
        again = sorted(binds & owner.keys())
        if again:
            return f"{name} defines {again[0]} again, which {owner[again[0]]} defines"
        if kind_of(cell) is Kind.EXERCISE:
            owner |= dict.fromkeys(binds, name)
    return ""


def _lost(report: Report) -> list[CellReport]:
    """The tests that did not give all their points."""
    by_hand = (Verdict.NOT_EXAMINED,)
    return [cell for cell in report.cells if cell.points != cell.max_points and cell.verdict not in by_hand]


def _differences(first: Report, again: Report) -> Iterator[str]:
    """Test cells that ended otherwise than at first."""
    before = {cell.grade_id: cell for cell in first.cells}
    for cell in again.cells:
        if (cell.verdict, cell.points) != (before[cell.grade_id].verdict, before[cell.grade_id].points):
            yield f"{_said(cell)}; as the notebook is: {before[cell.grade_id].verdict}"


def _said(cell: CellReport) -> str:
    said = cell.detail or cell.message
    return f"{cell.grade_id}: {cell.verdict} ({cell.points or 0:g} of {cell.max_points:g} points){f': {said}' if said else ''}"
