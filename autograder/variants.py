"""Runs the variants of an assignment, its mutants and alternatives, examined: one after the other in the same pair of kernels.

Runs: trusted side; the notebooks are staff's own, and run behind the wall all the same.

The whole notebook would take seconds for each variant. So a pair is kept in which the reference has run to its end: the
variant's cell runs in the candidate, then in the examiner the test cells that can see it, then the reference's cell again. A pair
that died or was interrupted is not used again. Something else may be left of a variant: `replace` gives the next a fresh pair.
A variant takes the main path, as a whole notebook, where its cell fails, and where other cells make something with the exercise
that a test needs, such as a trained model: the pair would still have the reference's.
"""

from __future__ import annotations

import copy
import shutil
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import nbformat

from autograder.build import staged_files, text_cells
from autograder.cells import Kind, grade_id_of, kind_of, parameters_of, points_of, seed_of
from autograder.check import MAX_TEST_SECONDS
from autograder.consequences import Consequences, consequences
from autograder.examiner import CandidateExaminer, Examiner, Finding, TestCell
from autograder.grade import grade_notebook
from autograder.kernel import Ending, Kernel, KernelSource, Launch, Reply
from autograder.manifest import Manifest
from autograder.mutants import Mutant
from autograder.outputs import Outputs
from autograder.ownership import Ownership, analyse, modules_in
from autograder.paired import PairedExaminer
from autograder.preload import modules_for
from autograder.prover import NO_POINTS, PARTIAL, prover_cells
from autograder.rehearsal import rehearse
from autograder.report import Report
from autograder.stand_ins import StandIns, stand_ins_of
from autograder.verdict import Verdict, judge_error
from autograder.warm import WarmKernels


class Said(NamedTuple):
    """How one cell ended."""

    verdict: str
    """The part that counts."""
    message: str = ""

    def __str__(self) -> str:
        return f"{self.verdict}: {self.message}" if self.message else self.verdict


PASSED = Said(Verdict.PASSED)
_PROVERS_OWN = {
    "TimeoutError": Verdict.TIMEOUT,
    "Crash": Verdict.CRASHED,
    PARTIAL: Verdict.PARTIAL,
    NO_POINTS: Verdict.FAILED,
}


def said_by_prover(error: str) -> Said:
    """How a cell ended that raised `error`, which reads `Type: message`."""
    name, _, message = error.partition(": ")
    score = judge_error(name, message)
    return Said(_PROVERS_OWN.get(name, score.verdict), score.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is the same for every run of one assignment."""

    source: nbformat.NotebookNode
    ownership: Ownership
    kernels: WarmKernels
    launch: Launch
    references: StandIns
    exercises: Mapping[str, str]
    """Exercise -> the reference's cell."""
    plans: Mapping[str, Consequences]
    """Exercise -> what follows from changing it."""
    known: Mapping[str, Collection[str]]
    """Test cell -> what it asks of the reference's objects, as in grading."""
    starting: threading.Lock = field(default_factory=threading.Lock)
    """Held while a kernel starts: threads share the source of kernels, so that it imports only once."""

    @property
    def seconds(self) -> float:
        """What a cell may take when variants are tried, as in proving."""
        return min(MAX_TEST_SECONDS, self.launch.limits.cell_seconds)

    def tests_for(self, exercise: str) -> list[nbformat.NotebookNode]:
        """The test cells that can see `exercise`, in order."""
        return [cell for cell in self.source.cells if grade_id_of(cell) in self.plans[exercise].tests]

    def examiner(self, *, examined: bool) -> Examiner:
        """Who runs the test cells of one notebook, apart or not."""
        apart = PairedExaminer(source=self.source, ownership=self.ownership, launch=self.launch, known=self.known)
        return _InTurn(apart if examined else CandidateExaminer(), self.starting)


def read_setting(manifest: Manifest, folder: Path, kernels: WarmKernels) -> Setting:
    """The setting of `manifest`, on the CPU; the new folder `folder` receives the files that lie beside a student's notebook.

    Raises:
        AutograderError: a file of the assignment cannot be read, or a kernel did not start.
    """
    folder.mkdir()
    for path, name in staged_files(manifest):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    nb = nbformat.v4.new_notebook(cells=text_cells(manifest))
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    exercises = {grade_id_of(cell) or "": cell.source for cell in code if kind_of(cell) is Kind.EXERCISE}
    launch = Launch(folder=folder, limits=manifest.limits, seed=seed_of(manifest.id, parameters_of(nb).get("SEED")))
    launch = replace(launch, modules=modules_for(nb, launch, kernels))
    ownership = analyse(nb, modules=modules_in(folder), unexamined=manifest.unexamined)
    return Setting(
        source=nb,
        ownership=ownership,
        kernels=kernels,
        launch=launch,
        references=stand_ins_of(manifest.references, code),
        exercises=exercises,
        plans=consequences(prover_cells(nb.cells), manifest.references),
        known=rehearse(PairedExaminer(source=nb, ownership=ownership, launch=launch), launch, kernels),
    )


@dataclass(frozen=True, slots=True)
class _InTurn:
    """An examiner whose kernels start one at a time."""

    inner: Examiner
    lock: threading.Lock

    def start(self, kernels: KernelSource, launch: Launch) -> Kernel:
        """See `Examiner.start`."""
        with self.lock:
            return self.inner.start(kernels, launch)

    def examine(self, cell: TestCell, kernel: Kernel, outputs: Outputs, *, seconds: float) -> Finding:
        """See `Examiner.examine`."""
        return self.inner.examine(cell, kernel, outputs, seconds=seconds)


class Bench:
    """Where variants are tried. Belongs to one thread."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._examiner = setting.examiner(examined=True)
        self._kernel: Kernel | None = None  # a pair in which the reference has run; None until one is needed

    def grade(self, nb: nbformat.NotebookNode, *, examined: bool) -> dict[str, Said]:
        """Graded cell -> verdict and points, when all of `nb` takes the main path, with its test cells apart or not."""
        report = self._graded(nb, examined=examined)
        return {
            cell.grade_id: Said(f"{cell.verdict} ({cell.points} points)", cell.detail or cell.message) for cell in report.cells
        }

    def play(self, mutant: Mutant) -> dict[str, Said]:
        """How the cell of `mutant` ended, and each test cell that can see it."""
        setting, exercise = self._setting, mutant.exercise
        kernel = self._kernel or self._fresh()
        reply = self._execute(kernel, mutant.source)
        if setting.plans[exercise].affected or reply.ending is not Ending.OK:  # the pair holds what the reference had made
            self.replace()
            own = {} if reply.ending is Ending.DIED else {exercise: _said(reply)}
            return own | self._play_whole(mutant)
        said = {exercise: _said(reply)}
        endings = []
        for cell in setting.tests_for(exercise):
            if (
                not kernel.alive and Ending.DIED not in endings
            ):  # killed, as it would not stop: as in grading, a fresh one goes on
                kernel = self._fresh()
                self._execute(kernel, mutant.source)
            if kernel.alive:
                finding = self._examine(kernel, cell)
                endings.append(finding.reply.ending)
                said[grade_id_of(cell) or ""] = _found(finding)
        if Ending.DIED in endings:
            said = self._crashed(exercise, kernel.end)
        is_clean = set(endings) <= {Ending.OK, Ending.ERROR}
        if not is_clean or self._execute(kernel, setting.exercises[exercise]).ending is not Ending.OK:
            self.replace()
        return said

    def _play_whole(self, mutant: Mutant) -> dict[str, Said]:
        """Each test cell that can see `mutant`, where cells between it and the tests make something with it."""
        tests = self._setting.plans[mutant.exercise].tests
        nb = copy.deepcopy(self._setting.source)
        for cell in nb.cells:
            if grade_id_of(cell) == mutant.exercise:
                cell.source = mutant.source
        report = self._graded(nb, examined=True)
        found = {cell.grade_id: cell for cell in report.cells if cell.grade_id in tests}
        if any(cell.verdict is Verdict.CRASHED for cell in found.values()):
            return self._crashed(mutant.exercise, report.kernel.end)
        return {
            name: PASSED if cell.verdict is Verdict.PASSED else Said(cell.verdict, cell.detail or cell.message)
            for name, cell in found.items()
        }

    def _graded(self, nb: nbformat.NotebookNode, *, examined: bool) -> Report:
        setting = self._setting
        return grade_notebook(
            copy.deepcopy(nb),
            kernels=setting.kernels,
            examiner=setting.examiner(examined=examined),
            launch=setting.launch,
            references=setting.references,
        )

    def _crashed(self, exercise: str, end: str) -> dict[str, Said]:
        """To the prover a dead process is one that every test has caught."""
        return {test: Said(Verdict.CRASHED, end) for test in self._setting.plans[exercise].tests}

    def replace(self) -> None:
        """The next variant gets a fresh pair."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None

    def _fresh(self) -> Kernel:
        self.replace()
        setting = self._setting
        self._examiner = setting.examiner(examined=True)
        kernel = self._kernel = self._examiner.start(setting.kernels, setting.launch)
        for cell in setting.source.cells:
            if cell.cell_type == "code" and kind_of(cell) is Kind.TEST:
                self._examine(kernel, cell)
            elif cell.cell_type == "code" and cell.source.strip():
                self._execute(kernel, cell.source)
        return kernel

    def _execute(self, kernel: Kernel, source: str) -> Reply:
        return kernel.execute(source, self._outputs(), seconds=self._setting.seconds)

    def _examine(self, kernel: Kernel, cell: nbformat.NotebookNode) -> Finding:
        name, setting = grade_id_of(cell) or "", self._setting
        references = setting.references.get(name, {})
        test = TestCell(source=cell.source, max_points=points_of(cell), grade_id=name, references=references)
        return self._examiner.examine(test, kernel, self._outputs(), seconds=setting.seconds)

    def _outputs(self) -> Outputs:
        limits = self._setting.launch.limits
        return Outputs(limits.output_bytes, limits.flood_bytes)


def _said(reply: Reply) -> Said:
    """How an exercise's cell ended."""
    if reply.ending is Ending.OK:
        return PASSED
    if reply.ending is not Ending.ERROR:
        return Said(str(reply.ending))
    score = judge_error(reply.ename, reply.evalue)
    return Said(score.verdict, score.message)


def _found(finding: Finding) -> Said:
    """How a test cell ended."""
    score = finding.score
    return PASSED if score.verdict is Verdict.PASSED else Said(score.verdict, finding.reason or score.message)
