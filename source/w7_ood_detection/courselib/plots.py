"""The look of every figure in the course: colour-blind safe, labelled, readable in print."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
from IPython.display import display

#: Okabe & Ito (2008), "Color Universal Design": distinguishable with every common colour-vision deficiency.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip


def use_course_style() -> None:
    """Set matplotlib defaults: Okabe-Ito colours, light grid, sizes that survive printing."""
    mpl.rcParams.update(
        {
            "axes.prop_cycle": mpl.cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK]),
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.dpi": 90,
            "figure.figsize": (6.0, 3.8),
            "font.size": 11,
            "grid.alpha": 0.3,
            "lines.linewidth": 2.0,
            "lines.markersize": 5,
        }
    )


def finish(axes: plt.Axes, *, title: str, xlabel: str, ylabel: str, legend: bool = True) -> None:
    """Label one panel completely: title, both axes, and a legend unless the lines are labelled directly."""
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if legend:
        axes.legend(frameon=False)


def show(alt: str) -> None:
    """Show the current figure and close it; ``alt`` says in one or two sentences what is drawn, for those who cannot see it."""
    display(plt.gcf(), metadata={"image/png": {"alt": alt}})
    plt.close()
