"""Importing this does, once for all workers, what each would do at its first submission: they are forks of who imported it.

Runs: trusted side, in the process that workers are forked from, while the driver reads the course.

What is found is kept where it is looked for: by `functools.cache`, or by nbformat, which compiles the schema of a notebook.
"""

from __future__ import annotations

import contextlib
import sys

import nbformat

import autograder.worker  # noqa: F401
from autograder.errors import AutograderError
from autograder.kept import packages_here
from autograder.report import versions
from autograder.wall import python_folders, system_call_filter

versions()
packages_here()
for _relaxed in (False, True):
    nbformat.validate(nbformat.v4.new_notebook(), relax_add_props=_relaxed)
with contextlib.suppress(AutograderError):  # a worker will meet it again, and say so
    python_folders(sys.executable)
    system_call_filter()
