"""Writes the feedback of a class, several pages at a time.

Runs: trusted side; the pages in workers on this machine, which read the course's folder and its gradebook.

Each page is nbgrader's own `generate_feedback`, with the course's configuration, written under another name and then moved.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nbconvert.writers.files import FilesWriter
from nbgrader.apps import GenerateFeedbackApp
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException

from autograder.errors import GradebookError, PoolError
from autograder.workers import LocalWorkers

_PAGES_WORTH_A_WORKER = 50
"""A worker starts in the CPU seconds that so many pages take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One student's feedback, written."""

    student: str
    problem: str = ""
    """Why it could not be."""


def write_feedback(
    root: Path, assignment: str, most: int, students: Sequence[str] = (), *, force: bool = False
) -> Iterator[Page]:
    """Write the feedback of everybody who was graded, or of `students`: what is missing or older than the grading, or all with
    `force`; each page as soon as it is there. At most `most` workers; a few pages are written sooner than a worker has started.

    Raises:
        GradebookError: nobody was graded.
        PoolError: a worker died.
    """
    root = root.resolve()
    with chdir(root):
        converter = _converter(str(root), assignment)
        folders = _graded(converter, assignment, students)
        todo = [student for student, folder in folders.items() if force or _is_due(converter, assignment, student, folder)]
    count = min(most, len(todo) // _PAGES_WORTH_A_WORKER)
    if count < 2:
        for student in todo:
            yield Page(student=student, problem=_write(str(root), assignment, student))
        return
    workers = LocalWorkers(count, needs=[__name__])
    executor = workers.open("cpu")
    try:
        futures = {executor.submit(_write, str(root), assignment, student): student for student in todo}
        for future in as_completed(futures):
            yield Page(student=futures[future], problem=future.result())
    except BrokenExecutor as error:
        raise PoolError(
            "a worker died while it wrote feedback; run the same command again, and it goes on from there."
        ) from error
    finally:
        workers.close()


def _graded(converter: Any, assignment: str, students: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    coursedir = converter.coursedir
    everybody = coursedir.student_id
    for pattern in students or [everybody]:
        coursedir.student_id = pattern
        try:
            converter.init_notebooks()
        except NbGraderException as error:
            raise GradebookError(f"{error}. `autograder grade {assignment}` comes first.") from None
        finally:
            coursedir.student_id = everybody  # the converter is used again
        for path, notebooks in converter.assignments.items():
            student = converter.init_single_notebook_resources(notebooks[0])["nbgrader"]["student"]
            if student not in coursedir.student_id_exclude.split(","):
                found[student] = Path(path)
    return dict(sorted(found.items()))


def _is_due(converter: Any, assignment: str, student: str, folder: Path) -> bool:
    pages = sorted(Path(converter._format_dest(assignment, student)).glob("*.html"))
    graded = [path.stat().st_mtime_ns for path in folder.glob("*.ipynb")]
    return len(pages) < len(graded) or any(page.stat().st_mtime_ns < max(graded) for page in pages)


def _write(root: str, assignment: str, student: str) -> str:
    """Write one student's pages, in a worker; why it could not be done."""
    with chdir(root):
        converter = _converter(root, assignment)
        coursedir = converter.coursedir
        final = Path(converter._format_dest(assignment, student))
        folder = coursedir.feedback_directory
        # nbgrader's steps ask the course where the page is; they take a folder that they made once for one that is there.
        coursedir.feedback_directory = f"{folder}.{os.getpid()}.{time.monotonic_ns()}"
        try:
            partial = Path(converter._format_dest(assignment, student))
            shutil.rmtree(partial, ignore_errors=True)
            source = converter._format_source(assignment, student)
            converter.assignments = {source: sorted(map(str, Path(source).glob("*.ipynb")))}
            converter.convert_notebooks()
            shutil.rmtree(final, ignore_errors=True)
            final.parent.mkdir(parents=True, exist_ok=True)
            partial.rename(final)
        except NbGraderException as error:
            return str(error)
        finally:
            shutil.rmtree(Path(coursedir.format_path(coursedir.feedback_directory, ".", ".")).resolve(), ignore_errors=True)
            coursedir.feedback_directory = folder
    return ""


@cache
def _converter(root: str, assignment: str) -> Any:
    """nbgrader's converter for feedback with the configuration of the course in `root`, kept for the life of the process."""
    app = GenerateFeedbackApp()
    app.initialize([f"--assignment={assignment}", "--log-level=ERROR", f"--CourseDirectory.root={root}"])
    converter = GenerateFeedback(coursedir=app.coursedir, parent=app)
    converter.writer = FilesWriter(parent=converter, config=converter.config)
    converter.exporter = converter.exporter_class(parent=converter, config=converter.config)
    for step in converter.preprocessors:
        converter.exporter.register_preprocessor(step)
    return converter
