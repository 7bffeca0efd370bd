"""nbgrader's side: our steps in its pipeline, and its gradebook.

Runs: trusted side. Only this module and `feedback_step` import nbgrader.

    submitted file --SubmissionExporter--> readable notebook      (a file that cannot be read becomes one that says why)
      sanitise:  ... RestoreCells ...                             the instructor's cells and points count
      autograde: Grade -> ... -> SaveVerdicts -> ...              run, judge, report, one transaction
    feedback:    GetGrades -> ShowVerdicts -> ...                 what the student may see
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from nbclient.exceptions import DeadKernelError
from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbgrader.api import Gradebook
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    Execute,
    GetGrades,
    IgnorePattern,
    LimitOutput,
    NbGraderPreprocessor,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from traitlets import Bool, Dict, List, Unicode
from traitlets.config import Config

from autograder.cells import Kind, grade_id_of, kind_of
from autograder.course import delimiters_of, manifest_of
from autograder.errors import KernelStartError, UnreadableSubmission, WallError
from autograder.feedback import unreadable_notebook
from autograder.feedback_step import ShowVerdicts
from autograder.files import links_outward
from autograder.grader import Grader, Task
from autograder.limits import Limits
from autograder.manifest import Manifest
from autograder.notes import Notes, completed
from autograder.pages import configure_pages
from autograder.reader import read_submission
from autograder.report import Incident, KernelReport, Report, report_path, write_report
from autograder.restore import is_blank, restore, source_cells
from autograder.unrun import judge_outputs, judge_unreadable
from autograder.verdict import Verdict
from autograder.wall import is_ipykernel

_REPORT = "autograder_report"
"""The resource that carries the report from one preprocessor to the next."""
_BY_NBGRADER = "nbgrader"
"""Name of the kernel source in reports of notebooks that nbgrader ran itself."""


_UNLIMITED_SECONDS = 1e8
"""Three years: what nbgrader's "no limit" comes to."""


def configure_nbgrader(c: Config) -> None:
    """Swap reading, execution, scoring and feedback in nbgrader's configuration `c`."""
    c.Autograde.exporter_class = SubmissionExporter
    c.Autograde.sanitize_preprocessors = [ClearOutput, OverwriteKernelspec, RestoreCells, CheckCellMetadata]
    c.Autograde.autograde_preprocessors = [
        Grade,
        IgnorePattern,
        ClearMetadataPreprocessor,
        LimitOutput,
        SaveVerdicts,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    c.GenerateFeedback.preprocessors = [GetGrades, ShowVerdicts, CSSHTMLHeaderPreprocessor]
    # A rubric may stand in the locked question above an answer: it stays in the gradebook and leaves the release.
    c.ClearMarkScheme.enforce_metadata = False
    configure_pages(c)
    c.CourseDirectory.ignore.append("*.report.json")  # reports are for staff: nbgrader would copy them into feedback
    if shutil.which("alembic") is None:
        # nbgrader creates a gradebook by calling `alembic`, which lies beside this Python when no environment is activated.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


class SubmissionExporter(NotebookExporter):
    """Reads submissions; one that cannot be read becomes a notebook that says why, and the run ends with status 1."""

    def __init__(self, config: Config | None = None, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        self._notes: dict[tuple[str, str, str], Notes] = {}
        self._sources: dict[tuple[str, str], nbformat.NotebookNode | None] = {}
        self._grader: Grader | None = None
        self._attention: list[str] = []
        self._converter = cast(Any, self.parent)
        self._course_hook = self._converter.post_convert_hook
        self._order = [Path(path) for path in sorted(self._converter.assignments)]
        self._converter.post_convert_hook = self._after_submission

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """Read `filename` and run the preprocessors over it."""
        path = Path(filename)
        resources = {**(resources or {}), "metadata": {"name": path.stem, "path": str(path.parent)}}
        try:
            nb = read_submission(path)
        except UnreadableSubmission as error:
            self.notes(resources).unreadable = str(error)
            self.call_staff(resources, str(error))
            nb = unreadable_notebook(str(error))
            self._clear_the_way(resources, path.name)
        output: tuple[Any, Any] = self.from_notebook_node(nb, resources=resources, **kwargs)
        return output

    def notes(self, resources: Any) -> Notes:
        """The notes on the notebook that `resources` name."""
        names = resources["nbgrader"]
        return self._notes.setdefault((names["student"], names["assignment"], names["notebook"]), Notes())

    def source_notebook(self, resources: Any) -> nbformat.NotebookNode | None:
        """The instructor's notebook, read once for a whole class; None where this machine does not have it."""
        names = resources["nbgrader"]
        key = names["assignment"], names["notebook"]
        if key not in self._sources:
            self._sources[key] = _source_notebook(self._converter.coursedir, names)
        return self._sources[key]

    def grader(self, settings: Grade) -> Grader:
        """What grades the notebooks: one for the whole run."""
        if self._grader is None:
            if settings.unsafe_no_sandbox:
                self.log.warning("Student code runs with your rights (unsafe_no_sandbox). Every report says so.")
            self._grader = Grader(sandbox=not settings.unsafe_no_sandbox, visible=tuple(settings.visible))
            weakref.finalize(self, self._grader.close)  # nbgrader tells nobody when it is done
        return self._grader

    def call_staff(self, resources: Any, problem: str) -> None:
        """Say that staff must look at a submission, now and at the end."""
        names = resources["nbgrader"]
        line = f"{names['student']}, {names['assignment']}: {problem}"
        self.log.error(line)
        self._attention.append(line)

    def _clear_the_way(self, resources: Any, name: str) -> None:
        """Remove the copy of a folder named like the notebook from where the notebook must be written."""
        names = resources["nbgrader"]
        copied = Path(self._converter._format_dest(names["assignment"], names["student"])) / name
        if copied.is_dir():
            shutil.rmtree(copied)

    def _will_run(self, path: Path) -> bool:
        """Whether nbgrader will process the submission in folder `path`, by its rules, rather than skip it as done."""
        coursedir = self._converter.coursedir
        student = re.fullmatch(
            coursedir.format_path(coursedir.submitted_directory, "(?P<student>.*)", re.escape(path.name), escape=True), str(path)
        )
        if student is None or student["student"] in coursedir.student_id_exclude.split(","):
            return False
        done = Path(coursedir.format_path(coursedir.autograded_directory, student["student"], path.name))
        if self._converter.force or coursedir.notebook_id != "*" or not done.exists():
            return True
        new, old = coursedir.get_existing_timestamp(str(path)), coursedir.get_existing_timestamp(str(done))
        return new is not None and old is not None and new > old

    def _after_submission(self, *, assignment: str, student: str, notebooks: list[str]) -> None:
        """After the last submission, end with status 1 if staff must look at any.

        nbgrader swallows exceptions from this hook, and its own way to status 1 deletes what was graded; SystemExit passes.
        """
        if self._course_hook is not None:
            self._course_hook(assignment=assignment, student=student, notebooks=notebooks)
        done = self._order.index(Path(notebooks[0]).parent)
        if self._attention and not any(self._will_run(path) for path in self._order[done + 1 :]):
            self.log.error("%d submission(s) need attention:\n  %s", len(self._attention), "\n  ".join(self._attention))
            raise SystemExit(1)


class RestoreCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Puts the instructor's cells back (instead of nbgrader's DeduplicateIds and OverwriteCells)."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """Restore `nb` and note what had been changed."""
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            sources = source_cells(gradebook.find_notebook(names["notebook"], names["assignment"]))
        source = self.parent.source_notebook(resources)
        order = [] if source is None else [grade_id_of(cell) for cell in source.cells]
        ordered = {source.grade_id for source in sources} <= set(order)
        if ordered:
            sources.sort(key=lambda source: order.index(source.grade_id))
        delimiters = delimiters_of(self.config)
        changes = restore(nb, sources, reorder=ordered, delimiters=delimiters)
        notes = self.parent.notes(resources)
        by_id = {source.grade_id: source for source in sources if source.solution}
        solutions = [(grade_id_of(cell) or "", cell) for cell in nb.cells]
        notes.blank = frozenset(name for name, cell in solutions if name in by_id and is_blank(cell, by_id[name], delimiters))
        if not notes.unreadable:
            notes.changes = tuple(changes)
            for change in changes:
                self.log.warning("%s: cell %s %s: %s", names["student"], change.grade_id, change.what, change.detail)
        return nb, resources


class Grade(Execute):  # type: ignore[misc]
    """Runs and judges a notebook (instead of nbgrader's Execute, whose settings it keeps)."""

    unsafe_no_sandbox = Bool(False, help="Run student code with the grader's rights. Every report says so.").tag(config=True)
    visible = List(Unicode(), help="Further files and folders that submissions may read, such as data sets.").tag(config=True)
    unexamined = List(
        Unicode(), help="Grade ids (patterns) of tests that may run among student code where they cannot be examined."
    ).tag(config=True)
    limits = Dict(help="The course's limits, such as {'memory_bytes': 2e9}; a manifest's come first.").tag(config=True)
    device = Unicode("", help="cpu or cuda; the manifest's device unless set.").tag(config=True)

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any, km: Any = None) -> tuple[nbformat.NotebookNode, Any]:
        """Run `nb` and leave the report in the resources."""
        names = resources["nbgrader"]
        notes = self.parent.notes(resources)
        kernel_name = nb.metadata.get("kernelspec", {}).get("name") or "python3"
        kernel_name = "python3" if kernel_name == "python" else kernel_name  # as jupyter_client reads it
        spec = _kernel_spec(kernel_name)
        language = str(spec.language or nb.metadata.get("kernelspec", {}).get("language") or "python").lower()
        if notes.unreadable:
            report = Report(cells=judge_unreadable(nb), kernel=KernelReport(source="none"))
        elif is_ipykernel(spec) and language == "python":
            report = self._run(nb, resources, kernel_name)
        elif self.unsafe_no_sandbox:
            self.log.warning(
                "%s runs in %s: nbgrader runs it itself, with no limits of ours.", names["notebook"], spec.display_name
            )
            nb, resources, report = self._run_by_nbgrader(nb, resources, km)
        else:
            raise KernelStartError(
                f"{names['notebook']} asks for the kernel {spec.display_name!r}, and only Python's can run behind the wall. "
                "Nothing was graded. Where you trust the students, --Grade.unsafe_no_sandbox=True has nbgrader run it."
            )
        report = completed(report, nb, notes, **_names(names))
        if any(cell.verdict is Verdict.INTERNAL for cell in report.cells):
            self.parent.call_staff(resources, "the grader failed; no points were recorded for some cells, see the report")
        resources[_REPORT] = report
        return nb, resources

    def _run(self, nb: nbformat.NotebookNode, resources: Any, kernel_name: str) -> Report:
        names = resources["nbgrader"]
        coursedir = self.parent.parent.coursedir
        manifest = manifest_of(coursedir, names["assignment"], self._course_limits())
        source = self.parent.source_notebook(resources)
        task = Task(
            assignment=names["assignment"],
            notebook=names["notebook"],
            limits=self._limits(manifest),
            manifest=manifest,
            source=source,
            source_folder=None if source is None else _source_folder(coursedir, names),
            device=self.device,
            unexamined=tuple(self.unexamined),
            delimiters=delimiters_of(self.config),
        )
        folder = Path(resources["metadata"]["path"])
        self._drop_what_links_brought(coursedir, names, folder)
        try:
            return cast(Report, self.parent.grader(self).grade(nb, task, folder=folder, kernel_name=kernel_name))
        except WallError as error:
            # Nothing of this run may stand: every submission would fare the same, and none was looked at.
            shutil.rmtree(folder, ignore_errors=True)
            self.log.error("%s\nNothing was graded.", error)
            raise SystemExit(3) from error

    def _drop_what_links_brought(self, coursedir: Any, names: Any, folder: Path) -> None:
        """nbgrader has copied what links in a submission point to, be it the gradebook: student code must not read that."""
        submitted = Path(coursedir.format_path(coursedir.submitted_directory, names["student"], names["assignment"]))
        for name in links_outward(submitted) if submitted.is_dir() else ():
            self.log.warning("%s: %s is a link out of the submission; what it points to is left out", names["student"], name)
            copied = folder / name
            if copied.is_dir() and not copied.is_symlink():
                shutil.rmtree(copied)
            else:
                copied.unlink(missing_ok=True)

    def _limits(self, manifest: Manifest | None) -> Limits:
        """The manifest's limits where the course has one; `Execute.timeout` set by hand wins, as does its default elsewhere."""
        limits = self._course_limits() if manifest is None else manifest.limits
        if manifest is None and "notebook_seconds" not in self.limits:
            limits = replace(limits, notebook_seconds=_UNLIMITED_SECONDS)
        by_hand = any("timeout" in self.config.get(name, {}) for name in ("Execute", "ExecutePreprocessor", "Grade"))
        if by_hand or (manifest is None and "cell_seconds" not in self.limits):
            seconds = float(self.timeout) if self.timeout and self.timeout > 0 else _UNLIMITED_SECONDS
            limits = replace(limits, cell_seconds=seconds)
        return limits

    def _course_limits(self) -> Limits:
        return Limits().updated(self.limits, where="c.Grade.limits")

    def _run_by_nbgrader(self, nb: nbformat.NotebookNode, resources: Any, km: Any) -> tuple[nbformat.NotebookNode, Any, Report]:
        incidents: tuple[Incident, ...] = ()
        try:
            nb, resources = super().preprocess(nb, resources, km)
        except DeadKernelError:
            incidents = (Incident(where="notebook", what="kernel", detail="the kernel died"),)
        cells = judge_outputs(nb, died=bool(incidents))
        return nb, resources, Report(cells=cells, kernel=KernelReport(source=_BY_NBGRADER, starts=1), incidents=incidents)


class SaveVerdicts(SaveAutoGrades):  # type: ignore[misc]
    """Writes scores into the gradebook in one transaction, and the report beside the notebook (instead of SaveAutoGrades)."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """Save the report in `resources`; without one (`--no-execute`) the outputs in the notebook are judged."""
        names = resources["nbgrader"]
        notes = self.parent.notes(resources)
        report: Report | None = resources.get(_REPORT)
        if report is None:
            self.log.warning("%s was not run: its outputs are taken as they were handed in.", names["student"])
            unrun = Report(cells=judge_outputs(nb), kernel=KernelReport(source="none"))
            report = completed(unrun, nb, notes, **_names(names))
        with Gradebook(names["db_url"]) as gradebook:
            for cell in nb.cells:
                if kind_of(cell) in (Kind.TEST, Kind.ANSWER):
                    self._save_score(gradebook, names, report, grade_id_of(cell))
                if kind_of(cell) in (Kind.EXERCISE, Kind.ANSWER, Kind.TASK):
                    comment = gradebook.find_comment(grade_id_of(cell), names["notebook"], names["assignment"], names["student"])
                    comment.auto_comment = "No response." if grade_id_of(cell) in notes.blank else None
            gradebook.db.commit()
        write_report(report, report_path(Path(resources["metadata"]["path"]), names["notebook"]))
        return nb, resources

    def _save_score(self, gradebook: Gradebook, names: Any, report: Report, grade_id: str | None) -> None:
        """A person's score (`manual_score`) is never touched; it only asks for another look."""
        grade = gradebook.find_grade(grade_id, names["notebook"], names["assignment"], names["student"])
        found = report.cell(grade_id or "")
        grade.auto_score = found.points if found is not None else None
        grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None or bool(report.unreadable)


def _names(names: Any) -> dict[str, str]:
    return {name: names[name] for name in ("assignment", "student", "notebook")}


def _source_folder(coursedir: Any, names: Any) -> Path:
    return Path(coursedir.format_path(coursedir.source_directory, ".", names["assignment"])).resolve()


def _source_notebook(coursedir: Any, names: Any) -> nbformat.NotebookNode | None:
    """The instructor's notebook; None where this machine does not have it."""
    try:
        path = _source_folder(coursedir, names) / f"{names['notebook']}.ipynb"
        nb: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        return None
    return nb


def _kernel_spec(kernel_name: str) -> KernelSpec:
    """The kernelspec of that name.

    Raises:
        KernelStartError: this machine has no such kernel; nothing is graded, and nothing is held against the student.
    """
    try:
        return KernelSpecManager().get_kernel_spec(kernel_name)
    except NoSuchKernel as error:
        raise KernelStartError(
            f"no kernel named {kernel_name!r} on this machine, which the notebook asks for. Nothing was graded. "
            "`jupyter kernelspec list` shows the kernels there are; install the missing one and grade again."
        ) from error
