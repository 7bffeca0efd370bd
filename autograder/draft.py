"""What nbgrader would release of an assignment now, made in a scratch folder to be looked at; and nbgrader's word on metadata.

Runs: trusted side. One of the modules that import nbgrader.

A draft is made by the converter that makes the release, with the course's own configuration, so that the two are the same.
Nothing of the course is touched: its cells are recorded in a gradebook of their own, and no hook tells the world.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_core.paths import jupyter_config_path
from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import ConfigFileNotFound, JSONFileConfigLoader, PyFileConfigLoader

from autograder.cells import grade_id_of
from autograder.errors import AutograderError

_CONFIG = "nbgrader_config"
_CONFIGS = ("jupyter_config", _CONFIG)
"""The files in which nbgrader looks for its configuration, what counts most last."""
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where nbgrader keeps an assignment of a course, by the course's config."""

    assignment: str
    root: Path
    db_url: str
    """The gradebook's address; absolute where it is a file."""
    course_id: str
    source: Path
    """Folder of the instructor's notebooks."""
    release: Path
    """Folder that students get."""
    config: Config
    """The course's config."""

    @property
    def gradebook_path(self) -> Path | None:
        """The gradebook's file; None where it is a server's."""
        return Path(self.db_url.removeprefix(_SQLITE).partition("?")[0]) if self.db_url.startswith(_SQLITE) else None

    @property
    def has_gradebook(self) -> bool:
        """Whether there is a gradebook to look into; a server's is taken to be there."""
        return self.gradebook_path is None or self.gradebook_path.is_file()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a release would be. It exists as long as its context."""

    folder: Path
    """What students would get."""
    db_url: str = ""
    """A gradebook that holds the assignment's cells as they would be recorded; empty where none was asked for."""


def locate(course: Path, assignment: str) -> Place:
    """Where `assignment` of the course in folder `course` is kept.

    Raises:
        AutograderError: the course's config cannot be loaded.
    """
    from nbgrader.coursedir import CourseDirectory

    course = course.resolve()
    try:
        config = _config_of(course)
        with chdir(course):  # where nbgrader's commands are typed
            kept = CourseDirectory(config=config)
            paths = [kept.format_path(step, ".", assignment) for step in (kept.source_directory, kept.release_directory)]
            root, db_url, course_id = Path(kept.root), kept.db_url, kept.course_id
    except Exception as error:  # a config is code, and may raise anything
        raise AutograderError(
            f"{course / _CONFIG}.py: nbgrader cannot load the course's config ({type(error).__name__}: {error}). "
            "`autograder doctor` says more."
        ) from error
    if db_url.startswith(_SQLITE):
        db_url = f"{_SQLITE}{root / db_url.removeprefix(_SQLITE)}"
    source, release = (Path(os.path.normpath(path)) for path in paths)
    return Place(
        assignment=assignment,
        root=root,
        db_url=db_url,
        course_id=course_id,
        source=source,
        release=release,
        config=config,
    )


@contextmanager
def drafted(place: Place, source: Path | None = None, *, recorded: bool = True) -> Iterator[Draft]:
    """A release of the assignment at `place`, in a scratch folder that goes away with the context.

    source: the folder to make it from, where that is not the course's. recorded: whether a gradebook is made too, which takes
    a second.

    Raises:
        AutograderError: nbgrader cannot release the assignment; the message has its reason.
    """
    with tempfile.TemporaryDirectory(prefix="autograder-draft-") as name:
        root = Path(name)
        origin = source or place.source
        for path, link in ((origin, root / "source" / place.assignment), (place.root / "autotests.yml", root / "autotests.yml")):
            if path.exists():
                link.parent.mkdir(exist_ok=True)
                link.symlink_to(path.resolve(), target_is_directory=path.is_dir())
        config = _scratch_config(place, root)
        config.GenerateAssignment.no_database = not recorded
        _convert(place.assignment, config)
        db_url = f"{config.CourseDirectory.db_url}" if recorded else ""
        yield Draft(folder=root / "release" / place.assignment, db_url=db_url)


def generate(place: Place) -> None:
    """Release the assignment as `nbgrader generate_assignment --force` does.

    Raises:
        AutograderError: nbgrader cannot release the assignment; the message has its reason.
    """
    config = Config(place.config)
    config.CourseDirectory.root, config.CourseDirectory.db_url = str(place.root), place.db_url
    _convert(place.assignment, config)


def files_of(folder: Path) -> Mapping[str, bytes]:
    """Relative path and content of every file in `folder`; nothing where there is no such folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def metadata_errors(cells: Sequence[nbformat.NotebookNode]) -> list[str]:
    """What nbgrader's validator has against each cell, one line for each."""
    from nbgrader.nbgraderformat import MetadataValidator, SchemaTooNewError, SchemaTooOldError, ValidationError

    validator, errors = MetadataValidator(), []
    for number, cell in enumerate(cells, 1):
        try:
            validator.validate_cell(cell)
        except (ValidationError, SchemaTooOldError, SchemaTooNewError) as error:
            said = getattr(error, "message", "") or str(error)
            errors.append(f"cell {number} ({grade_id_of(cell) or 'no grade id'}): {said.strip().splitlines()[0]}")
    return errors


def _config_of(course: Path) -> Config:
    """What nbgrader's commands would be configured with in the folder `course`: Jupyter's own folders, then the course's."""
    config = Config()
    sys.path.insert(0, str(course))  # nbgrader does the same, so that a config can import what lies beside it
    try:
        with chdir(course):
            for name in _CONFIGS:
                for folder in (*reversed(jupyter_config_path()), *([str(course)] if name == _CONFIG else [])):
                    for loader in (JSONFileConfigLoader(f"{name}.json", folder), PyFileConfigLoader(f"{name}.py", folder)):
                        with suppress(ConfigFileNotFound):
                            config.merge(loader.load_config())
    finally:
        sys.path.remove(str(course))
    return config


def _scratch_config(place: Place, root: Path) -> Config:
    """The config of `place`, for a course in the folder `root`."""
    config = Config(place.config)
    for part in set(config.get("IncludeHeaderFooter", {})) & {"header", "footer"}:
        config.IncludeHeaderFooter[part] = str(place.root / config.IncludeHeaderFooter[part])
    for name in ("directory_structure", "source_directory", "release_directory"):
        config.CourseDirectory.pop(name, None)
    config.CourseDirectory.root, config.CourseDirectory.db_url = str(root), f"{_SQLITE}{root / 'draft.db'}"
    config.GenerateAssignment.post_convert_hook = _nothing  # what a course does after a release must not happen for a draft
    return config


def _nothing(**names: str) -> None:
    """A hook. nbgrader insists on a callable."""


def _convert(assignment: str, config: Config) -> None:
    """Run nbgrader's converter."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import SaveCells

    config.CourseDirectory.assignment_id = assignment
    config.GenerateAssignment.force = True
    config.ClearMarkScheme.enforce_metadata = False  # as `configure` has it: a rubric may stand in a locked question
    errors = _Errors()
    log = logging.Logger("draft")  # belongs to no tree, so that nothing is printed
    log.addHandler(errors)
    try:
        with _own_commands():
            converter = GenerateAssignment(coursedir=CourseDirectory(config=config, log=log), config=config, log=log)
            if converter.no_database:  # nbgrader would make one for the cells all the same
                converter.preprocessors = [step for step in converter.preprocessors if step is not SaveCells]
            converter.start()
    except (NbGraderException, TraitError) as error:
        raise AutograderError(f"`nbgrader generate_assignment {assignment}` failed: {errors.reason() or error}") from error


@contextmanager
def _own_commands() -> Iterator[None]:
    """This Python's commands come first: nbgrader calls `alembic` for a new gradebook."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


class _Errors(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        self._said.append(record.getMessage())

    def reason(self) -> str:
        """The last line of the traceback, or else the first thing that was said."""
        traces = [said for said in self._said if said.startswith("Traceback")]
        chosen = traces[:1] or self._said[:1]
        return chosen[0].strip().splitlines()[-1] if chosen else ""
