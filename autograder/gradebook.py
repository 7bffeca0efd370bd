"""nbgrader's side: our steps in its pipeline, and its gradebook.

Runs: trusted side. Only this module and `feedback_step` import nbgrader.

    submitted file --SubmissionExporter--> readable notebook      (a file that cannot be read becomes one that says why)
      sanitise:  ... RestoreCells ...                             the instructor's cells and points count
      autograde: Grade -> ... -> SaveVerdicts -> ...              run, judge, report, one transaction
    feedback:    ReadGrades -> ShowVerdicts -> ...                 what the student may see
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
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import DeadKernelError
from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbgrader.api import Gradebook
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    Execute,
    IgnorePattern,
    LimitOutput,
    NbGraderPreprocessor,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from traitlets import Bool, Dict, List, Unicode
from traitlets.config import Config

from autograder.course import delimiters_of, manifest_of
from autograder.errors import ExtensionsError, KernelStartError, UnreadableSubmission, WallError
from autograder.feedback import unreadable_notebook
from autograder.feedback_step import ReadGrades, ShowVerdicts
from autograder.files import links_outward
from autograder.grader import Grader, Task
from autograder.late import LatePenalties
from autograder.limits import Limits
from autograder.manifest import Manifest
from autograder.notes import Notes, completed
from autograder.package import Package, Rules, Sheet
from autograder.packing import MARK, sheet_of, source_folder
from autograder.pages import PageExporter, configure_pages
from autograder.reader import read_submission
from autograder.report import Incident, KernelReport, Report, report_path, write_report
from autograder.scores import save_marks
from autograder.staff_page import configure_staff_page
from autograder.submission import judged, marks_of, restored, task_of
from autograder.unrun import judge_outputs
from autograder.verdict import Verdict

_REPORT = "autograder_report"
"""The resource that carries the report from one preprocessor to the next."""
_BY_NBGRADER = "nbgrader"
"""Name of the kernel source in reports of notebooks that nbgrader ran itself."""


_UNLIMITED_SECONDS = 1e8
"""Three years: what nbgrader's "no limit" comes to."""


def configure_nbgrader(c: Config) -> None:
    """Swap reading, execution, scoring and feedback in nbgrader's configuration `c`."""
    c.Autograde.exporter_class = SubmissionExporter
    c.Autograde.sanitize_preprocessors = list(SANITIZE_STEPS)
    c.Autograde.autograde_preprocessors = list(AUTOGRADE_STEPS)
    c.GenerateFeedback.exporter_class = PageExporter
    c.GenerateFeedback.preprocessors = [ReadGrades, ShowVerdicts, CSSHTMLHeaderPreprocessor]
    # A rubric may stand in the locked question above an answer: it stays in the gradebook and leaves the release.
    c.ClearMarkScheme.enforce_metadata = False
    configure_pages(c)
    if "template_name" not in c.HTMLExporter:  # for feedback alone: formgrader's pages have templates of their own
        c.PageExporter.template_name = "student"
        c.PageExporter.extra_template_basedirs = [str(Path(__file__).parent / "template" / "pages")]
    ours = {"submit": "autograder.receipts.SubmitWithReceipt", "release_assignment": "autograder.due.ReleaseWithDue"}
    c.ExchangeFactory = Config({**ours, **c.ExchangeFactory})  # a course may have an exchange of its own
    configure_staff_page(c)
    # Reports are for staff, and what remembers that a submission is done is for us: nbgrader would copy them into feedback.
    c.CourseDirectory.ignore.extend(["*.report.json", MARK])
    if shutil.which("alembic") is None:
        # nbgrader creates a gradebook by calling `alembic`, which lies beside this Python when no environment is activated.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


class SubmissionExporter(NotebookExporter):
    """Reads submissions; one that cannot be read becomes a notebook that says why, and the run ends with status 1."""

    def __init__(self, config: Config | None = None, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        self._notes: dict[tuple[str, str, str], Notes] = {}
        self._sheets: dict[tuple[str, str], Sheet] = {}
        self._tasks: dict[tuple[str, str], Task] = {}
        self._grader: Grader | None = None
        self._attention: list[str] = []
        self._converter = cast(Any, self.parent)
        self._course_hook = self._converter.post_convert_hook
        try:  # a mistake in the course's extensions is told before anything is graded
            _ = LatePenalties(parent=self).extensions
        except ExtensionsError as error:
            self.log.error("%s\nNothing was graded.", error)
            raise SystemExit(3) from error
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

    def sheet(self, resources: Any) -> Sheet:
        """The instructor's side of the notebook, read once for a whole class."""
        names = resources["nbgrader"]
        key = names["assignment"], names["notebook"]
        if key not in self._sheets:
            with Gradebook(names["db_url"]) as gradebook:
                found = gradebook.find_notebook(names["notebook"], names["assignment"])
                self._sheets[key] = sheet_of(found, source_folder(self._converter.coursedir, names["assignment"]))
        return self._sheets[key]

    def task(self, resources: Any, settings: Grade) -> Task:
        """What is known of the notebook, worked out once for a whole class."""
        names, coursedir = resources["nbgrader"], self._converter.coursedir
        key = names["assignment"], names["notebook"]
        if key not in self._tasks:
            sheet, rules = self.sheet(resources), settings.rules(coursedir, names["assignment"])
            package = Package(assignment=names["assignment"], sheets=(sheet,), rules=rules)
            self._tasks[key] = task_of(package, sheet, source_folder(coursedir, names["assignment"]))
        return self._tasks[key]

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
        notes = self.parent.notes(resources)
        restored(nb, self.parent.sheet(resources), notes, delimiters_of(self.config))
        for change in notes.changes:
            self.log.warning("%s: cell %s %s: %s", resources["nbgrader"]["student"], change.grade_id, change.what, change.detail)
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

        def run(kernel_name: str) -> Report:
            return self._run(nb, resources, kernel_name)

        def elsewhere(spec: KernelSpec) -> Report:
            return self._run_by_nbgrader(nb, resources, km, spec)

        report = judged(nb, notes, _names(names), run=run, elsewhere=elsewhere)
        if any(cell.verdict is Verdict.INTERNAL for cell in report.cells):
            self.parent.call_staff(resources, "the grader failed; no points were recorded for some cells, see the report")
        resources[_REPORT] = report
        return nb, resources

    def _run(self, nb: nbformat.NotebookNode, resources: Any, kernel_name: str) -> Report:
        names = resources["nbgrader"]
        coursedir = self.parent.parent.coursedir
        task = self.parent.task(resources, self)
        folder = Path(resources["metadata"]["path"])
        self._drop_what_links_brought(coursedir, names, folder)
        try:
            return cast(Report, self.parent.grader(self).grade(nb, task, folder=folder, kernel_name=kernel_name))
        except WallError as error:
            # Nothing of this run may stand: every submission would fare the same, and none was looked at.
            shutil.rmtree(folder, ignore_errors=True)
            self.log.error("%s\nNothing was graded.", error)
            raise SystemExit(3) from error

    def rules(self, coursedir: Any, assignment: str) -> Rules:
        """How this course wants `assignment` graded."""
        manifest = manifest_of(coursedir, assignment, self._course_limits())
        return Rules(
            limits=self._limits(manifest),
            manifest=manifest,
            device=self.device,
            unexamined=tuple(self.unexamined),
            delimiters=delimiters_of(self.config),
            visible=tuple(self.visible),
            sandbox=not self.unsafe_no_sandbox,
            run=self.enabled,
        )

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

    def _run_by_nbgrader(self, nb: nbformat.NotebookNode, resources: Any, km: Any, spec: KernelSpec) -> Report:
        notebook = resources["nbgrader"]["notebook"]
        if not self.unsafe_no_sandbox:
            raise KernelStartError(
                f"{notebook} asks for the kernel {spec.display_name!r}, and only Python's can run behind the wall. "
                "Nothing was graded. Where you trust the students, --Grade.unsafe_no_sandbox=True has nbgrader run it."
            )
        self.log.warning("%s runs in %s: nbgrader runs it itself, with no limits of ours.", notebook, spec.display_name)
        incidents: tuple[Incident, ...] = ()
        try:
            super().preprocess(nb, resources, km)
        except DeadKernelError:
            incidents = (Incident(where="notebook", what="kernel", detail="the kernel died"),)
        cells = judge_outputs(nb, died=bool(incidents))
        return Report(cells=cells, kernel=KernelReport(source=_BY_NBGRADER, starts=1), incidents=incidents)


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
            found = gradebook.find_submission_notebook(names["notebook"], names["assignment"], names["student"])
            save_marks(found, marks_of(nb, report, notes))
            gradebook.db.commit()
        write_report(report, report_path(Path(resources["metadata"]["path"]), names["notebook"]))
        return nb, resources


def _names(names: Any) -> dict[str, str]:
    return {name: names[name] for name in ("assignment", "student", "notebook")}


SANITIZE_STEPS = (ClearOutput, OverwriteKernelspec, RestoreCells, CheckCellMetadata)
AUTOGRADE_STEPS = (
    Grade,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveVerdicts,
    LatePenalties,
    CheckCellMetadata,
)
"""What nbgrader's autograde does to a notebook, in order; `submission` does the same without a gradebook."""
