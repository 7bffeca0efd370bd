"""Writes the feedback of a class, several pages at a time.

Runs: trusted side; the pages in workers on this machine, which read the course's folder and its gradebook.

Each page is nbgrader's own `generate_feedback`, with the course's configuration, written under another name and then moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nbconvert.writers.files import FilesWriter
from nbgrader.apps import GenerateFeedbackApp
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException

from autograder.errors import GOES_ON, FolderError, GradebookError, PoolError
from autograder.folders import Scratch, is_full, put_in_place, remove_abandoned
from autograder.late import LatePenalties
from autograder.scores import DATABASE_ERRORS, unusable
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
        ExtensionsError: `extensions.toml` cannot be used.
        FolderError: the pages cannot be written: a full disk.
        GradebookError: nobody was graded, or the gradebook cannot be used.
        PoolError: a worker died.
    """
    root = root.resolve()
    with chdir(root):
        converter = _converter(str(root), assignment)
        _ = LatePenalties(parent=converter).extensions  # a mistake in them is told once, not for each page
        place = _feedback_of(converter.coursedir)
        remove_abandoned(_prefix(place), place.parent)
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
        raise PoolError(f"a worker died while it wrote feedback: out of memory, or something killed it. {GOES_ON}") from error
    finally:
        workers.close()
        remove_abandoned(_prefix(place), place.parent)  # of those that were ended on their way


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
        final = Path(converter._format_dest(assignment, student))
        try:
            with _aside(converter.coursedir):
                partial, source = (form(assignment, student) for form in (converter._format_dest, converter._format_source))
                converter.assignments = {source: sorted(map(str, Path(source).glob("*.ipynb")))}
                converter.convert_notebooks()
                final.parent.mkdir(parents=True, exist_ok=True)
                put_in_place(Path(partial), final)
        except NbGraderException as error:
            if isinstance(error.__context__, DATABASE_ERRORS):  # nbgrader would advise to upgrade it
                raise unusable(converter.coursedir.db_url, error.__context__) from error
            if converter.no_room is not None:
                raise FolderError.of(final.absolute(), converter.no_room) from error
            return str(error)
        except OSError as error:
            raise FolderError.of(final.absolute(), error) from error
    return ""


@contextmanager
def _aside(coursedir: Any) -> Iterator[None]:
    """Have the course's feedback lie elsewhere: nbgrader's steps ask the course where the page is."""
    folder, place = coursedir.feedback_directory, _feedback_of(coursedir)
    scratch = Scratch(_prefix(place), place.parent)
    coursedir.feedback_directory = str(Path(folder).with_name(scratch.path.name))
    try:
        yield
    finally:
        coursedir.feedback_directory = folder
        scratch.close()


def _feedback_of(coursedir: Any) -> Path:
    return Path(coursedir.format_path(coursedir.feedback_directory, ".", ".")).resolve()


def _prefix(feedback: Path) -> str:
    """What the folders under way are called, beside the one where they are put: nobody else's have such a name."""
    return f".{feedback.name}-under-way-"


class _Converter(GenerateFeedback):  # type: ignore[misc]
    """nbgrader's, which goes on to the next student whatever happened, and forgets what that was."""

    no_room: OSError | None = None

    def convert_single_notebook(self, notebook_filename: str) -> None:
        try:
            super().convert_single_notebook(notebook_filename)
        except OSError as error:
            self.no_room = error if is_full(error) else None
            raise


@cache
def _converter(root: str, assignment: str) -> Any:
    """nbgrader's converter for feedback with the configuration of the course in `root`, kept for the life of the process."""
    app = GenerateFeedbackApp()
    app.initialize([f"--assignment={assignment}", "--log-level=ERROR", f"--CourseDirectory.root={root}"])
    converter = _Converter(coursedir=app.coursedir, parent=app)
    converter.writer = FilesWriter(parent=converter, config=converter.config)
    converter.exporter = converter.exporter_class(parent=converter, config=converter.config)
    for step in converter.preprocessors:
        converter.exporter.register_preprocessor(step)
    return converter
