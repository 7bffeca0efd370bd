"""nbgrader's steps that make the page for the student, and the files beside it.

Runs: trusted side.

nbgrader copies everything in the folder of a graded notebook beside the page. Student code can write there what it has seen of
hidden tests; so what stands there is what was handed in or given, as it was then.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
import stat
import weakref
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from nbgrader.utils import find_all_files, is_grade, is_solution, is_task
from traitlets import Enum

from autograder.course import delimiters_of, manifest_of
from autograder.errors import UnreadableSubmission
from autograder.feedback import show_verdicts
from autograder.files import walk
from autograder.late import LatePenalties
from autograder.manifest import FEEDBACK
from autograder.reader import read_submission
from autograder.report import read_report, report_path
from autograder.scores import by_cell


class ReadGrades(GetGrades):  # type: ignore[misc]
    """nbgrader's step that takes scores and comments from the gradebook, opened once for a class, asked once a page."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._books: dict[str, Gradebook] = {}
        self._late = LatePenalties(parent=self.parent)

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """Write scores and comments into the cells of `nb`, and its score into the resources."""
        names = resources["nbgrader"]
        if names["db_url"] not in self._books:
            self._books[names["db_url"]] = Gradebook(names["db_url"])
            weakref.finalize(self, self._books[names["db_url"]].close)
        session = self._books[names["db_url"]]
        try:
            notebook = session.find_submission_notebook(names["notebook"], names["assignment"], names["student"])
            grades, comments = by_cell(notebook)
            for cell in nb.cells:
                if is_solution(cell) or is_task(cell):
                    cell.metadata.nbgrader["comment"] = comments[cell.metadata.nbgrader["grade_id"]].comment
                if is_grade(cell) or is_task(cell):
                    grade = grades[cell.metadata.nbgrader["grade_id"]]
                    cell.metadata.nbgrader |= {"score": grade.score, "points": grade.max_score}
            penalty = self._late.penalty(notebook) or 0  # not what was recorded: points by hand and extensions may be newer
            names |= {"score": notebook.score - penalty, "max_score": notebook.max_score, "late_penalty": penalty}
        finally:
            session.db.remove()  # the next page is to see what was written since
        return nb, resources


class ShowVerdicts(NbGraderPreprocessor):  # type: ignore[misc]
    """Turns an autograded notebook into what the student may see."""

    policy = Enum(FEEDBACK, FEEDBACK[0], help="What students read of hidden tests where no manifest says it.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tidied: dict[Path, bool] = {}

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """Replace the outputs of tests by verdicts and take out everything hidden, from the page and from its folder."""
        names = resources["nbgrader"]
        coursedir = self.parent.parent.coursedir
        manifest = manifest_of(coursedir, names["assignment"])
        policy = self.policy if manifest is None else manifest.feedback
        graded = Path(resources["metadata"]["path"])
        report = read_report(report_path(graded, names["notebook"]))
        if policy == "full":
            show_verdicts(nb, report, delimiters_of(self.config), policy=policy)
            return nb, resources
        page, submission = (
            Path(coursedir.format_path(step, names["student"], names["assignment"]))
            for step in (coursedir.feedback_directory, coursedir.submitted_directory)
        )
        if page not in self._tidied:  # once: the pages of further notebooks are files of that folder
            given = [
                Path(coursedir.format_path(step, ".", names["assignment"]))
                for step in (coursedir.source_directory, coursedir.release_directory)
            ]
            copied = find_all_files(str(graded), [*coursedir.ignore, "*.ipynb"])
            self._tidied[page] = _tidy(page, [Path(name).relative_to(graded) for name in copied], submission, given)
        show_verdicts(
            nb,
            report,
            delimiters_of(self.config),
            policy=policy,
            submitted=_submitted(submission / f"{names['notebook']}.ipynb"),
            # What one notebook wrote, the next could read.
            after_hidden=self._tidied[page] and len(list(graded.glob("*.ipynb"))) > 1,
        )
        resources["metadata"]["path"] = str(page)  # from where nbconvert takes pictures, if it is told to embed them
        return nb, resources


def _tidy(page: Path, copied: list[Path], submission: Path, given: list[Path]) -> bool:
    """Make the files `copied` into `page` those of `submission` or else of a `given` folder, and remove all others.

    Returns whether grading had written or changed any.
    """
    handed_in = _regular_files(submission)
    written = False
    for path in copied:
        origins = [folder / path for folder in given if (folder / path).is_file()]
        if str(path) in handed_in:
            origins.insert(0, submission / path)
        written = written or not any(filecmp.cmp(origin, page / path, shallow=False) for origin in origins)
        (page / path).unlink()
        if origins:
            shutil.copyfile(origins[0], page / path)
    for folder, _, _ in os.walk(page, topdown=False):
        with contextlib.suppress(OSError):  # not empty
            Path(folder).rmdir()
    return written


def _regular_files(folder: Path) -> set[str]:
    """Relative paths of the files below `folder` to which no link leads; none where there is no such folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return set()
    try:
        return {path for path, found in walk(descriptor) if stat.S_ISREG(found.st_mode)}
    finally:
        os.close(descriptor)


def _submitted(path: Path) -> nbformat.NotebookNode | None:
    """The notebook as it was handed in; None where it cannot be read."""
    try:
        return read_submission(path)
    except UnreadableSubmission:
        return None
