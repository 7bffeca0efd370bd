"""Makes a simulated class: one student for each way of handing in that a grader meets.

Runs: trusted side.

Everything is derived from the release, the reference and the mutants of an assignment; nothing is random.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder.build import text_cells
from autograder.cells import SOLUTION_BEGIN, SOLUTION_END, Kind, grade_id_of, kind_of
from autograder.manifest import Manifest
from autograder.mutants import Mutant, read_mutants

ANSWER = "I worked from the figures above: the first panel shows the effect, and my numbers in the table support it."


@dataclass(frozen=True, slots=True)
class Material:
    """What submissions are made of."""

    release: nbformat.NotebookNode
    """The released notebook; makers get a copy."""
    reference: dict[str, str]
    """Exercise -> the reference's cell, in order of appearance."""
    mutants: tuple[Mutant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """One member of the class."""

    id: str
    idea: str
    """What this student does, for the table."""
    hand_in: Callable[[Material], bytes]
    diligent: bool = False
    """Hands in every assignment; the others only the first, so that a demonstration stays short."""


def read_material(manifest: Manifest, release: Path) -> Material:
    """The material of `manifest`, with the released notebook at `release`."""
    cells = [cell for cell in text_cells(manifest) if cell.cell_type == "code"]
    tests = frozenset(grade_id_of(cell) or "" for cell in cells if kind_of(cell) is Kind.TEST)
    reference = {grade_id_of(cell) or "": cell.source for cell in cells if kind_of(cell) is Kind.EXERCISE}
    mutants = [m for exercise, source in reference.items() for m in read_mutants(manifest.folder, exercise, source, tests)]
    return Material(nbformat.read(release, as_version=4), reference, tuple(mutants))


def solved(
    material: Material, *, upto: float = 1.0, changes: dict[str, str] | None = None, answers: bool = True
) -> nbformat.NotebookNode:
    """The release with the first `upto` part of its exercises solved as the reference does, except where `changes` says."""
    nb: nbformat.NotebookNode = nbformat.from_dict(json.loads(json.dumps(material.release)))
    count = round(upto * len(material.reference))
    sources = dict(list(material.reference.items())[:count]) | (changes or {})
    for cell in nb.cells:
        grade_id = grade_id_of(cell)
        if grade_id in sources:
            cell.source = _as_a_student_writes(sources[grade_id])
        elif answers and kind_of(cell) is Kind.ANSWER:
            cell.source = ANSWER
    return nb


def as_bytes(nb: nbformat.NotebookNode) -> bytes:
    """`nb` as a file."""
    return str(nbformat.writes(nb)).encode()


def roster() -> tuple[Student, ...]:
    """The class: honest students first, then accidents, then one who cheats."""
    return (
        Student(id="ada", idea="everything right", hand_in=lambda m: as_bytes(solved(m)), diligent=True),
        Student(id="ben", idea="another correct way, where one is known", hand_in=lambda m: as_bytes(_with_alternatives(m))),
        Student(id="cleo", idea="one plausible mistake", hand_in=lambda m: as_bytes(_with_mutants(m, [0])), diligent=True),
        Student(id="dev", idea="three plausible mistakes", hand_in=lambda m: as_bytes(_with_mutants(m, [1, 3, 5]))),
        Student(id="eva", idea="half done, nothing written", hand_in=lambda m: as_bytes(solved(m, upto=0.5, answers=False))),
        Student(id="finn", idea="hands in the release as it is", hand_in=lambda m: as_bytes(m.release), diligent=True),
        Student(id="gita", idea="right, but warns on stderr", hand_in=lambda m: as_bytes(_each(m, _WARNS)), diligent=True),
        Student(
            id="hugo", idea="prints megabytes in one exercise", hand_in=lambda m: as_bytes(_one(m, _exercise(m, 1), _FLOODS))
        ),
        Student(
            id="iris", idea="loops for ever in the last exercise", hand_in=lambda m: as_bytes(_one(m, _exercise(m, 1), _LOOPS))
        ),
        Student(id="jon", idea="kills Python half way through", hand_in=lambda m: as_bytes(_one(m, _exercise(m, 0.5), _DIES))),
        Student(id="kim", idea="hands in half a file", hand_in=lambda m: as_bytes(solved(m))[:4000], diligent=True),
        Student(id="leo", idea="rewrites tests, raises points", hand_in=lambda m: as_bytes(_cheats(m)), diligent=True),
    )


_WARNS = "    import warnings\n    warnings.warn('a library says that something will change', stacklevel=2)\n"
_FLOODS = "    for _ in range(25):\n        print('debug ' * 5000)\n"
_LOOPS = "    while True:\n        pass\n"
_DIES = "    import os\n    os._exit(3)\n"


def _exercise(material: Material, part: float) -> str:
    """The exercise that lies `part` of the way through the assignment."""
    exercises = list(material.reference)
    return exercises[min(int(part * len(exercises)), len(exercises) - 1)]


def _one(material: Material, exercise: str, prelude: str) -> nbformat.NotebookNode:
    """Solved, with `prelude` at the start of one exercise's solution."""
    return solved(material, changes={exercise: _before_solution(material.reference[exercise], prelude)})


def _each(material: Material, prelude: str) -> nbformat.NotebookNode:
    return solved(material, changes={name: _before_solution(source, prelude) for name, source in material.reference.items()})


def _as_a_student_writes(source: str) -> str:
    """Without the markers that only the source notebook has."""
    return "\n".join(line for line in source.split("\n") if SOLUTION_BEGIN not in line and SOLUTION_END not in line)


def _before_solution(source: str, prelude: str) -> str:
    return source.replace("    ### BEGIN SOLUTION\n", prelude, 1)


def _with_alternatives(material: Material) -> nbformat.NotebookNode:
    return solved(material, changes={m.exercise: m.source for m in reversed(material.mutants) if m.is_alternative})


def _with_mutants(material: Material, places: Sequence[int]) -> nbformat.NotebookNode:
    """Solved, with the first mutant of the exercises at `places` (counted round)."""
    exercises = list(material.reference)
    changes = {}
    for place in places:
        exercise = exercises[place % len(exercises)]
        wrong = [m for m in material.mutants if m.exercise == exercise and not m.is_alternative]
        if wrong:
            changes[exercise] = wrong[0].source
    return solved(material, changes=changes)


def _cheats(material: Material) -> nbformat.NotebookNode:
    """Nothing solved; test cells emptied, deleted, copied and made dear, and a failed check made to look like none."""
    nb = solved(material, upto=0.0)
    tests = [cell for cell in nb.cells if kind_of(cell) is Kind.TEST]
    for cell in tests[1:]:
        cell.source = "print('all good')"
        cell.metadata.nbgrader["points"] = 1000
    nb.cells.remove(tests[0])
    nb.cells.append(nbformat.v4.new_code_cell("1000", metadata={"nbgrader": dict(tests[1].metadata.nbgrader)}))
    hides = "get_ipython().showtraceback = lambda *args, **kwargs: None"
    nb.cells.insert(0, nbformat.v4.new_code_cell(hides))
    return nb
