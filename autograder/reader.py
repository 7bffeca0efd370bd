"""Reads submitted files: hostile bytes in, a valid version-4 notebook or a clear reason out.

Runs: trusted side.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import nbformat

from autograder.errors import UnreadableSubmission
from autograder.outputs import clean_text

MAX_BYTES = 200_000_000
"""A larger notebook is not read; embedded pictures of a whole course come to a few megabytes."""
_AGAIN = "Open it in JupyterLab, save it and hand it in again."


def read_submission(path: Path) -> nbformat.NotebookNode:
    """The notebook at `path`, upgraded to the current format, with every string writable as UTF-8.

    A byte-order mark is harmless and is skipped.

    Raises:
        UnreadableSubmission: `path` is not a plain file that holds a notebook of a known format.
    """
    data = _decode(path, _bytes_of(path))
    _check_version(path, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbformat warns of what the next lines mend
            nb: nbformat.NotebookNode = nbformat.v4.upgrade(nbformat.convert(nbformat.reader.reads(json.dumps(data)), 4))
            _unique_cell_ids(nb, has_ids=data.get("nbformat") == 4 and (data.get("nbformat_minor") or 0) >= 5)
            nbformat.validate(nb)
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableSubmission.of(path, f"it is JSON, but not a notebook ({_first_line(error)})", _AGAIN) from error
    return nb


def _bytes_of(path: Path) -> bytes:
    if path.is_symlink():
        raise UnreadableSubmission.of(path, "it is a link, not a file", "Hand in the notebook itself.")
    if path.is_dir():
        raise UnreadableSubmission.of(path, "it is a folder with the name of a notebook", "Hand in the notebook itself.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableSubmission.of(
                path, f"it is larger than {MAX_BYTES // 1_000_000} MB", "Clear its outputs (Kernel menu) and hand it in again."
            )
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableSubmission.of(path, f"the file cannot be opened ({error.strerror})", "Hand it in again.") from error
    if not content.strip():
        raise UnreadableSubmission.of(
            path, "the file is empty", "A full disk or quota is the usual cause. Free some space, save it and hand it in again."
        )
    return content


def _decode(path: Path, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableSubmission.of(
            path,
            f"it is not UTF-8 text (byte {error.start + 1} does not fit)",
            f"Another encoding was used. {_AGAIN}",
        ) from error
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise UnreadableSubmission.of(
            path,
            f"it is not JSON (line {error.lineno}: {error.msg})",
            f"A broken upload or a merge conflict is the usual cause. {_AGAIN}",
        ) from error
    except (RecursionError, ValueError) as error:
        raise UnreadableSubmission.of(path, f"it is not JSON that a notebook can hold ({_first_line(error)})", _AGAIN) from error
    if not isinstance(data, dict):
        raise UnreadableSubmission.of(path, "it is JSON, but not a notebook", _AGAIN)
    try:
        cleaned: dict[str, Any] = clean_text(data)
    except RecursionError as error:
        raise UnreadableSubmission.of(path, "it is nested deeper than any notebook", _AGAIN) from error
    return cleaned


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _check_version(path: Path, data: dict[str, Any]) -> None:
    major = data.get("nbformat")
    if not isinstance(major, int) or isinstance(major, bool):
        raise UnreadableSubmission.of(path, "it is JSON, but not a notebook (it names no format version)", _AGAIN)
    if major > nbformat.current_nbformat:
        raise UnreadableSubmission.of(
            path,
            f"its format version is {major}, newer than the {nbformat.current_nbformat} that grading knows",
            "Save it with the JupyterLab of this course and hand it in again.",
        )
    if major < 3:
        raise UnreadableSubmission.of(path, f"its format version is {major}, too old to convert", _AGAIN)


def _unique_cell_ids(nb: nbformat.NotebookNode, *, has_ids: bool) -> None:
    """Give every cell a valid id of its own: copies made with an editor share theirs, and old formats have none.

    The ids that nbformat makes up are random; these are the same each time.
    """
    seen: set[str] = set()
    for index, cell in enumerate(nb.cells):
        if not has_ids or not isinstance(cell.get("id"), str) or cell.id in seen:
            cell["id"] = f"submitted-{index}"
        seen.add(cell.id)


def _first_line(error: Exception, limit: int = 160) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:limit]
