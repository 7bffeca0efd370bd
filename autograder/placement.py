"""Follows the owners of names through a notebook and finds the place of each cell.

Runs: trusted side.

`ownership` states the rules; here they are carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from autograder.names import BUILTINS, NOWHERE, Names, Reach


class Where(StrEnum):
    """Where a cell runs, and so whose the names are that it binds."""

    BOTH = "both"
    EXAMINER = "examiner"
    CANDIDATE = "candidate"


_RANK = {Where.BOTH: 0, Where.EXAMINER: 1, Where.CANDIDATE: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A code cell before its place is known."""

    index: int
    names: Names
    fixed: Where | None
    """Its place if its kind or its tag says it; None for a locked cell."""
    libraries: frozenset[str]
    """Names that it binds by importing a library, if the examiner may repeat the import."""
    unknown_libraries: bool
    """Whether the further names it may bind come from libraries alone."""
    open: bool = False
    """Whether the student writes it, and so may bind any name."""


@dataclass(slots=True, kw_only=True)
class Placed:
    """What is known of a cell once it has its place."""

    where: Where
    students: frozenset[str]
    """The names that are the student's when it begins."""
    reached: Mapping[str, str]
    """Every name that it needs, directly or through functions -> the name it is needed through, or ""."""
    takes: frozenset[str]
    """Those of them that are the student's."""
    needs: frozenset[str]
    """Those that it needs directly."""
    unbound: frozenset[str]
    """Those of `needs` that nothing before it gives."""
    refetch: frozenset[str]
    """Those of `takes` that functions of the student's bind or change when called."""
    because: tuple[str, ...] = ()
    """The names of the student's or the examiner's that decided its place."""
    writes_back: set[str] = field(default_factory=set)
    """The names that the examiner sends to the candidate as soon as the cell binds or deletes them."""
    notes: list[str] = field(default_factory=list)


def place_cells(drafts: Sequence[Draft]) -> dict[int, Placed]:
    """The place of every cell, by index."""
    places: dict[int, Where] = {}
    ever: frozenset[str] = frozenset()
    given = frozenset[str]().union(*(draft.names.binds | draft.names.perhaps for draft in drafts))
    while True:
        walk = _Walk(places, ever, given)
        for draft in drafts:
            walk.visit(draft)
        found = {index: placed.where for index, placed in walk.placed.items()}
        if found == places and walk.ever <= ever:
            return walk.placed
        places, ever = found, ever | walk.ever


class _Walk:
    """One pass over the cells, with the places of the pass before as the least that a cell can get."""

    def __init__(self, places: Mapping[int, Where], ever: frozenset[str], given: frozenset[str]) -> None:
        self._least = places
        self._given = given
        self._open = False
        """Whether the student may have bound any name by now: those that no cell gives are the student's then."""
        self._known = ever
        self.ever: set[str] = set()
        self.placed: dict[int, Placed] = {}
        self._owner: dict[str, Where] = {}
        self._unknown: Where | None = None
        self._reach: dict[str, Reach] = {}
        self._imports: dict[str, str] = {}
        self._steady: set[str] = set()
        self._givers: dict[str, set[int]] = {}
        """Name of the examiner's -> the cells that may have bound it."""
        self._inside: set[str] = set()
        """Names that functions of the student's read."""
        self._inside_writes: set[str] = set()
        self._handed: dict[str, tuple[int, str]] = {}
        """Name on both sides -> the cell that handed it to code of the student's, and how."""

    def visit(self, draft: Draft) -> None:
        """Place one cell and follow what it does."""
        names = draft.names
        perhaps = {name for name in names.perhaps if name in self._owner}
        needs = names.needs | perhaps
        reached = self._follow(needs, names)
        at_once = self._follow(names.at_once | perhaps, names)
        students = tuple(sorted(name for name in at_once if self._may_be_students(name)))
        examined = tuple(sorted(name for name in reached if self._owner.get(name) is Where.EXAMINER))
        where = self._decide(draft, students, examined)
        takes = frozenset(name for name in reached if self._owned(name) is Where.CANDIDATE)
        self.placed[draft.index] = placed = Placed(
            where=where,
            students=frozenset(name for name, owner in self._owner.items() if owner is Where.CANDIDATE),
            reached=reached,
            takes=takes,
            needs=frozenset(name for name in needs if name not in BUILTINS or name in self._owner),
            unbound=frozenset(n for n in names.needs if n not in self._owner and self._unknown is None and n not in BUILTINS),
            refetch=takes & self._inside_writes,
            because=students if where is Where.CANDIDATE else examined if where is Where.EXAMINER else (),
        )
        if where is not Where.EXAMINER:
            for name in examined:
                self._send(name)
        writes = frozenset[str]().union(*(self._reach.get(name, NOWHERE).writes for name in reached))
        reaches = {name: self._resolved(reach) for name, reach in names.reaches.items()}
        if where is Where.CANDIDATE:
            self._note_handed(draft)
            self._candidate(draft, placed, writes)
        elif where is Where.EXAMINER:
            self._warn_of_handed(reached)
            self._examiner(draft, placed, writes)
            for name in placed.writes_back & reaches.keys():
                self._read_there(reaches[name].reads)
        else:
            self._both(draft, writes)
        self._keep_reaches(names, reaches)
        if names.unknown:
            self._unknown = Where.BOTH if where is Where.CANDIDATE and draft.unknown_libraries else where
        self._open = self._open or draft.open
        self.ever.update(name for name, owner in self._owner.items() if owner is Where.CANDIDATE)

    def _owned(self, name: str) -> Where | None:
        """Whose `name` is now; None if nothing has bound it."""
        if name in self._owner or name in BUILTINS:
            return self._owner.get(name)
        return self._unknown or (Where.CANDIDATE if self._open and name not in self._given else None)

    def _may_be_students(self, name: str) -> bool:
        owner = self._owned(name)
        return owner is Where.CANDIDATE or (owner is None and name in self._known and name not in BUILTINS)

    def _follow(self, names: Iterable[str], own: Names | None = None) -> dict[str, str]:
        """`names` and all that their values lead to, each with the name it was reached through.

        own: the cell's, since functions from before it may call functions that it defines.
        """
        reached = dict.fromkeys(sorted(names), "")
        waiting = list(reached)
        while waiting:
            through = waiting.pop(0)
            reads = own.inside if own is not None and reached[through] and through in own.reaches else frozenset[str]()
            if self._owner.get(through) in (Where.BOTH, Where.EXAMINER):
                reads |= self._reach.get(through, NOWHERE).reads
            new = sorted(reads - reached.keys())
            reached |= dict.fromkeys(new, through)
            waiting += new
        return reached

    def _decide(self, draft: Draft, students: tuple[str, ...], examined: tuple[str, ...]) -> Where:
        if draft.fixed is not None:
            return draft.fixed
        place = Where.CANDIDATE if students else Where.EXAMINER if examined else Where.BOTH
        return max(place, self._least.get(draft.index, place), key=_RANK.__getitem__)

    def _candidate(self, draft: Draft, placed: Placed, writes: frozenset[str]) -> None:
        names = draft.names
        for name in sorted(names.binds | names.perhaps | names.removes | names.changes | writes):
            before = self._owner.get(name)
            same = before is Where.BOTH and self._imports.get(name, "") == names.imports.get(name)
            if same or name in draft.libraries:
                self._give(name, Where.BOTH)
                self._imports[name] = names.imports[name]
            elif (
                before is Where.BOTH
                and name in self._imports
                and name not in names.binds | names.perhaps | names.removes | writes
            ):
                placed.notes.append(f"sets something in `{name}`, an import; the examiner's own does not change")
            else:
                if before is Where.BOTH and draft.fixed is Where.CANDIDATE:
                    placed.notes.append(f"makes `{name}`, which both sides had, the student's")
                self._give(name, Where.CANDIDATE)
        self._inside |= names.inside
        self._inside_writes |= names.inside_writes

    def _examiner(self, draft: Draft, placed: Placed, writes: frozenset[str]) -> None:
        names = draft.names
        read_there = self._follow(self._inside)
        for name in sorted(names.binds | names.perhaps | names.removes | writes):
            if self._owner.get(name) is Where.CANDIDATE or name in read_there:
                placed.writes_back.add(name)
            if self._owner.get(name) is Where.CANDIDATE:
                continue
            givers = self._givers.get(name, set()) if name not in names.binds else set()
            self._give(name, Where.EXAMINER)
            self._givers[name] = {*givers, draft.index}
        for name in sorted(names.changes):
            if self._owner.get(name) is Where.CANDIDATE:
                placed.notes.append(f"sets something in `{name}`, which is the student's")

    def _both(self, draft: Draft, writes: frozenset[str]) -> None:
        names = draft.names
        for name in names.removes:
            self._forget(name)
        for name in sorted((names.binds | names.perhaps | writes) - names.removes):
            if name in names.binds or name not in self._owner:
                self._give(name, Where.BOTH)
        self._imports |= names.imports
        self._steady |= names.steady

    def _send(self, name: str) -> None:
        """Have the examiner's `name` sent to the candidate, with what its functions read."""
        for giver in self._givers[name]:
            self.placed[giver].writes_back.add(name)
        self._read_there(self._reach.get(name, NOWHERE).reads)

    def _read_there(self, names: frozenset[str]) -> None:
        """Functions in the candidate read `names` from now on."""
        new = names - self._inside
        self._inside |= new
        for name in self._follow(new):
            if self._owner.get(name) is Where.EXAMINER:
                self._send(name)

    def _give(self, name: str, owner: Where) -> None:
        self._forget(name)
        self._owner[name] = owner

    def _forget(self, name: str) -> None:
        for known in (self._owner, self._imports, self._givers, self._handed):
            known.pop(name, None)
        self._steady.discard(name)

    def _resolved(self, reach: Reach) -> Reach:
        """`reach` with that of the names it goes through, as they are now."""
        for name in reach.through:
            if self._owner.get(name) is not Where.CANDIDATE:
                reach |= self._reach.get(name, NOWHERE)
        return Reach(reads=reach.reads, writes=reach.writes)

    def _keep_reaches(self, names: Names, reaches: Mapping[str, Reach]) -> None:
        for name, reach in reaches.items():
            if name in self._imports and name not in names.binds:
                continue  # a library keeps nothing of what it is given
            self._reach[name] = reach if name in names.binds else self._reach.get(name, NOWHERE) | reach

    def _note_handed(self, draft: Draft) -> None:
        for function, name in sorted(draft.names.handed):
            is_data = self._owner.get(name) is Where.BOTH and name not in self._imports and name not in self._steady
            if is_data and not function:
                self._handed.setdefault(name, (draft.index, "calls a method of"))
            elif is_data and self._owned(function) is Where.CANDIDATE:
                self._handed.setdefault(name, (draft.index, f"hands the student's `{function}`"))

    def _warn_of_handed(self, reached: Iterable[str]) -> None:
        for name in sorted(set(reached) & self._handed.keys()):
            index, how = self._handed.pop(name)
            self.placed[index].notes.append(f"{how} `{name}`; if that changes it, the examiner's own `{name}` does not change")
