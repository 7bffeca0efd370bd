"""Packs an assignment, and what a student handed in for it, from the course's folder and the gradebook.

Runs: trusted side, in the driver: afterwards nobody needs either.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.utils import find_all_files

from autograder.cells import grade_id_of
from autograder.errors import UnreadableSubmission
from autograder.files import NEVER_IN, links_outward, matches, walk
from autograder.package import File, Package, Rules, Sheet, Submission
from autograder.reader import bytes_of
from autograder.restore import source_cells

MARK = ".graded.json"
"""What remembers, in the folder of a graded submission, of what it was made."""


def source_folder(coursedir: Any, assignment: str) -> Path:
    """Where the instructor's notebooks lie."""
    return Path(coursedir.format_path(coursedir.source_directory, ".", assignment)).resolve()


def sheet_of(notebook: Any, folder: Path) -> Sheet:
    """A notebook of the gradebook, with its source from `folder` if it is there: the gradebook knows no order of cells."""
    cells = source_cells(notebook)
    source = _source_text(folder / f"{notebook.name}.ipynb")
    order = [] if source is None else [grade_id_of(cell) for cell in nbformat.reads(source, as_version=4).cells]
    ordered = {cell.grade_id for cell in cells} <= set(order)
    if ordered:
        cells.sort(key=lambda cell: order.index(cell.grade_id))
    return Sheet(
        name=notebook.name,
        cells=tuple(cells),
        ordered=ordered,
        kernelspec=(json.loads(notebook.kernelspec) if notebook.kernelspec else None) or {},
        source=source,
    )


def pack_assignment(
    assignment: Any, coursedir: Any, rules: Rules, *, keep: Iterable[str] = (), traits: Mapping[str, Mapping[str, Any]]
) -> Package:
    """The package of `assignment`, of the gradebook; files named by `keep` stay as they are handed in."""
    folder = source_folder(coursedir, assignment.name)
    staff = dict(sorted(_files(folder)))
    given = [str(Path(name).relative_to(folder)) for name in find_all_files(str(folder), [*coursedir.ignore, "*.ipynb"])]
    return Package(
        assignment=assignment.name,
        sheets=tuple(sheet_of(notebook, folder) for notebook in sorted(assignment.notebooks, key=lambda found: found.name)),
        rules=rules,
        staff=staff,
        given={path: staff.get(path) or _file(folder / path) for path in sorted({*given} - set(keep))},
        traits=traits,
    )


def pack_submission(folder: Path, student: str, notebooks: Iterable[str], ignore: Iterable[str]) -> Submission:
    """What `student` handed in, in `folder`; `notebooks` are the assignment's, `ignore` the course's patterns.

    Links that lead out of the folder are left out: what they point to is not the student's.
    """
    contents: dict[str, bytes] = {}
    unreadable: dict[str, str] = {}
    for name in notebooks:
        path = folder / f"{name}.ipynb"
        if path.exists() or path.is_symlink():
            try:
                contents[name] = bytes_of(path)
            except UnreadableSubmission as error:
                unreadable[name] = str(error)
    outward = set(links_outward(folder))
    files = {}
    for found in sorted(find_all_files(str(folder), [*ignore, "*.ipynb"])):
        path = Path(found)
        status = path.stat() if str(path.relative_to(folder)) not in outward else None
        if status is not None and stat.S_ISREG(status.st_mode):
            files[str(path.relative_to(folder))] = _file(path)
    return Submission(student=student, notebooks=contents, unreadable=unreadable, files=files)


def _source_text(path: Path) -> str | None:
    """The text of the instructor's notebook; None where this machine does not have it."""
    try:
        text = path.read_text(encoding="utf-8")
        nbformat.reads(text, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        return None
    return text


def _files(folder: Path) -> Iterator[tuple[str, File]]:
    """Everything in the source folder that test cells may see."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        for path, status in walk(opened):
            if stat.S_ISREG(status.st_mode) and not matches(path, NEVER_IN):
                yield path, _file(folder / path)
    finally:
        os.close(opened)


def _file(path: Path) -> File:
    return File(content=path.read_bytes(), mode=stat.S_IMODE(path.stat().st_mode))
