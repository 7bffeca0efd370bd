"""Reads submitted files: hostile bytes in, a valid version-4 notebook or a clear reason out.

Runs: trusted side.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from pathlib import Path
from typing import Any

import nbformat

from autograder.errors import UnreadableSubmission
from autograder.outputs import clean_text

MAX_BYTES = 200_000_000
"""A larger notebook is not read; embedded pictures of a whole course come to a few megabytes."""
_CELL_METADATA = frozenset({"nbgrader", "tags", "name"})
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_AGAIN = "Open it in JupyterLab, save it and hand it in again."


def read_submission(path: Path) -> nbformat.NotebookNode:
    """The notebook at `path`, upgraded to the current format, with every string writable as UTF-8.

    A byte-order mark is harmless and is skipped.

    Raises:
        UnreadableSubmission: `path` is not a plain file that holds a notebook of a known format.
    """
    return parse_submission(bytes_of(path), path.name)


def parse_submission(content: bytes, name: str) -> nbformat.NotebookNode:
    """The notebook that `content` holds, handed in as the file `name`; see `read_submission`.

    Raises:
        UnreadableSubmission: it holds none of a known format.
    """
    path = Path(name)
    if not content.strip():
        raise UnreadableSubmission.of(
            path, "the file is empty", "A full disk or quota is the usual cause. Free some space, save it and hand it in again."
        )
    data = _decode(path, content)
    _check_version(path, data)
    try:
        if data["nbformat"] < 4:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # nbformat warns of what the next lines mend
                data = dict(nbformat.convert(nbformat.reader.reads(json.dumps(data)), 4))
            for cell in data["cells"]:
                cell.pop("id", None)  # made up at random; the same file must give the same notebook
        nb: nbformat.NotebookNode = nbformat.from_dict(_tidied(data))
        nbformat.validate(nb)
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableSubmission.of(path, f"it is JSON, but not a notebook ({_first_line(error)})", _AGAIN) from error
    return nb


def _tidied(data: dict[str, Any]) -> dict[str, Any]:
    """`data` as the current format has it: what editors leave out is filled in, what the format does not know is dropped.

    What is tidied away is of no use to grading: outputs that are not valid, widget state, keys of other programs.
    """
    metadata = dict(data.get("metadata") or {})
    spec = metadata.get("kernelspec")
    kernelspec = {"display_name": spec["name"], **spec} if isinstance(spec, dict) and isinstance(spec.get("name"), str) else None
    seen: set[str] = set()
    has_ids = data["nbformat"] == 4 and (data.get("nbformat_minor") or 0) >= 5
    cells = [_tidied_cell(cell, index, seen, has_ids=has_ids) for index, cell in enumerate(data["cells"])]
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernelspec} if kernelspec is not None else {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _tidied_cell(cell: dict[str, Any], index: int, seen: set[str], *, has_ids: bool) -> dict[str, Any]:
    """One cell, with an id of its own: copies share theirs, old formats have none, and nbformat would make up random ones."""
    kind, source = cell["cell_type"], cell.get("source", "")
    if kind not in ("code", "markdown", "raw"):
        raise ValueError(f"cell {index + 1} is of the unknown type {kind!r}")
    metadata = {key: value for key, value in dict(cell.get("metadata") or {}).items() if key in _CELL_METADATA}
    if not isinstance(metadata.get("tags", []), list):
        del metadata["tags"]
    cell_id = cell.get("id")
    if not has_ids or not isinstance(cell_id, str) or not _CELL_ID.fullmatch(cell_id) or cell_id in seen:
        cell_id = f"submitted-{index}"
        while cell_id in seen:
            cell_id += "-again"
    seen.add(cell_id)
    tidied = {"cell_type": kind, "id": cell_id, "metadata": metadata, "source": "".join(source).replace("\r\n", "\n")}
    if kind == "code":
        count = cell.get("execution_count")
        tidied["execution_count"] = count if isinstance(count, int) and not isinstance(count, bool) else None
        tidied["outputs"] = list(filter(_is_valid_output, cell.get("outputs") or []))
    elif isinstance(cell.get("attachments"), dict):
        tidied["attachments"] = cell["attachments"]
    return tidied


def _is_valid_output(output: Any) -> bool:
    try:
        nbformat.validate(nbformat.from_dict(output), ref="output", version=4)
    except (nbformat.ValidationError, AttributeError, TypeError, ValueError):
        return False
    return True


def bytes_of(path: Path) -> bytes:
    """The content of the submitted file at `path`.

    Raises:
        UnreadableSubmission: it is no plain file, or is too large.
    """
    if path.is_symlink():
        raise UnreadableSubmission.of(path, "it is a link, not a file", "Hand in the notebook itself.")
    if path.is_dir():
        raise UnreadableSubmission.of(path, "it is a folder with the name of a notebook", "Hand in the notebook itself.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableSubmission.of(
                path, f"it is larger than {MAX_BYTES // 1_000_000} MB", "Clear its outputs (Kernel menu) and hand it in again."
            )
        return path.read_bytes()
    except OSError as error:
        raise UnreadableSubmission.of(path, f"the file cannot be opened ({error.strerror})", "Hand it in again.") from error


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
        data = json.loads(text, parse_constant=_no_number, parse_float=_finite)
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


def _no_number(name: str) -> None:
    """NaN and Infinity are no JSON, yet Python writes them; nothing that is graded holds one."""


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


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


def _first_line(error: Exception, limit: int = 160) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:limit]
