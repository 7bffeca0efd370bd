"""The notebooks that benchmarks grade: one exercise, its locked cells and twenty tests, alike but for what the cells cost.

Runs: trusted side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nbformat

TESTS = 20
_SQUARES = "def squares(n):\n    return [i ** 2 for i in range(1, n + 1)]"
_DATA = "import torch\n\ntorch.manual_seed(0)\nx = torch.randn(256, 16)\ny = (x[:, :1] > 0).float()"
_FIT = """
def fit(steps):
    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
""".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What grading a class of a notebook is to reach."""

    ratio: float | None = None
    """nbgrader alone takes so many times our wall time."""
    efficiency: float | None = None
    """The part of the CPU that the cells themselves need."""
    driver_seconds: float = 0.015
    """CPU of the driver for a submission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchNotebook:
    """One kind."""

    title: str
    steps: int | None
    """Steps of training in a visible cell; None where nothing is trained and PyTorch is not imported."""
    targets: Targets

    def build(self) -> nbformat.NotebookNode:
        """The solved notebook."""
        if self.steps is None:
            return small_notebook("import math")
        cells = [
            _cell("data", _DATA, locked=True),
            _cell("fit", _FIT, solution=True),
            nbformat.v4.new_code_cell(f"losses = fit({self.steps})\nprint(losses[-1])"),
        ]
        for number in range(TESTS):
            steps = 2 + number % 3
            test = f"losses = fit({steps})\nassert len(losses) == {steps} and losses[-1] < losses[0], 'the loss falls'"
            cells.append(_cell(f"test_{number}", test, locked=True, grade=True, points=1))
        return _notebook(cells)


BENCH_NOTEBOOKS: Mapping[str, BenchNotebook] = {
    "tiny": BenchNotebook(title="without packages, cells of a few milliseconds", steps=None, targets=Targets()),
    "small": BenchNotebook(
        title="with PyTorch, trains for a tenth of a second", steps=150, targets=Targets(ratio=20.0, efficiency=0.5)
    ),
    "training": BenchNotebook(title="with PyTorch, trains for seconds", steps=12_000, targets=Targets(efficiency=0.95)),
}
"""By name; the cheapest first."""


def small_notebook(setup: str, tests: int = TESTS) -> nbformat.NotebookNode:
    """A locked cell `setup`, a solved exercise, and `tests` test cells of one call each."""
    cells = [_cell("setup", setup, locked=True), _cell("squares", _SQUARES, solution=True)]
    for number in range(tests):
        test = f"assert squares({number}) == [k * k for k in range(1, {number} + 1)], 'the first {number}'"
        cells.append(_cell(f"test_{number}", test, locked=True, grade=True, points=1))
    return _notebook(cells)


def _notebook(cells: list[nbformat.NotebookNode]) -> nbformat.NotebookNode:
    nb: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=cells)
    return nb


def _cell(grade_id: str, source: str, **flags: Any) -> nbformat.NotebookNode:
    given = {"grade": False, "locked": False, "solution": False, "task": False, "schema_version": 3, "grade_id": grade_id}
    cell: nbformat.NotebookNode = nbformat.v4.new_code_cell(source, metadata={"nbgrader": {**given, **flags}})
    return cell
