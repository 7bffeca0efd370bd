"""Grades nbgrader courses honestly: add two lines to `nbgrader_config.py` and every nbgrader command uses it.

    from autograder import configure
    configure(c)

Runs: trusted side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from traitlets.config import Config

__all__ = ["__version__", "configure"]
__version__ = "0.1.0"


def configure(c: Config) -> None:
    """Make nbgrader's configuration `c` grade with this package: execution, scoring and feedback.

    Nothing else of the course changes. Imports happen here, not when the package is imported.
    """
    from autograder.gradebook import configure_nbgrader

    configure_nbgrader(c)
