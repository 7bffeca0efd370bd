"""Reads `assignments/<id>/assignment.toml`.

Runs: trusted side.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.errors import ManifestError
from autograder.limits import Limits

TRACKS = ("ml", "dl", "safety")
DEVICES = ("cpu", "cuda")
FEEDBACK = ("message", "full", "none")
"""What students read of hidden tests; docs/report.md says what each shows."""
_REQUIRED = {"title": str, "track": str, "week": int, "due": str, "points": int, "device": str}
_OPTIONAL = {
    **{"shared": list, "files": list, "limits": dict, "references": dict, "sha256": dict},
    **{"feedback": str, "unexamined": list},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What staff say of one assignment."""

    id: str
    """The folder's name, and the name that nbgrader knows it by."""
    folder: Path
    title: str
    track: str
    """One of `TRACKS`."""
    week: int
    due: str
    points: int
    """Automatic points and points by hand together."""
    device: str
    """What grading needs: `cpu` or `cuda`."""
    limits: Limits = field(default_factory=Limits)
    shared: tuple[str, ...] = ()
    """Files of `assignments/shared/` staged next to the notebook."""
    files: tuple[str, ...] = ()
    """Files of this folder staged next to the notebook."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Hex digest of each of `files`."""
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Grade cell -> exercises whose reference version stands in for the student's while the cell runs."""
    feedback: str = FEEDBACK[0]
    """One of `FEEDBACK`."""

    unexamined: tuple[str, ...] = ()
    """Grade ids, as patterns, of tests that may run among the student's code where they cannot be examined."""

    @property
    def text_path(self) -> Path:
        """The notebook as text: what people edit and review."""
        return self.folder / f"{self.id}.py"


def read_manifest(folder: Path, defaults: Limits | None = None) -> Manifest:
    """The manifest in `folder`; `defaults` are the course's limits, where it does not name one.

    Raises:
        ManifestError: the file is missing, is not TOML, lacks a key, has an unknown one, or a value is impossible.
    """
    path = folder / "assignment.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file. Every folder in assignments/ needs a manifest.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: not valid TOML: {error}") from error
    _check_keys(path, data)
    _check_tables(path, data)
    for key, allowed in (("track", TRACKS), ("device", DEVICES), ("feedback", FEEDBACK)):
        if key in data and data[key] not in allowed:
            raise ManifestError(f"{path}: {key} = {data[key]!r} is not one of {', '.join(allowed)}")
    for name in (*data.get("shared", ()), *data.get("files", ())):
        _check_staged(path, name)
    return Manifest(
        id=folder.name,
        folder=folder,
        **{key: data[key] for key in _REQUIRED},
        limits=(defaults or Limits()).updated(data.get("limits", {}), where=f"{path}, [limits]"),
        shared=tuple(data.get("shared", ())),
        files=tuple(data.get("files", ())),
        sha256=data.get("sha256", {}),
        unexamined=tuple(data.get("unexamined", ())),
        references={cell: tuple(names) for cell, names in data.get("references", {}).items()},
        feedback=data.get("feedback", FEEDBACK[0]),
    )


def read_manifests(assignments: Path) -> list[Manifest]:
    """Every assignment in the folder `assignments`, sorted by id."""
    if not assignments.is_dir():
        raise ManifestError(f"{assignments}: no such folder. Run this in the course's root, or name it with --course.")
    found = [read_manifest(path.parent) for path in sorted(assignments.glob("*/assignment.toml"))]
    if not found:
        raise ManifestError(f"{assignments}: no assignment in it. Each is a folder with an assignment.toml.")
    return found


def choose(manifests: Sequence[Manifest], ids: Sequence[str]) -> list[Manifest]:
    """The manifests named by `ids`, in that order; all of them when `ids` is empty.

    Raises:
        ManifestError: there is no assignment of that name.
    """
    known = {manifest.id: manifest for manifest in manifests}
    unknown = [name for name in ids if name not in known]
    if unknown:
        raise ManifestError(f"no assignment named {', '.join(unknown)}; there are {', '.join(known) or 'none'}")
    return [known[name] for name in ids] if ids else list(manifests)


def _check_keys(path: Path, data: Mapping[str, Any]) -> None:
    missing = sorted(set(_REQUIRED) - set(data))
    if missing:
        raise ManifestError(f"{path}: missing {', '.join(missing)}")
    for key, value in data.items():
        kind = _REQUIRED.get(key) or _OPTIONAL.get(key)
        if kind is None:
            raise ManifestError(f"{path}: unknown key {key!r}; known are {', '.join([*_REQUIRED, *_OPTIONAL])}")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ManifestError(f"{path}: {key} = {value!r} is not a {kind.__name__}")


def _check_tables(path: Path, data: Mapping[str, Any]) -> None:
    for test, names in data.get("references", {}).items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ManifestError(f"{path}: [references] {test} = {names!r} is not a list of exercises")
    for pattern in data.get("unexamined", ()):
        if not isinstance(pattern, str):
            raise ManifestError(f"{path}: unexamined = {data['unexamined']!r} is not a list of test cells")
    for name, digest in data.get("sha256", {}).items():
        if not isinstance(digest, str):
            raise ManifestError(f"{path}: [sha256] {name!r} = {digest!r} is not a digest")


def _check_staged(path: Path, name: object) -> None:
    """A staged file lands in what students get, so it must lie inside its folder and must not be a notebook or a mutant."""
    if not isinstance(name, str) or not Path(name).parts or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ManifestError(f"{path}: {name!r} is not a relative path inside the folder")
    if Path(name).suffix == ".ipynb" or Path(name).parts[0] == "mutants":
        raise ManifestError(f"{path}: {name!r} must not be staged: notebooks and mutants never leave this folder")
