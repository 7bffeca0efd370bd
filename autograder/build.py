"""Keeps an assignment's text and its source notebook in step, and stages the files that go with the notebook.

Runs: trusted side. The only module that imports jupytext.

Text (`assignments/<id>/<id>.py`) is what people review; the notebook (`source/<id>/<id>.ipynb`) is what nbgrader releases.
Either may be edited. The notebook remembers a digest of the cells it was built with, so that a build knows which side
changed since: the other one is brought up to date, and when both changed nothing is overwritten.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from autograder.cells import grade_id_of
from autograder.errors import BuildConflict, ManifestError, SourceError
from autograder.manifest import Manifest

_FORMAT = {"extension": ".py", "format_name": "percent"}
_KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_CELL_METADATA = ("nbgrader", "tags")
_NEW_CELL = {
    "code": nbformat.v4.new_code_cell,
    "markdown": nbformat.v4.new_markdown_cell,
    "raw": nbformat.v4.new_raw_cell,
}
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Side(StrEnum):
    """The two forms of an assignment's notebook."""

    TEXT = "text"
    NOTEBOOK = "notebook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build found and did for one assignment."""

    id: str
    stale: tuple[str, ...]
    """What did not agree, in words; empty when everything did."""
    written: tuple[Path, ...] = ()
    """What the build wrote."""


def build(manifest: Manifest, source: Path, *, write: bool = True, take: Side | None = None) -> Built:
    """Bring `source/<id>/` and the text of `manifest` into agreement; with `write=False` only say what differs.

    `take` settles which side counts when both were edited.

    Raises:
        BuildConflict: both sides were edited since the last build and `take` is None.
        SourceError: a side cannot be read.
        ManifestError: a file to be staged is missing or has another digest than the manifest says.
    """
    notebook_path = source / manifest.id / f"{manifest.id}.ipynb"
    stale: list[str] = []
    written: list[Path] = []
    cells = text_cells(manifest)
    notebook = _read_notebook(notebook_path)
    newer = take or _newer_side(manifest, cells, notebook)
    if newer is Side.NOTEBOOK and notebook is not None and _digest(notebook.cells) != _digest(cells):
        stale.append(f"{manifest.text_path.name} is older than the notebook")
        if write:
            _write_atomically(manifest.text_path, notebook_to_text(notebook))
            written.append(manifest.text_path)
        cells = notebook.cells
    content = _serialised(cells)
    if not notebook_path.is_file() or notebook_path.read_text(encoding="utf-8") != content:
        if notebook is None or _digest(notebook.cells) != _digest(cells):
            stale.append(f"{notebook_path.name} is not what the text gives")
        if write:  # what a save leaves (outputs, the kernel's version) is taken out; it is no disagreement
            _write_atomically(notebook_path, content)
            written.append(notebook_path)
    for origin, name in staged_files(manifest):
        target = notebook_path.parent / name
        if not target.is_file() or target.read_bytes() != origin.read_bytes():
            stale.append(f"{name} is not a copy of the original")
            if write:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(origin, target)
                written.append(target)
    stale += _strays(manifest, notebook_path)
    return Built(id=manifest.id, stale=tuple(stale), written=tuple(written))


def text_to_notebook(text: str) -> nbformat.NotebookNode:
    """The source notebook that `text` (jupytext percent format) stands for: no outputs, stable cell ids."""
    notebook: nbformat.NotebookNode = nbformat.reads(_serialised(jupytext.reads(text, fmt=_FORMAT).cells), as_version=4)
    return notebook


def notebook_to_text(notebook: nbformat.NotebookNode) -> str:
    """The text that stands for `notebook`; outputs and everything but nbgrader metadata and tags are left out."""
    bare: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=_bare_cells(notebook.cells))
    bare.metadata["kernelspec"] = _KERNELSPEC
    bare.metadata["jupytext"] = {"notebook_metadata_filter": "kernelspec,-jupytext", "cell_metadata_filter": "nbgrader,tags,-all"}
    text: str = jupytext.writes(bare, fmt=_FORMAT)
    return text


def text_cells(manifest: Manifest) -> list[nbformat.NotebookNode]:
    """The cells of the assignment's text.

    Raises:
        SourceError: there is no text, or it cannot be read.
    """
    path = manifest.text_path
    try:
        cells: list[nbformat.NotebookNode] = jupytext.reads(path.read_text(encoding="utf-8"), fmt=_FORMAT).cells
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file. The notebook of an assignment is written as text under this name.") from None
    except (UnicodeDecodeError, ValueError, SyntaxError) as error:
        raise SourceError(f"{path}: cannot be read as a notebook in jupytext's percent format: {error}") from error
    if not cells:
        raise SourceError(f"{path}: holds no cells. Cells begin with a line `# %%`.")
    return cells


def staged_files(manifest: Manifest) -> list[tuple[Path, str]]:
    """(original, path beside the notebook) of every file that goes with it.

    Raises:
        ManifestError: a file is missing, or has another digest than the manifest says.
    """
    pairs = [(manifest.folder.parent / "shared" / name, name) for name in manifest.shared]
    pairs += [(manifest.folder / name, name) for name in manifest.files]
    for original, _ in pairs:
        if not original.is_file():
            raise ManifestError(f"{manifest.folder / 'assignment.toml'}: names {original}, which does not exist")
    for name in manifest.files:
        _check_digest(manifest, name, manifest.folder / name)
    return pairs


def _read_notebook(path: Path) -> nbformat.NotebookNode | None:
    if not path.exists():
        return None
    try:
        notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    except (ValueError, AttributeError, TypeError, nbformat.ValidationError) as error:
        raise SourceError(
            f"{path}: not a notebook ({str(error).splitlines()[0]}). Delete it and run `autograder build`."
        ) from error
    return notebook


def _newer_side(manifest: Manifest, text_cells: list[nbformat.NotebookNode], notebook: nbformat.NotebookNode | None) -> Side:
    """The side that was edited since the last build; the text when neither was."""
    if notebook is None:
        return Side.TEXT
    ours = notebook.metadata.get("autograder")
    built = ours.get("built_sha256") if isinstance(ours, dict) else None
    in_notebook, in_text = _digest(notebook.cells), _digest(text_cells)
    if in_notebook in (in_text, built):
        return Side.TEXT
    if in_text == built:
        return Side.NOTEBOOK
    raise BuildConflict(
        f"{manifest.id}: both the text and the notebook were edited since the last build. Nothing was changed. "
        f"Compare them (`jupytext --diff`, `git diff`), then keep one with `autograder build {manifest.id} --take text` or "
        "`--take notebook`. If JupyterLab saved both and only the text was edited after that, keep the text."
    )


def _serialised(cells: list[nbformat.NotebookNode]) -> str:
    """The bytes of a source notebook: the same cells always give the same file."""
    notebook: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=_bare_cells(cells))
    notebook.metadata["kernelspec"] = _KERNELSPEC
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["autograder"] = {"built_sha256": _digest(cells)}
    return f"{nbformat.writes(notebook)}\n"


def _bare_cells(cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Copies with stable ids (the grade id, or a number after the last one), no outputs, and only our metadata."""
    bare: list[nbformat.NotebookNode] = []
    taken: set[str] = set()
    anchor, count = "start", 0
    for cell in cells:
        grade_id = grade_id_of(cell)
        if grade_id is not None:
            anchor, count = grade_id, 0
        else:
            count += 1
        name = anchor if count == 0 else f"{anchor[:58]}-{count}"
        if not _CELL_ID.fullmatch(name) or name in taken:
            name = hashlib.sha256(f"{name} {len(bare)}".encode()).hexdigest()[:12]
        taken.add(name)
        copy = _NEW_CELL[cell.cell_type](source=cell.source, id=name)
        copy.metadata = nbformat.from_dict({key: cell.metadata[key] for key in _CELL_METADATA if key in cell.metadata})
        bare.append(copy)
    return bare


def _digest(cells: list[nbformat.NotebookNode]) -> str:
    """SHA-256 of what people edit: types, sources, nbgrader metadata and tags."""
    edited = [
        [cell.cell_type, cell.source.rstrip(), {key: cell.metadata[key] for key in _CELL_METADATA if cell.metadata.get(key)}]
        for cell in cells
    ]
    return hashlib.sha256(json.dumps(edited, sort_keys=True).encode()).hexdigest()


def _check_digest(manifest: Manifest, name: str, original: Path) -> None:
    said = manifest.sha256.get(name)
    if said is None:
        raise ManifestError(f"{manifest.folder / 'assignment.toml'}: [sha256] lacks {name!r}")
    found = hashlib.sha256(original.read_bytes()).hexdigest()
    if found != said:
        raise ManifestError(
            f"{original}: its SHA-256 is not the one in assignment.toml. If it was made anew on purpose, write the new digest "
            f"({found}) there; otherwise restore the file."
        )


def _strays(manifest: Manifest, notebook_path: Path) -> list[str]:
    """Files beside the notebook that no manifest names: nbgrader would release them."""
    named = {notebook_path, *(notebook_path.parent / name for name in (*manifest.shared, *manifest.files))}
    found = (path for path in sorted(notebook_path.parent.rglob("*")) if path.is_file() and path not in named)
    return [
        f"{path.relative_to(notebook_path.parent)} is in no manifest and would be released; name it or delete it"
        for path in found
        if "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts
    ]


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def as_json(built: Built) -> dict[str, Any]:
    """`built` as plain data."""
    return {"id": built.id, "stale": list(built.stale), "written": [str(path) for path in built.written]}
