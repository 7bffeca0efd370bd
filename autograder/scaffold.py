"""Makes a new assignment that already works: text notebook, manifest, a wrong and another right solution, source notebook.

Runs: trusted side.

What is made is a small real assignment in the course's teaching structure (`template/`), not a form with gaps: it passes
`autograder check` as it is, and stays checked while the author replaces it piece by piece.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from autograder.build import build
from autograder.errors import ManifestError
from autograder.manifest import TRACKS, read_manifest

EXERCISE = "selective_accuracy"
"""The exercise in the template."""
_ID = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_WEEK = re.compile(r"w(\d{1,3})_")
_RESERVED = frozenset(["shared", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))])
_COURSE_STYLE = ("courselib/__init__.py", "courselib/plots.py")
_FIGURES_WITH_COURSE_STYLE = """\
from courselib.plots import BLACK, BLUE, ORANGE, use_course_style

use_course_style()"""
_FIGURES_ALONE = """\
BLUE, ORANGE, BLACK = "#0072B2", "#E69F00", "#000000"  # Okabe and Ito: told apart with any colour vision
plt.rcParams.update({"figure.figsize": (6.0, 3.8), "axes.grid": True, "grid.alpha": 0.3, "lines.linewidth": 2.0})"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffold:
    """A new assignment on disk."""

    id: str
    written: tuple[Path, ...]
    """Every file that was made: the text first, the source notebook last."""

    @property
    def next_commands(self) -> tuple[str, str, str]:
        """What to type next, in the course's folder: prove it, edit it, release it."""
        return (
            f"autograder check {self.id}",
            f"jupyter lab source/{self.id}/{self.id}.ipynb",
            f"autograder release {self.id}",
        )

    def to_json(self) -> dict[str, Any]:
        """The scaffold as plain data."""
        return {"id": self.id, "written": [str(path) for path in self.written], "next": list(self.next_commands)}


def scaffold(
    course: Path,
    assignment: str,
    *,
    title: str | None = None,
    track: str = "safety",
    week: int | None = None,
    due: str | None = None,
) -> Scaffold:
    """Make the assignment named `assignment` in the course's folder: `assignments/<id>/` and `source/<id>/`.

    `title` defaults to the id's words, `week` to the number in an id such as `w7_my_topic`, `due` to the end of two weeks later.
    Nothing that exists is changed.

    Raises:
        ManifestError: the id cannot be used or is taken, `course` is no course, or a value is impossible.
    """
    _check_id(assignment)
    _check_course(course, assignment)
    week = _week_of(assignment) if week is None else week
    title = _title_of(assignment) if title is None else title
    due = f"end of week {week + 2}" if due is None else due
    _check_values(title=title, track=track, week=week, due=due)
    values = {
        **{"title": title, "title_toml": _toml(title), "due_toml": _toml(due), "track": track, "week": str(week)},
        **_figure_style(course),
    }
    folder = course / "assignments" / assignment
    texts = {
        folder / f"{assignment}.py": _filled("notebook.py.txt", values),
        folder / "assignment.toml": _filled("assignment.toml", values),
        folder / "mutants" / f"{EXERCISE}.toml": _filled("mutants.toml", values),
    }
    (folder / "mutants").mkdir(parents=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    built = build(read_manifest(folder), course / "source")
    return Scaffold(id=assignment, written=(*texts, *built.written))


def _check_id(assignment: str) -> None:
    """Ids are names of folders on every file system, part of web addresses and of names in nbgrader's exchange."""
    rule = "Use 1 to 50 of a-z, 0-9, `_` and `-`, beginning with a letter, such as w7_my_topic."
    if assignment in _RESERVED:
        raise ManifestError(f"{assignment!r} cannot name an assignment: the name is reserved, here or by Windows. {rule}")
    if not _ID.fullmatch(assignment):
        raise ManifestError(
            f"{assignment!r} cannot name an assignment: it becomes the name of folders, on every machine and in nbgrader's "
            f"exchange. {rule}"
        )


def _check_values(*, title: str, track: str, week: int, due: str) -> None:
    for name, value in (("title", title), ("due", due)):
        if not value.strip() or not value.isprintable():
            raise ManifestError(f"{name} = {value!r}: give one line of readable text, such as --{name} 'Label noise'")
    if track not in TRACKS:
        raise ManifestError(f"track = {track!r} is not one of {', '.join(TRACKS)}")
    if week < 0:
        raise ManifestError(f"week = {week}: weeks are counted from 0")


def _check_course(course: Path, assignment: str) -> None:
    if not (course / "assignments").is_dir() and not (course / "nbgrader_config.py").is_file():
        raise ManifestError(
            f"{course}: not the folder of a course: it has neither assignments/ nor nbgrader_config.py. Run this in the course's "
            "root, or name it with --course; for a new course make a folder assignments/ there."
        )
    for taken in (course / "assignments" / assignment, course / "source" / assignment):
        if taken.exists():
            raise ManifestError(
                f"{taken}: exists already, and nothing was changed. Choose another id, or move or delete that folder first."
            )


def _week_of(assignment: str) -> int:
    found = _WEEK.match(assignment)
    if found is None:
        raise ManifestError(
            f"{assignment}: says no week. Add --week 7, or choose an id that begins with it, such as w7_{assignment}"
        )
    return int(found[1])


def _title_of(assignment: str) -> str:
    return _WEEK.sub("", assignment).replace("_", " ").replace("-", " ").strip().capitalize() or assignment


def _figure_style(course: Path) -> dict[str, str]:
    """The course's own style for figures where it has one; otherwise the notebook carries the few lines it needs."""
    if all((course / "assignments" / "shared" / name).is_file() for name in _COURSE_STYLE):
        return {"figures": _FIGURES_WITH_COURSE_STYLE, "shared": f"shared = {json.dumps(list(_COURSE_STYLE))}\n"}
    return {"figures": _FIGURES_ALONE, "shared": ""}


def _filled(name: str, values: dict[str, str]) -> str:
    text = (files("autograder") / "template" / name).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda gap: values[gap[1]], text)


def _toml(text: str) -> str:
    """A basic string of TOML; those of JSON are, unless they escape characters by two."""
    return json.dumps(text, ensure_ascii=False)
