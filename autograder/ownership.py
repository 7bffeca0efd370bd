"""Which cell runs where, and which names are the student's, worked out from the instructor's notebook; nothing is run.

Runs: trusted side.

The student's process, the *candidate*, runs the student's cells. The trusted *examiner* runs the test cells. Locked cells that
need nothing of the student's run in both, so that the examiner has its own modules, data and helpers. The aim is that every cell
sees what it would see if all cells ran in one kernel, from top to bottom:

* A name belongs to whoever bound it last: the *student* (a cell that runs in the candidate only), *both* sides (each has its
  own), or the *examiner* (a cell that runs there only).
* What a cell needs includes what the functions it mentions need, as far as they were defined in cells that the examiner runs.
* A locked cell that needs a name of the student's runs in the candidate only, one that needs a name of the examiner's runs in
  the examiner only, any other in both. A name that nothing has bound yet is the student's if it ever will be. Since placing one
  cell moves names and so other cells, this is repeated until nothing moves; cells only ever move towards the candidate.
* What the functions of a locked cell need only when they are called does not make it the student's: helpers that call what the
  student wrote are the instructor's own on the examiner's side, where nobody can replace them.
* A cell that the student writes may bind any name: one that no cell of the instructor's gives is the student's from then on.
* A cell that may bind a name or may not needs the old value too.
* Setting an attribute or an item of a name counts as binding it in a cell of the student's, unless it is an import.
* An import of a library is the same thing on both sides. The examiner repeats imports of cells that run in the candidate, except
  those that the student writes; and importing again what both sides have does not make it the student's.
* What the examiner binds is sent to the candidate if the name is the student's or cells or functions there read it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import nbformat

from autograder.cells import Kind, grade_id_of, kind_of
from autograder.names import Names, names_of
from autograder.obstacles import history_names, obstacles
from autograder.placement import Draft, Placed, Where, place_cells
from autograder.plain import Plain, is_importable, read_plain, star_names

PLACE_TAGS = tuple(Where)
"""A cell tag of one of these names overrides the place of a locked cell."""
HEADER = ("cell", "kind", "where", "gives", "takes from the student", "note")
"""The columns of `table`."""
_NOBODYS = frozenset({"_"})
"""For values that are thrown away: no cell owns it."""
_STUDENTS_KINDS = (Kind.EXERCISE, Kind.ANSWER, Kind.TASK, Kind.FREE)
_WHY = {
    Kind.EXERCISE: "the student writes it",
    Kind.ANSWER: "the student writes it, and a person grades it",
    Kind.TASK: "a person grades it",
    Kind.FREE: "it is not locked, so it is the student's",
    Kind.TEST: "a test",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One code cell, its place and its names."""

    index: int
    """Its place among all cells of the source notebook, from 0."""
    grade_id: str | None
    kind: Kind
    where: Where
    gives: tuple[str, ...]
    """Names that it binds, on some path at least."""
    needs: tuple[str, ...]
    """Names that it needs from before it, builtins left out."""
    students: frozenset[str]
    """All names that are the student's when it begins."""
    takes: tuple[str, ...]
    """Those that it mentions, directly or through functions on the examiner's side. The examiner fetches them before it runs
    the cell. A name may be missing in the candidate: then it is a NameError if the cell really reads it, and not before."""
    refetch: tuple[str, ...]
    """Those of `takes` that the student's functions bind or change when called, so that a copy fetched before would be old."""
    writes_back: tuple[str, ...]
    """Names that the examiner sends to the candidate as soon as the cell binds them, and deletes there if it deletes them:
    a test that puts a fake in place of a student's helper must be seen at once."""
    code: str
    """What the examiner runs: the cell, without IPython's magics; of a cell that runs in the candidate only, the imports of
    libraries that the examiner repeats; often nothing."""
    why: str
    """One sentence on why it runs there."""
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    """Why it cannot run where it should: for a test cell, why it cannot be examined."""

    @property
    def label(self) -> str:
        """What to call it."""
        return self.grade_id or f"cell {self.index + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Which cell runs where, and whose the names are."""

    cells: tuple[Cell, ...]
    """The code cells, in order."""

    @property
    def shared(self) -> tuple[int, ...]:
        """Indices of the cells that run on both sides, in order."""
        return tuple(cell.index for cell in self.cells if cell.where is Where.BOTH)

    @property
    def fetch(self) -> Mapping[str, tuple[str, ...]]:
        """Grade id of each cell that the examiner runs -> the student's names that it must have fetched before."""
        return {cell.grade_id: cell.takes for cell in self.cells if cell.grade_id and cell.where is not Where.CANDIDATE}

    @property
    def problems(self) -> tuple[str, ...]:
        """Every reason why something cannot run where it should."""
        return tuple(f"{cell.label}: {problem}" for cell in self.cells for problem in cell.problems)

    def cell(self, grade_id: str) -> Cell:
        """The cell of that grade id.

        Raises:
            KeyError: there is none.
        """
        for cell in self.cells:
            if cell.grade_id == grade_id:
                return cell
        raise KeyError(grade_id)


def analyse(
    nb: nbformat.NotebookNode, *, modules: Mapping[str, str] | None = None, unexamined: Collection[str] = ()
) -> Ownership:
    """Who owns which name in the instructor's notebook `nb`, and where each code cell runs.

    modules: module name (`helpers`, `courselib.plots`) -> source text of the files beside the notebook, which are the
    instructor's: to look up what `from helpers import *` gives and which imports the examiner can repeat.
    unexamined: grade ids, as patterns (`*` is all), of the tests that may run among the student's code where they cannot be
    examined.
    """
    moved: dict[str, str] = {}
    while True:
        found = _analyse(nb, modules or {}, moved)
        more = {
            cell.grade_id: cell.problems[0]
            for cell in found.cells
            if cell.grade_id and cell.kind is Kind.TEST and cell.problems and _allowed(cell.grade_id, unexamined)
        }
        if not more:
            return found
        moved |= more  # what it binds is the student's now, and that may move others


def _allowed(grade_id: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(grade_id, pattern) for pattern in patterns)


def _analyse(nb: nbformat.NotebookNode, beside: Mapping[str, str], moved: Mapping[str, str]) -> Ownership:
    readings = [_read(index, cell, beside, moved) for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    placed = place_cells([reading.draft for reading in readings])
    given = frozenset[str]().union(*(reading.names.binds | reading.names.perhaps for reading in readings))
    _warn_of_idle(readings, placed)
    return Ownership(cells=tuple(_cell(reading, placed[reading.draft.index], given) for reading in readings))


def modules_of(files: Iterable[tuple[Path, str]]) -> dict[str, str]:
    """Name and source of each module among `files`, pairs of a file and its path beside the notebook."""
    return {
        ".".join(Path(name).with_suffix("").parts).removesuffix(".__init__"): path.read_text(encoding="utf-8", errors="replace")
        for path, name in files
        if name.endswith(".py")
    }


def modules_in(folder: Path) -> dict[str, str]:
    """Name and source of each module in `folder`, where a notebook lies."""
    return modules_of((path, str(path.relative_to(folder))) for path in sorted(folder.rglob("*.py")))


def table(ownership: Ownership) -> list[tuple[str, ...]]:
    """One row of plain text for each code cell; `HEADER` names the columns."""
    return [
        (
            cell.label,
            cell.kind.value.replace("_", " "),
            cell.where.value,
            ", ".join(cell.gives),
            ", ".join(cell.takes),
            "; ".join([*(f"PROBLEM: {problem}" for problem in cell.problems), cell.why, *cell.notes]),
        )
        for cell in ownership.cells
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A code cell, read."""

    grade_id: str | None
    kind: Kind
    code: str
    plain: Plain | None
    names: Names
    tag: Where | None
    parameters: bool
    """Whether it is where papermill puts values."""
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    draft: Draft


def _read(index: int, cell: nbformat.NotebookNode, modules: Mapping[str, str], moved: Mapping[str, str]) -> _Reading:
    kind, notes, problems = kind_of(cell), list[str](), list[str]()
    grade_id = grade_id_of(cell)
    plain, names, code = _names(cell.source, modules)
    tag = _tag(cell, kind, problems)
    why = moved.get(grade_id or "")
    if kind is Kind.TEST and why is not None:
        tag, problems = Where.CANDIDATE, []
        notes.append(f"it cannot be examined ({why}), and the course lets it run unexamined")
    fixed = tag or (Where.CANDIDATE if kind in _STUDENTS_KINDS else Where.EXAMINER if kind is Kind.TEST else None)
    is_test = kind is Kind.TEST and fixed is Where.EXAMINER
    if plain is None:
        fault = "it is not Python that can be read"
    elif plain.foreign or (plain.ipython and is_test):
        fault = "it has IPython syntax" if is_test else "it has IPython syntax that only a kernel can run"
    else:
        fault = ""
    if fault and fixed in (Where.EXAMINER, Where.BOTH):
        problems.append(fault)
    elif fault and kind in (Kind.READ_ONLY, Kind.TEST):
        notes.append(fault)
        fixed = Where.CANDIDATE
    elif plain is not None and plain.ipython and kind is Kind.READ_ONLY:
        notes.append("the examiner leaves out its IPython magics")
    if is_test and any("AUTOTEST" in line and line.lstrip().startswith("#") for line in cell.source.split("\n")):
        problems.append("nbgrader has yet to write its tests (`AUTOTEST`)")
    if names.unknown:
        notes.append(f"{names.unknown}: names that nothing else gives are taken to be its")
    origins = names.imports if kind in (Kind.FREE, Kind.READ_ONLY) else {}
    draft = Draft(
        index=index,
        names=names,
        fixed=fixed,
        libraries=frozenset(name for name, origin in origins.items() if is_importable(origin, modules)),
        open=kind in _STUDENTS_KINDS,
        unknown_libraries=kind in (Kind.FREE, Kind.READ_ONLY) and plain is not None and _stars_are_libraries(plain, modules),
    )
    return _Reading(
        grade_id=grade_id,
        kind=kind,
        code=code,
        plain=plain,
        names=names,
        tag=tag,
        parameters="parameters" in _tags(cell),
        notes=tuple(notes),
        problems=tuple(problems),
        draft=draft,
    )


def _names(source: str, modules: Mapping[str, str]) -> tuple[Plain | None, Names, str]:
    """The cell as plain Python, its names, and what the examiner would run."""
    plain = read_plain(source)
    if plain is None:
        return None, Names(), ""
    try:
        names = names_of(plain.tree, lambda module, level: None if level else star_names(module, modules))
        code = ast.unparse(plain.tree) if plain.ipython else source
    except (RecursionError, MemoryError, ValueError, SyntaxError):
        return None, Names(), ""
    unknown = names.unknown or ("what IPython runs may give names" if plain.foreign else "")
    return plain, replace(names, binds=names.binds - _NOBODYS, perhaps=names.perhaps - _NOBODYS, unknown=unknown), code


def _warn_of_idle(readings: Sequence[_Reading], placed: Mapping[int, Placed]) -> None:
    """Note the cells that run on both sides although no test needs a name of theirs: their time is spent twice."""
    needed: set[str] = set()
    for reading in reversed(readings):
        found, names = placed[reading.draft.index], reading.names
        is_idle = bool(names.binds) and not needed & (names.binds | names.perhaps | names.changes) and not names.unknown
        if found.where is Where.BOTH and is_idle and reading.tag is None and not reading.parameters:
            found.notes.append("no test needs a name of it; tagged `candidate` it would run once only")
        elif found.where is not Where.CANDIDATE:
            needed |= found.reached.keys()


def _tags(cell: nbformat.NotebookNode) -> list[object]:
    tags = cell.metadata.get("tags")
    return tags if isinstance(tags, list) else []


def _tag(cell: nbformat.NotebookNode, kind: Kind, problems: list[str]) -> Where | None:
    """The place that a tag gives, if it makes sense."""
    tags = [place for place in PLACE_TAGS if place.value in _tags(cell)]
    if len(tags) > 1:
        problems.append(f"it is tagged {' and '.join(f'`{tag}`' for tag in tags)}; a cell has one place")
    elif tags and kind in _STUDENTS_KINDS and tags[0] is not Where.CANDIDATE:
        problems.append(f"it is tagged `{tags[0]}`, but {_WHY[kind]}: it runs in the candidate only")
    elif tags and kind is Kind.TEST and tags[0] is Where.BOTH:
        problems.append("it is tagged `both`, but a test runs in the examiner, so that the student's process never sees it")
    elif tags:
        return tags[0]
    return None


def _stars_are_libraries(plain: Plain, modules: Mapping[str, str]) -> bool:
    """Whether the names that `plain` may bind unseen come from `from library import *` at its top level alone."""
    stars = [node for node in plain.tree.body if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
    return (
        not plain.foreign and bool(stars) and all(is_importable(node.module or "", modules) for node in stars if not node.level)
    )


def _cell(reading: _Reading, placed: Placed, given: frozenset[str]) -> Cell:
    names, where = reading.names, placed.where
    notes, problems = [*reading.notes, *placed.notes], list(reading.problems)
    missing = sorted(name for name in placed.unbound if name not in names.inside or name not in given)
    if reading.kind is Kind.TEST and where is Where.EXAMINER and reading.plain is not None:
        problems += obstacles(reading.plain.tree, taken=placed.takes, bound=names.binds)
        history = history_names(frozenset(missing))
        problems += [f"it uses `{name}`, the kernel's memory of earlier cells" for name in history]
        missing = [name for name in missing if name not in history]
    if reading.kind is Kind.TEST and where is Where.CANDIDATE:
        notes.append("it runs among the student's code, and its result is not examined")
    if missing and reading.kind in (Kind.READ_ONLY, Kind.TEST):
        notes.append(f"nothing before it gives {_listed(missing)}")
    if placed.refetch and where is not Where.CANDIDATE:
        notes.append(f"the student's functions may change {_listed(placed.refetch)} while it runs")
    if placed.writes_back:
        notes.append(f"the examiner sends {_listed(placed.writes_back)} to the candidate")
    if where is Where.BOTH and placed.takes and reading.tag is not None:
        notes.append(f"on the examiner's side it uses {_listed(placed.takes)} of the student's")
    return Cell(
        index=reading.draft.index,
        grade_id=reading.grade_id,
        kind=reading.kind,
        where=where,
        gives=tuple(sorted(names.binds | names.perhaps)),
        needs=tuple(sorted(placed.needs)),
        students=placed.students,
        takes=tuple(sorted(placed.takes)),
        refetch=tuple(sorted(placed.refetch)),
        writes_back=tuple(sorted(placed.writes_back)),
        code=reading.code if where is not Where.CANDIDATE else _imports(reading),
        why=_why(reading, placed),
        notes=tuple(notes),
        problems=tuple(problems),
    )


def _imports(reading: _Reading) -> str:
    """The imports that the examiner repeats, one for each line."""
    lines = []
    for node in reading.plain.tree.body if reading.plain is not None else []:
        if isinstance(node, ast.Import | ast.ImportFrom):
            star = node.names[0].name == "*" and reading.draft.unknown_libraries
            kept = [a for a in node.names if star or (a.asname or a.name.split(".")[0]) in reading.draft.libraries]
            if kept and isinstance(node, ast.Import):
                lines.append(ast.unparse(ast.Import(names=kept)))
            elif kept and isinstance(node, ast.ImportFrom):
                lines.append(ast.unparse(ast.ImportFrom(module=node.module, names=kept, level=node.level)))
    return "\n".join(lines)


def _why(reading: _Reading, placed: Placed) -> str:
    if reading.tag is not None:
        return f"tagged `{reading.tag}`"
    if reading.kind is not Kind.READ_ONLY:
        return _WHY[reading.kind]
    if placed.where is Where.BOTH and placed.takes:
        return f"locked, and needs {_listed(placed.takes)} of the student's only when its functions are called"
    if not placed.because:
        return "locked, and needs nothing of the student's" if placed.where is Where.BOTH else "locked"
    used = [f"`{name}`" + (f" (through `{placed.reached[name]}`)" if placed.reached[name] else "") for name in placed.because]
    whose = "the student's" if placed.where is Where.CANDIDATE else "given by tests only"
    return f"locked, but uses {', '.join(used)}, {whose}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
