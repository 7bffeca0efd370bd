"""Remembers what `check` found, by a hash over everything that it depends on.

Runs: trusted side.

Outcomes are kept in the user's cache, one small file for each content: not in the course's `build/`, which others may share or
delete and which lies beside what is released. A content that was never seen has another hash, so nothing remembered ever speaks
for it; a file that was lost or damaged costs one more check.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from autograder import __version__
from autograder.build import staged_files
from autograder.check import CheckReport, check
from autograder.kept import kept_folder
from autograder.manifest import Manifest
from autograder.repeats import repeat

RECORD = "proven.json"
"""Beside the assignments, committed: what of each was last proven, nothing left out."""
KEPT = 200
"""How many outcomes are kept; the oldest go first."""
_OF_THE_COURSE = ("nbgrader_config.py", "autotests.yml")
"""Files of the course's folder that nbgrader makes a release by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is known of one content of an assignment."""

    id: str
    holds: bool
    problems: tuple[str, ...]
    """Why it does not hold."""
    when: str
    """When that was found, ISO 8601, UTC."""


def cache_folder() -> Path:
    """Where outcomes are kept between runs."""
    return kept_folder() / "proofs"


def content_digest(manifest: Manifest, source: Path) -> str:
    """SHA-256 over whatever a proof and a release read: the assignment, the course's config, this package and what it runs on.

    Raises:
        ManifestError: a file that the manifest names is missing or has another digest.
    """
    return _digest(_ingredients(manifest, source))


def assignment_digest(manifest: Manifest, source: Path) -> str:
    """SHA-256 over the assignment and the course's config alone: what its authors change.

    Raises:
        ManifestError: a file that the manifest names is missing or has another digest.
    """
    return _digest(_of_the_assignment(manifest, source))


def recorded(assignments: Path) -> dict[str, str]:
    """Assignment -> its digest when all of it was last proven, by the record in the folder `assignments`."""
    try:
        data = json.loads((assignments / RECORD).read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in data.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def record(assignments: Path, assignment: str, digest: str) -> None:
    """Write down that `assignment` was proven with that digest."""
    text = json.dumps(recorded(assignments) | {assignment: digest}, indent=2, sort_keys=True)
    (assignments / RECORD).write_text(f"{text}\n", encoding="utf-8")


def known_proof(manifest: Manifest, source: Path, *, cache: Path | None = None) -> Proof | None:
    """What is remembered of exactly this content; None where it was not checked yet.

    Raises:
        ManifestError: a file that the manifest names is missing or has another digest.
    """
    path = (cache or cache_folder()) / f"{content_digest(manifest, source)}.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Proof(id=data["id"], holds=data["holds"] is True, problems=tuple(data["problems"]), when=data["when"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_and_remember(
    manifest: Manifest,
    source: Path,
    *,
    quick: bool = False,
    exercises: frozenset[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cache: Path | None = None,
) -> CheckReport:
    """The report of `check`, generated mutants included, and, where it holds, of `repeat`: that is a proof, and is remembered.

    `quick` leaves out generated mutants and repeats, and `exercises` everything but the mutants of these. What leaves something
    out is not remembered, nor is a proof during which files changed.

    Raises:
        AutograderError: see `check`.
    """
    before = content_digest(manifest, source)
    report = check(manifest, source, exercises=exercises, generated=not quick, progress=progress)
    if quick or exercises is not None:
        return report
    if report.holds:
        report = report.with_more(repeat(manifest, progress=progress))
    if content_digest(manifest, source) == before:
        with suppress(OSError):  # a full disk costs one more check
            _remember(proof_of(report), before, cache or cache_folder())
    return report


def proof_of(report: CheckReport) -> Proof:
    """The outcome of a complete check."""
    problems = list(report.problems)
    for result in report.mutants:
        if not result.as_declared:
            mutant = result.mutant
            found = result.broken or f"fails {', '.join(result.failed) or 'nothing'}, not {', '.join(mutant.fails) or 'nothing'}"
            problems.append(f"{mutant.exercise}/{mutant.name}: {found}")
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return Proof(id=report.id, holds=report.holds, problems=tuple(problems), when=when)


def _digest(ingredients: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in ingredients:
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def _ingredients(manifest: Manifest, source: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of everything that matters."""
    for path in _package():
        yield f"package/{path.name}", path.read_bytes()
    yield "versions", "\n".join(_versions()).encode()
    yield from _of_the_assignment(manifest, source)


def _of_the_assignment(manifest: Manifest, source: Path) -> Iterator[tuple[str, bytes]]:
    yield "id", manifest.id.encode()
    folder = manifest.folder
    originals = [original for original, _ in staged_files(manifest)]
    for path in (folder / "assignment.toml", manifest.text_path, *sorted((folder / "mutants").rglob("*")), *originals):
        if path.is_file():
            yield os.path.relpath(path, folder), path.read_bytes()
    for name in _OF_THE_COURSE:
        if (source.parent / name).is_file():
            yield f"course/{name}", (source.parent / name).read_bytes()
    released = source / manifest.id
    for path in sorted(released.rglob("*")):
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts):
            yield f"source/{path.relative_to(released)}", path.read_bytes()


def _package() -> list[Path]:
    """This package's files: in development its version stays while what it proves changes."""
    return sorted(Path(__file__).parent.glob("*.py"))


def _versions() -> Iterator[str]:
    """This package, Python, the machine's kind, and every package that this one names."""
    yield f"autograder {__version__}"
    yield f"python {platform.python_version()} {platform.machine()}"
    with suppress(metadata.PackageNotFoundError):
        for requirement in metadata.requires("autograder") or ():
            name = requirement.partition("==")[0].strip()
            with suppress(metadata.PackageNotFoundError, ValueError):
                yield f"{name} {metadata.version(name)}"


def _remember(proof: Proof, digest: str, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    temporary = cache / f".{digest}.{os.getpid()}"
    temporary.write_text(json.dumps(asdict(proof)), encoding="utf-8")
    temporary.replace(cache / f"{digest}.json")
    by_age = sorted(cache.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[KEPT:]:
        path.unlink(missing_ok=True)
