"""Reference versions that stand in for a student's exercise while a later one is tested, and which of them must not.

Runs: trusted side.

Student code that meets a reference's function can keep it. So a reference may stand in only where no later test is about
the exercise that it solves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from nbformat import NotebookNode

from autograder.cells import Kind, bound_names, grade_id_of, kind_of, mentioned_names

StandIns = Mapping[str, Mapping[str, str]]
"""Test cell -> exercise -> the reference's cell."""


def stand_ins_of(wanted: Mapping[str, Collection[str]], cells: Sequence[NotebookNode]) -> StandIns:
    """What stands in where, for `wanted`, test cell -> exercises, in a notebook of the instructor's.

    What could be kept for a later test is left out, and so is what the notebook does not have.
    """
    solutions = _solutions(cells)
    late = {(test, exercise) for test, exercise, _ in kept_for_later(wanted, cells)}
    return {
        test: {name: solutions[name] for name in names if name in solutions and (test, name) not in late}
        for test, names in wanted.items()
    }


def kept_for_later(wanted: Mapping[str, Collection[str]], cells: Sequence[NotebookNode]) -> Iterator[tuple[str, str, str]]:
    """Each (test, exercise, later test) of which the later test is about an exercise whose reference stood in before."""
    given = {name: bound_names(source) for name, source in _solutions(cells).items()}
    tests = [(grade_id_of(cell) or "", mentioned_names(cell.source)) for cell in cells if kind_of(cell) is Kind.TEST]
    for place, (test, _) in enumerate(tests):
        for exercise in wanted.get(test, ()):
            for later, mentioned in tests[place + 1 :]:
                if mentioned & given.get(exercise, set()) and exercise not in wanted.get(later, ()):
                    yield test, exercise, later
                    break


def _solutions(cells: Sequence[NotebookNode]) -> dict[str, str]:
    return {grade_id_of(cell) or "": cell.source for cell in cells if kind_of(cell) is Kind.EXERCISE}
