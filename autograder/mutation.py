"""Generates wrong solutions: standard mutation operators over the solution region of an exercise's cell.

Runs: trusted side.

Each mutant replaces one small piece of the text. Error messages, docstrings and annotations are left alone. What comes out
depends on the cell's text only: order, names and choice are the same each time.
"""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autograder.cells import SOLUTION_BEGIN, SOLUTION_END
from autograder.edits import Edit, edits_of

LIMIT = 40
"""At most so many generated mutants of one exercise are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One generated mutant."""

    name: str
    """`generated/<exercise>:<line in the solution, from 1>:<operator>`, with a number at the end where that is not unique."""
    exercise: str
    operator: str
    original: str
    """The exercise's cell."""
    source: str
    """The same, changed."""

    @property
    def diff(self) -> str:
        """What was changed, as a unified diff with one line of context on each side."""
        return unified(self.original, self.source)

    @property
    def entry(self) -> str:
        """The start of the entry that marks it as equivalent, ready to be copied; its reason is left to write."""
        old, new = _changed_lines(self.original, self.source)
        return f"[[equivalent]]\nreplace = {_toml(old)}\nwith = {_toml(new)}\nreason = "


def unified(original: str, changed: str, *, context: int = 1) -> str:
    """The change as a unified diff, without its header."""
    lines = difflib.unified_diff(original.split("\n"), changed.split("\n"), n=context, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def mutations(exercise: str, source: str) -> list[Mutation]:
    """Every generated mutant of the exercise's cell `source`, in the order of the text; none where it is not plain Python.

    Where a cell has no solution markers, all of it is the solution.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    first, last = _region(source)
    seen = {ast.dump(tree)}
    found: list[Mutation] = []
    names: dict[str, int] = {}
    for edit, changed in _applied(source, edits_of(tree, source)):
        if not first <= edit.line <= last:
            continue
        meaning = _meaning(changed)
        if not meaning or meaning in seen:
            continue
        seen.add(meaning)
        name = f"generated/{exercise}:{edit.line - first + 1}:{edit.operator}"
        names[name] = names.get(name, 0) + 1
        label = name if names[name] == 1 else f"{name}-{names[name]}"
        found.append(Mutation(name=label, exercise=exercise, operator=edit.operator, original=source, source=changed))
    return found


def choose(found: Sequence[Mutation], limit: int = LIMIT) -> list[Mutation]:
    """At most `limit` of `found`, in its order: as many operators as there are, and each as evenly over the text as can be."""
    groups: dict[str, list[Mutation]] = {}
    for mutation in found:
        groups.setdefault(mutation.operator, []).append(mutation)
    shares = dict.fromkeys(groups, 0)
    left = min(limit, len(found))
    while left:
        for operator, group in groups.items():
            if left and shares[operator] < len(group):
                shares[operator] += 1
                left -= 1
    chosen = {
        group[number * len(group) // shares[operator]].name
        for operator, group in groups.items()
        for number in range(shares[operator])
    }
    return [mutation for mutation in found if mutation.name in chosen]


def _region(source: str) -> tuple[int, int]:
    """The first and the last line of the solution, from 1."""
    lines = source.split("\n")
    begins = [number for number, line in enumerate(lines, 1) if SOLUTION_BEGIN in line]
    ends = [number for number, line in enumerate(lines, 1) if SOLUTION_END in line]
    return (begins[0] + 1, ends[-1] - 1) if begins and ends else (1, len(lines))


def _applied(source: str, edits: Sequence[Edit]) -> Iterator[tuple[Edit, str]]:
    text = source.encode()
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end, edit.operator)):
        yield edit, (text[: edit.start] + edit.text.encode() + text[edit.end :]).decode()


def _meaning(source: str) -> str:
    """What tells two programs apart; nothing for a text that is not Python."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return ""


def _changed_lines(original: str, changed: str) -> tuple[str, str]:
    """The lines that differ, with as many before them as it takes to occur only once in `original`."""
    old, new = original.split("\n"), changed.split("\n")
    top = next(number for number, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    bottom = 0
    while old[-1 - bottom] == new[-1 - bottom] and min(len(old), len(new)) - bottom - 1 > top:
        bottom += 1
    while True:
        before, after = "\n".join(old[top : len(old) - bottom]), "\n".join(new[top : len(new) - bottom])
        indent = len(before) - len(before.lstrip(" "))
        if original.count(before[indent:]) == 1 or top == 0:
            return before[indent:], after[indent:]
        top -= 1


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
