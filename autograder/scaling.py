"""Draws how a class's grading scales with the number of workers, from what `bench class --json` has measured.

Runs: trusted side; the only module that draws, and nothing of it is on the way of a grade.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.bench_notebooks import BENCH_NOTEBOOKS
from autograder.errors import AutograderError
from autograder.mooc import measurements, most_workers

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#555555"
"""Okabe and Ito's: told apart by everybody, and by their lightness in print; the lines differ in dashes and marks too."""


def each_minute(bench: Mapping[str, Any]) -> dict[int, float]:
    """Workers (0: nbgrader alone) -> submissions a minute, grading and feedback, median of the rounds."""
    found = {}
    for workers in sorted({turn["workers"] for turn in bench["turns"]}):
        turns = [turn for turn in bench["turns"] if turn["workers"] == workers]
        seconds = statistics.median(turn["grade_seconds"] + turn["feedback_seconds"] for turn in turns)
        found[workers] = 60 * bench["submissions"] / seconds
    return found


def origin(file: Path) -> str:
    """What a drawing says of the measurements in `file`: those that it shows are these, to the last byte."""
    return f"drawn from {file.name}, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}"


def plot_scaling(file: Path) -> Path:
    """Draw what `bench class --json` has written to `file`, one panel for each notebook, beside it as an SVG; where that is.

    Raises:
        AutograderError: the file holds no such thing.
    """
    benches = measurements(file).get("classes", [])
    if not benches:
        raise AutograderError(f"{file} holds no class; `autograder bench class --json > {file}` measures one")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # With a salt of its own, and no date, the same figures give the same file.
    with mpl.rc_context({"svg.hashsalt": "autograder", "svg.fonttype": "path", "font.size": 9}):
        figure = Figure(figsize=(3.1 * len(benches), 3.2), layout="constrained")
        for axes, bench in zip(figure.subplots(1, len(benches), squeeze=False)[0], benches, strict=True):
            _draw(axes, bench)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        target = file.with_suffix(".svg")
        figure.savefig(target, metadata={"Date": None, "Description": origin(file)})
    return target


def _draw(axes: Any, bench: Mapping[str, Any]) -> None:
    """One panel: submissions a minute over workers."""
    found, most = each_minute(bench), most_workers(bench)
    ours = {workers: rate for workers, rate in found.items() if workers}
    if ours:
        fewest = min(ours)
        line = [ours[fewest] * workers / fewest for workers in (fewest, most)]
        axes.plot([fewest, most], line, color=_GREY, linestyle=":", label="in proportion")
        axes.plot(list(ours), list(ours.values()), color=_BLUE, marker="o", label="this grader")
    if 0 in found:
        axes.axhline(found[0], color=_ORANGE, linestyle="--", label="nbgrader alone")
    axes.set_xticks(sorted({1, *ours}) if most <= 8 else [number for number in ours if number & (number - 1) == 0])
    axes.set_xlim(0.5, most + 0.5)
    axes.set_ylim(bottom=0)
    axes.set_title(f"{bench['notebook']}\n{BENCH_NOTEBOOKS[bench['notebook']].title}", fontsize=8)
    axes.set_xlabel("workers")
    axes.set_ylabel("submissions a minute")
    axes.grid(alpha=0.3)
