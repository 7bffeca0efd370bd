"""What follows from changing one exercise: which later cells must run again, and which test cells can see it.

Runs: trusted side.

Worked out from names, nothing is run. A cell gives the names that it binds, the objects that it may change, and the modules whose
state it may set (`torch.manual_seed(0)`); only a test cell is taken to damage nothing that it hands over. A cell needs the
names that it mentions, and those that the functions among them read in turn. A test cell sees an exercise if what it needs leads
to it, through functions, or through what locked cells made with it. Where the manifest lets a reference stand in, the way through
that function is closed. The names are taken generously: a cell too much costs time, one too few a wrong verdict.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograder.names import BUILTINS, NOWHERE, Names, Reach, names_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ProverCell:
    """A code cell, reduced to what proving needs."""

    name: str
    """Grade id, or `cell N`."""
    kind: str
    """`test`, `exercise` or `given`."""
    source: str
    points: float = 0.0
    """What a test cell is worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What to run after an exercise's cell was changed."""

    cells: tuple[str, ...]
    """Names of the later cells to run, in order, the test cells that can see the change included."""
    affected: tuple[str, ...]
    """Those of `cells` that are no tests and may come out otherwise than with the reference; the others only have to be there."""
    tests: frozenset[str]
    """The test cells that can see the change."""


def consequences(cells: Sequence[ProverCell], references: Mapping[str, Sequence[str]]) -> dict[str, Consequences]:
    """For each exercise among `cells`, which are in the notebook's order, what follows from changing it.

    references: test cell -> exercises whose reference version stands in while it runs.
    """
    book = _Book(cells, references)
    return {cell.name: book.follow(index) for index, cell in enumerate(cells) if cell.kind == "exercise"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One cell's names."""

    needs: frozenset[str]
    gives: frozenset[str]
    """All names that it may bind or whose values it may change."""
    only_defines: bool
    """Whether it makes nothing but functions and classes, whose code runs later."""
    is_unknown: bool
    """Whether it may do anything, as names cannot tell."""


class _Book:
    """A notebook, read."""

    def __init__(self, cells: Sequence[ProverCell], references: Mapping[str, Sequence[str]]) -> None:
        self._cells = cells
        found = [_names(cell.source) for cell in cells]
        steady = frozenset().union(*(names.steady for _, names in found)) if found else frozenset[str]()
        steady -= frozenset().union(*(names.binds - names.steady for _, names in found))
        kept = [steady if cell.kind != "test" else None for cell in cells]
        self._readings = [_reading(tree, names, steady) for (tree, names), steady in zip(found, kept, strict=True)]
        self._reaches = _merged(names for _, names in found)
        defined = {cell.name: reading.gives for cell, reading in zip(cells, self._readings, strict=True)}
        self._closed = {
            cell.name: frozenset().union(*(defined.get(name, frozenset()) for name in references.get(cell.name, ())))
            for cell in cells
        }

    def follow(self, changed: int) -> Consequences:
        """What follows from changing the cell at index `changed`."""
        tainted = set(self._readings[changed].gives)
        tests: list[int] = []
        made: list[int] = []
        for index in range(changed + 1, len(self._cells)):
            cell, reading = self._cells[index], self._readings[index]
            closed = self._closed[cell.name]
            if not (reading.is_unknown or self._reads(reading.needs, closed) & (tainted - closed)):
                continue
            if cell.kind == "test":
                tests.append(index)
            elif not reading.only_defines:  # what a definition leads to is followed from whoever mentions it
                made.append(index)
            tainted |= frozenset() if reading.only_defines else reading.gives
        run = self._with_needed(changed, tests)
        return Consequences(
            cells=tuple(self._cells[index].name for index in run),
            affected=tuple(self._cells[index].name for index in run if index in made),
            tests=frozenset(self._cells[index].name for index in tests),
        )

    def _with_needed(self, changed: int, tests: Sequence[int]) -> list[int]:
        """`tests`, and the cells between that give what they need."""
        needed: set[str] = set()
        run: list[int] = []
        for index in range(max(tests, default=changed), changed, -1):
            reading = self._readings[index]
            is_wanted = index in tests or (needed & reading.gives) or (reading.is_unknown and self._cells[index].kind != "test")
            if is_wanted:
                run.insert(0, index)
                needed |= self._reads(reading.needs, self._closed[self._cells[index].name] if index in tests else frozenset())
        return run

    def _reads(self, names: Iterable[str], closed: frozenset[str]) -> set[str]:
        """`names` and what the functions among them read in turn, except through those in `closed`."""
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                reach = NOWHERE if name in closed else self._reaches.get(name, NOWHERE)
                waiting += reach.reads | reach.through | reach.writes
        return seen


def _names(source: str) -> tuple[ast.Module | None, Names]:
    try:
        tree = ast.parse(source)
        return tree, names_of(tree, lambda module, level: None)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None, Names()


def _reading(tree: ast.Module | None, names: Names, steady: frozenset[str] | None) -> _Reading:
    """The names of a cell. What it hands to functions may be changed by them, except `steady` names; None: whatever it is."""
    if tree is None:
        return _Reading(needs=frozenset(), gives=frozenset(), only_defines=False, is_unknown=True)
    handed = frozenset(name for callee, name in names.handed if callee not in BUILTINS) if steady is not None else frozenset()
    handed -= (steady or frozenset()) | BUILTINS
    return _Reading(
        needs=(names.needs | names.changes) - BUILTINS,
        gives=names.binds | names.perhaps | names.removes | names.changes | names.inside_writes | handed,
        only_defines=all(_only_defines(statement) for statement in tree.body),
        is_unknown=bool(names.unknown),
    )


def _only_defines(statement: ast.stmt) -> bool:
    """Whether `statement` runs nothing of the notebook's: no decorator, default value or base class."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        defaults = [*statement.args.defaults, *statement.args.kw_defaults]
        return not statement.decorator_list and all(isinstance(value, ast.Constant | None) for value in defaults)
    if isinstance(statement, ast.ClassDef):
        return not (statement.decorator_list or statement.bases or statement.keywords) and all(map(_only_defines, statement.body))
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass)


def _merged(found: Iterable[Names]) -> dict[str, Reach]:
    """What a mention of each name may lead to, whichever cell bound it."""
    reaches: dict[str, Reach] = {}
    for names in found:
        for name, reach in names.reaches.items():
            reaches[name] = reaches.get(name, NOWHERE) | reach
    return reaches
