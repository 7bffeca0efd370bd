"""Releases an assignment: only what was proven, only where nobody loses a grade, and saying what students get.

Runs: trusted side. The release itself is made by nbgrader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from autograder.cells import Kind, kind_of, points_of
from autograder.draft import Draft, Place, drafted, files_of, generate, locate
from autograder.errors import AutograderError
from autograder.manifest import Manifest
from autograder.proofs import check_and_remember, content_digest, known_proof, proof_of
from autograder.records import Updated, has_submissions, revision_of, update_gradebook
from autograder.revision import Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Handout:
    """What students get."""

    folder: Path
    files: Mapping[str, int]
    """Relative path of each file -> its size in bytes."""
    cells: int
    exercises: int
    """Cells that students write and tests grade."""
    tests: int
    points_by_test: float
    points_by_hand: float

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        names = ("cells", "exercises", "tests", "points_by_test", "points_by_hand")
        return {"folder": str(self.folder), "files": dict(self.files), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What came of one release: either a handout, or why there is none."""

    id: str
    title: str
    due: str
    refusal: str = ""
    """Why nothing was released and nothing changed; empty when it was."""
    handout: Handout | None = None
    proven: str = ""
    """When `check` found that exactly this content holds, ISO 8601, UTC."""
    revision: Revision | None = None
    """What changed since the last release; None while nobody has handed anything in."""
    updated: Updated | None = None
    """What was done to the gradebook; None where nothing had to be."""

    @property
    def made(self) -> bool:
        """Whether the release is there."""
        return self.handout is not None

    def __str__(self) -> str:
        if self.handout is None:
            return f"{self.id}: NOT released. {self.refusal}"
        handout = self.handout
        total = handout.points_by_test + handout.points_by_hand
        lines = [
            f"{self.id}: released. {self.title}, due {self.due}.",
            f"  {total:g} points: {handout.points_by_test:g} by test, {handout.points_by_hand:g} by hand",
            f"  {handout.cells} cells, {handout.exercises} exercises, {handout.tests} test cells; proven {self.proven}",
            f"  in {handout.folder}:",
        ]
        width = max(map(len, handout.files), default=0)
        lines += [f"    {name:<{width}}  {_size(size)}" for name, size in handout.files.items()]
        lines += [str(part) for part in (self.revision, self.updated) if part is not None]
        lines.append(f"Hand it out: nbgrader release_assignment {self.id}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "id": self.id,
            "title": self.title,
            "due": self.due,
            "made": self.made,
            "refusal": self.refusal,
            "handout": None if self.handout is None else self.handout.to_json(),
            "proven": self.proven,
            "revision": None if self.revision is None else self.revision.to_json(),
            "updated": None if self.updated is None else self.updated.to_json(),
        }


def release(
    manifest: Manifest,
    course: Path,
    *,
    force: bool = False,
    update: bool = False,
    renames: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cache: Path | None = None,
) -> Released:
    """Release the assignment of `manifest` in the folder `course`, if `check` holds for exactly this content.

    Where that is not known yet it is checked first (`progress` as in `check`). `force` replaces an earlier release that
    differs. `update` brings a gradebook with submissions in line with the changed assignment, keeping every grade; `renames`
    (old id -> new id) says which removed cell is which new one. A refusal is a result, not an error: nothing was changed then.

    Raises:
        AutograderError: a file or the config cannot be read, or nbgrader or the gradebook failed.
    """
    source = course / "source"
    digest = content_digest(manifest, source)
    proof = known_proof(manifest, source, cache=cache)
    if proof is None:
        proof = proof_of(check_and_remember(manifest, source, progress=progress, cache=cache))

    def refused(why: str, revision: Revision | None = None) -> Released:
        return Released(id=manifest.id, title=manifest.title, due=manifest.due, refusal=why, revision=revision)

    if not proof.holds:
        return refused(_unproven(manifest.id, proof.problems))
    place = _located(manifest, course)
    with drafted(place) as draft:
        revision = revision_of(place, draft, renames=renames) if has_submissions(place) else None
        refusal = _refusal(place, draft, revision, force=force, update=update)
        if refusal:
            return refused(refusal, revision)
        if content_digest(manifest, source) != digest:
            return refused("Its files changed while it was being released. Nothing was changed; release it again.")
        updated = update_gradebook(place, draft, renames=renames) if revision is not None and revision.changes else None
    _generate(place, updated)
    return Released(
        id=manifest.id,
        title=manifest.title,
        due=manifest.due,
        handout=handout_in(place.release),
        proven=proof.when,
        revision=revision,
        updated=updated,
    )


def handout_in(folder: Path) -> Handout:
    """What the release in `folder` holds."""
    files = files_of(folder)
    notebooks = [nbformat.reads(text.decode(), as_version=4) for name, text in files.items() if name.endswith(".ipynb")]
    cells = [cell for notebook in notebooks for cell in notebook.cells]
    kinds = [kind_of(cell) for cell in cells]
    automatic = [cell for cell in cells if kind_of(cell) is Kind.TEST and cell.cell_type == "code"]
    by_test = sum(map(points_of, automatic))
    return Handout(
        folder=folder,
        files={name: len(content) for name, content in files.items()},
        cells=len(cells),
        exercises=kinds.count(Kind.EXERCISE),
        tests=len(automatic),
        points_by_test=by_test,
        points_by_hand=sum(map(points_of, cells)) - by_test,
    )


def _unproven(name: str, problems: tuple[str, ...]) -> str:
    shown = "".join(f"\n  {problem}" for problem in problems[:10])
    more = f"\n  and {len(problems) - 10} more" if len(problems) > 10 else ""
    return (
        f"`check` does not hold for this content:{shown}{more}\nMend these, see that `autograder check {name}` holds, and "
        "release again. Whoever must release it as it is can: `nbgrader generate_assignment` asks nothing."
    )


def _located(manifest: Manifest, course: Path) -> Place:
    place = locate(course, manifest.id)
    built = (course / "source" / manifest.id).resolve()
    if place.source.resolve() != built:
        raise AutograderError(
            f"{manifest.id}: `autograder build` writes to {built}, but the course's config has nbgrader release {place.source}. "
            "What was proven would not be what is released; set c.CourseDirectory.source_directory back to 'source'."
        )
    return place


def _refusal(place: Place, draft: Draft, revision: Revision | None, *, force: bool, update: bool) -> str:
    """Why the release must not be made; empty when it may."""
    if revision is not None and revision.changes and not update:
        return (
            f"{revision}\nReleasing it would change what these submissions are graded by. `--update` brings the gradebook in "
            "line: no grade is lost, and the gradebook is copied first."
        )
    there = files_of(place.release)
    if there and there != files_of(draft.folder) and not (force or update):
        return f"{place.release} holds another release, which students may have. `--force` replaces it."
    return ""


def _generate(place: Place, updated: Updated | None) -> None:
    try:
        generate(place)
    except AutograderError as error:
        if updated is None:
            raise
        raise AutograderError(f"{error}\nThe gradebook was already brought in line with the new source.\n{updated}") from error


def _size(size: int) -> str:
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
