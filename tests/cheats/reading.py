"""Reads the assignment and the cheats: Python files whose cells begin with `# %% <kind> <name> <argument>`.

    given <id> [tag]        a locked cell
    open <name>             a cell that is not locked
    exercise <id>           a cell that the student writes; in a cheat, the text it is handed in with
    test <id> <points>      a locked cell of tests
    answer <id> <points>    a written answer
    added <id>              in a cheat: a cell that the student added after the cell <id>, or `first`
    edits                   in a cheat: run with `nb` and `folder`, what is handed in, to change them by hand

A cheat hands in `ideas/_accomplice.py` as well. It begins with a docstring: a paragraph that says what it tries, and lines
`name: value`:

    source     the published attack that it belongs to, as numbered in docs/cheating.md, or `own`
    points     <test>=<points>, ...: what its honest part is worth there; everywhere else it is full points
    lost       tests that it may lose as well, by ending Python or breaking the connection: `rest` for all others (optional)
    wants      `tests` if it is after hidden parts rather than points (optional)
    sends      a regular expression of what it tries to have sent back, besides the hidden tokens (optional)
    stays      why the points of careless tests, in `points` too, cannot be denied to it (optional)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder.cells import grade_id_of
from tests import make

FOLDER = Path(__file__).parent
IDEAS = FOLDER / "ideas"
_ACCOMPLICE = (IDEAS / "_accomplice.py").read_text(encoding="utf-8")
_ANSWER = {"why": "Because whoever can change the marks need not do the work."}
_CELL = re.compile(r"# %% (given|open|exercise|test|answer|added|edits) ?(\S*) ?(\S*)")
_FIELD = re.compile(r"(source|points|lost|wants|sends|stays): (.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One cell of such a file."""

    kind: str
    name: str
    argument: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheat:
    """One student who cheats."""

    name: str
    idea: str
    source: str
    points: Mapping[str, float]
    """Test cell -> what the honest part is worth; full points in the cells that are not named."""
    lost: frozenset[str]
    """Test cells whose points it may lose."""
    steals: bool
    """Whether it is after hidden parts rather than points."""
    sends: str
    stays: str
    sections: tuple[Section, ...]


def sections(path: Path) -> Iterator[Section]:
    """The cells of the file at `path`, in order."""
    found: re.Match[str] | None = None
    lines: list[str] = []
    for line in [*path.read_text(encoding="utf-8").splitlines(), None]:
        begins = _CELL.fullmatch(line) if line is not None else None
        if found is not None and (line is None or begins):
            yield Section(kind=found[1], name=found[2], argument=found[3], source="\n".join(lines).strip())
        if begins:
            found, lines = begins, []
        elif line is not None:
            lines.append(line)


def source_notebook() -> nbformat.NotebookNode:
    """The assignment, with solutions and hidden tests."""
    return make.notebook(*map(_cell, sections(FOLDER / "assignment.py")))


def _cell(section: Section) -> nbformat.NotebookNode:
    match section.kind:
        case "given":
            cell = make.given(section.name, section.source)
            cell.metadata["tags"] = section.argument.split()
            return cell
        case "open":
            return make.code(section.source)
        case "exercise":
            return make.exercise(section.name, section.source)
        case "test":
            return make.graded(section.name, section.source, float(section.argument))
        case "answer":
            return make.answer(section.name, section.source.removeprefix("# "), float(section.argument))
    raise ValueError(f"an assignment has no cells of kind {section.kind!r}")


def cheats() -> list[Cheat]:
    """All of them, by name."""
    return [read_cheat(path) for path in sorted(IDEAS.glob("[!_]*.py"))]


def read_cheat(path: Path) -> Cheat:
    """The cheat in the file at `path`.

    Raises:
        ValueError: it does not say what it tries, or where that is known from.
    """
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    idea, _, rest = text.partition("\n\n")
    fields = {found[1]: found[2] for line in rest.splitlines() if (found := _FIELD.fullmatch(line))}
    if not idea or "source" not in fields:
        raise ValueError(f"{path}: its docstring needs a paragraph that says what it tries, and a line `source: ...`")
    return Cheat(
        name=path.stem,
        idea=" ".join(idea.split()).rstrip("."),
        source=fields["source"],
        points={test: float(points) for test, _, points in (item.partition("=") for item in _items(fields.get("points", "")))},
        lost=frozenset(_items(fields.get("lost", ""))),
        steals=fields.get("wants") == "tests",
        sends=fields.get("sends", ""),
        stays=fields.get("stays", ""),
        sections=tuple(sections(path)),
    )


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def reference(source: nbformat.NotebookNode) -> dict[str, str]:
    """Exercise -> the solution as a good student hands it in; and a written answer."""
    return _ANSWER | {
        grade_id_of(cell) or "": re.sub(r" *### \w+ SOLUTION\n?|  # zq\w+", "", cell.source)
        for cell in source.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    }


def handed_in(cheat: Cheat, released: nbformat.NotebookNode, solutions: Mapping[str, str], folder: Path) -> nbformat.NotebookNode:
    """What the cheat hands in, made from what was released: the solutions, but for its own cells; files go into `folder`."""
    (folder / "accomplice.py").write_text(_ACCOMPLICE)
    own = {section.name: section.source for section in cheat.sections if section.kind == "exercise"}
    nb = make.replaced(released, {**solutions, **own})
    for section in cheat.sections:
        if section.kind == "added":
            names = ["first", *map(grade_id_of, nb.cells)]
            nb.cells.insert(names.index(section.name), make.code(section.source))
        elif section.kind == "edits":
            exec(compile(section.source, cheat.name, "exec"), {"nb": nb, "folder": folder})
    return nb
