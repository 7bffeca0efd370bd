"""The reference's own run, once for a class: what each test asks of the reference's objects (`questions`).

Runs: trusted side; the notebook, staff's own, runs behind the wall all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from autograder.engine import run_with_papermill
from autograder.kept import Kept, parts_of_run
from autograder.kernel import KernelSource, Launch
from autograder.paired import PairedExaminer
from autograder.verdict import Verdict

log = logging.getLogger(__name__)

_FORM = "rehearsal/2"
_TRIES = 2
"""Whatever was killed meanwhile: a whole class goes by what is found."""
_PASSED = (Verdict.PASSED, Verdict.PARTIAL)
_REPEATABLE = (*_PASSED, Verdict.FAILED, Verdict.ERROR, Verdict.MISSING, Verdict.NOT_EXAMINED)
"""What another run would find again."""


def rehearse(
    examiner: PairedExaminer, launch: Launch, kernels: KernelSource, cache: Path | None = None
) -> Mapping[str, tuple[str, ...]]:
    """Test cell -> what it asks of objects of the reference's, for `examiner`'s source notebook run by `launch`.

    A test that the reference does not pass is left out: of it nothing is known.

    Raises:
        KernelStartError: no kernel started.
        WallError: this machine cannot wall the notebook in.
    """
    cells = [cell.source for cell in examiner.source.cells]
    # A set is written in another order by each process, and this one follows from the rest.
    places = [str(replace(cell, students=frozenset())) for cell in examiner.ownership.cells]
    kept = Kept(_FORM, [*parts_of_run(cells, launch), str(launch.parameters), *places], cache)
    known = kept.read()
    if isinstance(known, dict):
        return {str(test): tuple(map(str, asked)) for test, asked in known.items()}
    log.info("running the reference notebook once, to see what the tests ask of it; the result is kept")
    for _ in range(_TRIES):
        alone = replace(examiner, known={}, asked={}, _ended=set())
        nb = deepcopy(examiner.source)
        report = run_with_papermill(nb, kernels=kernels, examiner=alone, launch=replace(launch, keep_files=False))
        repeatable = all(cell.verdict in _REPEATABLE for cell in report.cells)  # also of tests that were not reached
        if repeatable:
            break
    tests = [cell for cell in report.cells if cell.examined]
    for cell in tests:
        if cell.verdict not in _PASSED:
            log.warning("the reference itself does not pass %s here: %s", cell.grade_id, cell.detail or cell.message)
    found = {cell.grade_id: alone.asked[cell.grade_id] for cell in tests if cell.verdict in _PASSED}
    if repeatable:
        kept.write(found)
    return found
