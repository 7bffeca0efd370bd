"""Reads `mutants/<exercise>.toml`: wrong solutions with the tests they must fail, correct ones, and generated mutants
that are no mistakes.

Runs: trusted side.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.cells import with_solution
from autograder.errors import MutantError

_KEYS = {
    "mutant": {"name", "misconception", "replace", "with", "body", "fails"},
    "alternative": {"name", "why", "replace", "with", "body"},
}
_EQUIVALENT = "equivalent"
_EQUIVALENT_KEYS = ("replace", "with", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One other solution of one exercise: wrong if `fails` names tests, a correct alternative if it names none."""

    exercise: str
    name: str
    reason: str
    """The misconception it stands for, or why it is correct."""
    source: str
    """The exercise's cell with the change applied."""
    fails: tuple[str, ...]
    """Exactly the test cells that must not give full points."""

    @property
    def is_alternative(self) -> bool:
        """Whether it is a correct solution."""
        return not self.fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalent:
    """A generated mutant that its author declared to be no mistake."""

    exercise: str
    old: str
    """What it replaces in the exercise's cell."""
    new: str
    reason: str
    """Why no test can tell it from the solution, or none should."""

    def changed(self, cell_source: str) -> str:
        """The cell with the change applied; nothing where what it replaces does not occur exactly once."""
        return cell_source.replace(self.old, self.new) if cell_source.count(self.old) == 1 else ""


def read_mutants(folder: Path, exercise: str, cell_source: str, tests: frozenset[str]) -> list[Mutant]:
    """The mutants and alternatives of `exercise`, whose cell reads `cell_source`; none when there is no file.

    Raises:
        MutantError: the file is not TOML, or an entry is incomplete, changes nothing, or names an unknown test cell.
    """
    path = _path(folder, exercise)
    data = _read(path)
    found = [
        _read_entry(path, kind, entry, exercise, cell_source, tests) for kind in _KEYS for entry in _entries(path, data, kind)
    ]
    names = [mutant.name for mutant in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MutantError(f"{path}: more than one entry is named {', '.join(twice)}")
    return found


def read_equivalents(folder: Path, exercise: str) -> list[Equivalent]:
    """The generated mutants of `exercise` that are declared to be no mistakes; none when there is no file.

    Raises:
        MutantError: the file is not TOML, or an entry is not complete.
    """
    path = _path(folder, exercise)
    found = []
    for entry in _entries(path, _read(path), _EQUIVALENT):
        bad = [key for key in _EQUIVALENT_KEYS if not isinstance(entry.get(key), str)]
        extra = sorted(set(entry) - set(_EQUIVALENT_KEYS))
        if bad or extra or not entry["reason"].strip() or not entry["replace"]:
            raise MutantError(
                f"{path}, equivalent {entry.get('replace', '(no replace)')!r}: needs the texts `replace`, `with` and `reason`, "
                f"and nothing else{'; has also ' + ', '.join(extra) if extra else ''}. "
                "`autograder check` prints the first two for each survivor; the reason says why no test can tell it apart"
            )
        found.append(Equivalent(exercise=exercise, old=entry["replace"], new=entry["with"], reason=entry["reason"].strip()))
    return found


def _path(folder: Path, exercise: str) -> Path:
    return folder / "mutants" / f"{exercise}.toml"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MutantError(f"{path}: not valid TOML: {error}") from error
    unknown = sorted(set(data) - set(_KEYS) - {_EQUIVALENT})
    if unknown:
        known = "[[mutant]], [[alternative]] and [[equivalent]]"
        raise MutantError(f"{path}: unknown table {', '.join(unknown)}; known are {known}")
    return data


def _entries(path: Path, data: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    entries = data.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise MutantError(f"{path}: write [[{kind}]] with two brackets before each entry")
    return entries


def _read_entry(
    path: Path, kind: str, entry: Mapping[str, Any], exercise: str, cell_source: str, tests: frozenset[str]
) -> Mutant:
    where = f"{path}, {kind} {entry.get('name', '(no name)')!r}"
    unknown = sorted(set(entry) - _KEYS[kind])
    if unknown:
        raise MutantError(f"{where}: unknown key {', '.join(unknown)}")
    texts = [key for key in _KEYS[kind] - {"fails"} if key in entry and not isinstance(entry[key], str)]
    if texts:
        raise MutantError(f"{where}: {', '.join(sorted(texts))} must be text")
    fails_given = entry.get("fails", [])
    if not isinstance(fails_given, list) or not all(isinstance(name, str) for name in fails_given):
        raise MutantError(f"{where}: fails = {fails_given!r} is not a list of test cells")
    reason = entry.get("misconception" if kind == "mutant" else "why")
    if not entry.get("name") or not reason:
        raise MutantError(f"{where}: needs a name and {'the misconception it stands for' if kind == 'mutant' else 'a why'}")
    fails = tuple(fails_given)
    if kind == "mutant" and not fails:
        raise MutantError(f"{where}: must name the test cells it fails; a solution that fails none is an [[alternative]]")
    missing = sorted(set(fails) - tests)
    if missing:
        raise MutantError(f"{where}: fails names {', '.join(missing)}, which is no test cell of the notebook")
    source = _changed(where, entry, cell_source)
    return Mutant(exercise=exercise, name=entry["name"], reason=reason, source=source, fails=fails)


def _changed(where: str, entry: Mapping[str, Any], cell_source: str) -> str:
    if "body" in entry:
        return with_solution(cell_source, entry["body"])
    if "replace" not in entry or "with" not in entry:
        raise MutantError(f"{where}: needs either `body`, or `replace` and `with`")
    times = cell_source.count(entry["replace"])
    if times != 1:
        raise MutantError(
            f"{where}: the text to replace, {entry['replace']!r}, occurs {times} times in the exercise's cell, not once"
        )
    return cell_source.replace(entry["replace"], entry["with"])
