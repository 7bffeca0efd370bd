"""What can be said of an assignment without running it: structure, leaks, reading.

Runs: trusted side. nbgrader makes a release in a scratch folder; no cell runs and nothing is fetched.

`problems` are what students would suffer from; `notes` are for the author to judge.
"""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from autograder.build import Built, build, staged_files
from autograder.cells import NBGRADERS, Kind, grade_id_of, is_graded, kind_of, metadata_of, points_of, released_source
from autograder.consequences import consequences
from autograder.disclosure import hidden_lines
from autograder.draft import drafted, locate, metadata_errors
from autograder.errors import AutograderError
from autograder.leaks import Leak, find_leaks
from autograder.manifest import Manifest
from autograder.plots import Functions, calls_in, functions_in, parsed
from autograder.prover import prover_cells
from autograder.reading import Figure, Reading, read_over
from autograder.stand_ins import kept_for_later

_CHECKS = re.compile(r"_*(assert|check|expect|fail|verify|raises)(?![a-z])")
"""How the names of functions begin that check."""
_SILENT = frozenset({"print", "display", "show", "close"})
"""Functions that give no value and may stand behind the last check."""
_NUMBERS = frozenset({"sum", "min", "max", "round", "float", "int", "len", "abs", "clip", "mean"})
"""Functions whose value, standing last, is points on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was found."""

    problems: tuple[str, ...] = ()
    """Each makes the check fail."""
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    """Sizes with their budgets."""
    urls: tuple[str, ...] = ()
    """Addresses that the text names; nobody looked whether they exist."""

    def __add__(self, other: Review) -> Review:
        return Review(
            problems=self.problems + other.problems,
            notes=self.notes + other.notes,
            figures=self.figures + other.figures,
            urls=self.urls + other.urls,
        )

    def __str__(self) -> str:
        lines = [f"problem: {problem}" for problem in self.problems] + [f"note: {note}" for note in self.notes]
        lines += [f"{figure}" for figure in self.figures]
        return "\n".join([*lines, *(f"not looked up: {url}" for url in self.urls)])

    def to_json(self) -> dict[str, Any]:
        """The review as plain data."""
        return {
            "problems": list(self.problems),
            "notes": list(self.notes),
            "figures": [figure.to_json() for figure in self.figures],
            "urls": list(self.urls),
        }


def review(manifest: Manifest, cells: Sequence[nbformat.NotebookNode], built: Built, source: Path) -> Review:
    """What is to be said of the assignment of `manifest`, whose text has `cells` and is `built` into the folder `source`.

    Raises:
        AutograderError: a file that goes with the notebook cannot be read.
    """
    staged = staged_files(manifest)
    modules = {name: original.read_text(encoding="utf-8") for original, name in staged if name.endswith(".py")}
    problems = [f"{stale} (run `autograder build`)" for stale in built.stale]
    problems += [*_structure(manifest, cells), *(f"nbgrader's metadata: {error}" for error in metadata_errors(cells))]
    problems += _untested(manifest, cells)
    notes: list[str] = []
    functions = functions_in([*modules.values(), *(cell.source for cell in cells if cell.cell_type == "code")])
    for cell in filter(_is_test, cells):
        test = _Test(cell, functions)
        problems += test.problems()
        notes += test.notes()
    leaks, problem = _leaks(manifest, cells, source)
    problems += [f"leak: {leak}" for leak in leaks if not leak.overlap] + ([problem] if problem else [])
    notes += [f"{leak}" for leak in leaks if leak.overlap]
    reading = read_over(cells, modules, [*(name for _, name in staged), f"{manifest.id}.ipynb"])
    return Review(problems=tuple(problems), notes=tuple(notes)) + _of_reading(reading)


def _of_reading(reading: Reading) -> Review:
    outside = tuple(f"outside its budget: {figure}" for figure in reading.figures if not figure.holds)
    return Review(problems=reading.problems, notes=outside, figures=reading.figures, urls=reading.urls)


def _leaks(manifest: Manifest, cells: Sequence[nbformat.NotebookNode], source: Path) -> tuple[list[Leak], str]:
    """What a release of `source/<id>/` gives away, of the text where there is no notebook yet; and why there is none."""
    with tempfile.TemporaryDirectory(prefix="autograder-built-") as scratch:
        folder = source / manifest.id
        if not (folder / f"{manifest.id}.ipynb").is_file():
            build(manifest, Path(scratch))
            folder = Path(scratch) / manifest.id
        try:
            with drafted(locate(source.parent, manifest.id), folder, recorded=False) as draft:
                return find_leaks(cells, manifest.folder / "mutants", draft.folder), ""
        except AutograderError as error:
            return [], f"it cannot be released: {error}"


def _structure(manifest: Manifest, cells: Sequence[nbformat.NotebookNode]) -> Iterator[str]:
    """What is wrong with ids, points, references and parameters."""
    ids = [grade_id for cell in cells if (grade_id := grade_id_of(cell)) is not None]
    yield from (f"grade id {grade_id} is used more than once" for grade_id in sorted({i for i in ids if ids.count(i) > 1}))
    total = sum(map(points_of, cells))
    if total != manifest.points:
        yield f"the cells are worth {total:g} points, the manifest says {manifest.points}"
    for cell in filter(is_graded, cells):
        points = metadata_of(cell).get("points")
        if not isinstance(points, int | float) or points <= 0:
            yield f"{grade_id_of(cell)} is worth {points} points: nothing in it can count"
    exercises = {grade_id_of(cell) for cell in cells if kind_of(cell) is Kind.EXERCISE}
    for test, names in manifest.references.items():
        if test not in ids or not set(names) <= exercises:
            yield f"[references] {test} = {list(names)}: no such test cell or exercise"
    for test, name, later in kept_for_later(manifest.references, cells):
        yield (
            f"[references] {test}: the reference of {name} stands in there, and student code could keep it until {later}, "
            f"which is about {name} itself: put {later} before {test}"
        )
    if not any("parameters" in cell.metadata.get("tags", ()) for cell in cells):
        yield "no cell is tagged `parameters`, so papermill cannot set DEVICE and SEED"


def _untested(manifest: Manifest, cells: Sequence[nbformat.NotebookNode]) -> Iterator[str]:
    """Exercises that no test cell can see."""
    for exercise, follows in consequences(prover_cells(cells), manifest.references).items():
        if not follows.tests:
            yield f"exercise {exercise} is tested by no cell: none uses what it defines, or a reference stands in for it there"


def _is_test(cell: nbformat.NotebookNode) -> bool:
    return kind_of(cell) is Kind.TEST and cell.cell_type == "code"


@dataclass(frozen=True)
class _Test:
    """One test cell, read."""

    cell: nbformat.NotebookNode
    functions: Functions
    """Those of the notebook and its modules."""
    name: str = field(init=False)
    bare: tuple[int, ...] = field(init=False)
    """Lines of assertions that say nothing when they fail."""

    def __post_init__(self) -> None:
        tree = parsed(self.cell.source)
        nodes = (node for node in ast.walk(tree) if isinstance(node, ast.stmt)) if tree is not None else ()
        bare = sorted(node.lineno for node in nodes if _says_nothing(node))
        object.__setattr__(self, "name", f"test cell {grade_id_of(self.cell)}")
        object.__setattr__(self, "bare", tuple(bare))

    def problems(self) -> Iterator[str]:
        """What must not be."""
        source, visible = self.cell.source, parsed(released_source(self.cell.source))
        if NBGRADERS.hidden_begin not in source:
            yield f"{self.name} has no hidden part"
        if visible is not None and not any(self._checks(node) for node in visible.body):
            yield f"{self.name} has no visible part"
        lines = [line for line in self.bare if line not in hidden_lines(source)]
        if lines:
            yield f"{self.name}: {_lines(lines)} of it: an assertion without a message; say which exercise and what is wrong"
        tree = parsed(source)
        if tree is not None and (ending := self._ending(tree)):
            yield f"{self.name} {ending}"

    def notes(self) -> Iterator[str]:
        """What may be."""
        lines = [line for line in self.bare if line in hidden_lines(self.cell.source)]
        if lines:
            yield f"{self.name}: {_lines(lines)} of it, hidden: no message, so feedback names only the exercise"

    def _ending(self, tree: ast.Module) -> str:
        """What is wrong with its last statement that counts; empty if it checks, or is points on purpose."""
        known = {**self.functions, **functions_in([self.cell.source])}
        body = list(tree.body)
        while body and _is_silent(body[-1], known) and not self._checks(body[-1]):
            body.pop()
        if not body or self._checks(body[-1]):
            return "" if body else "checks nothing"
        last = ast.unparse(body[-1]).splitlines()[0]
        if isinstance(body[-1], ast.Expr) and body[-1] is tree.body[-1]:
            return "" if _is_number(body[-1].value) else f"ends with the value of `{last}`, which would count as its points"
        return f"ends with `{last}`, neither a check nor a number: whatever comes after the last check proves nothing"

    def _checks(self, statement: ast.AST) -> bool:
        """Whether running `statement` may fail for what a student wrote."""
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return False
        known: Mapping[str, ast.AST] = {**self.functions, **functions_in([self.cell.source])}
        if any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(statement)):
            return True
        names = [ast.unparse(call.func).rpartition(".")[2] for call in calls_in([statement])]
        return any(_CHECKS.match(name) or (name in known and _asserts(known[name])) for name in names)


def _says_nothing(node: ast.stmt) -> bool:
    """Whether it is an assertion without a message."""
    match node:
        case ast.Assert(msg=message):
            return message is None or (isinstance(message, ast.Constant) and not str(message.value).strip())
        case ast.Raise(exc=ast.Name(id="AssertionError") | ast.Call(func=ast.Name(id="AssertionError"), args=[])):
            return True
    return False


def _asserts(function: ast.AST) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(function))


def _is_silent(statement: ast.stmt, functions: Functions) -> bool:
    """Whether it gives no value and may stand behind the last check."""
    if isinstance(statement, ast.Pass | ast.Delete):
        return True
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    name = ast.unparse(statement.value.func).rpartition(".")[2]
    return name in _SILENT or (name in functions and not _gives(functions[name]))


def _gives(function: ast.AST) -> bool:
    """Whether `function` returns a value."""
    return any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function))


def _is_number(value: ast.expr) -> bool:
    """Whether the last expression of a test is points on purpose: a number, a variable, arithmetic, a sum."""
    match value:
        case ast.Constant(value=number):
            return isinstance(number, int | float)
        case ast.Call(func=function):
            return ast.unparse(function).rpartition(".")[2] in _NUMBERS
    return isinstance(value, ast.Name | ast.BinOp | ast.UnaryOp | ast.IfExp)


def _lines(numbers: Sequence[int]) -> str:
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
