"""The commands for what students do on their own machines, and for what they bring from there.

Runs: trusted side.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from autograder.class_commands import Command, positive
from autograder.views import ATTENTION, OK, Screen, print_json


def add_commands_for_students(command: Command) -> None:
    """Add `validate` and `receipt`."""
    sub = command("validate", _validate, "Run your notebook from the top and say what is right and wrong, as Validate does.")
    sub.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="the file, such as w1_means/w1_means.ipynb")
    sub.add_argument("--seconds", type=positive, metavar="N", help="how long it may run; a cell a third of that (default: 50)")

    sub = command("receipt", _receipt, "Hold the receipt that a student has against what the course has; 1 if they differ.")
    sub.add_argument("file", type=Path, metavar="FILE", help="the receipt, as the student sent it")


def _validate(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.validation import SECONDS, dialog, validate

    with screen.progress() as begin:
        found = validate(options.notebook, seconds=options.seconds or SECONDS, progress=begin(options.notebook.name))
    status = ATTENTION if found.troubles else OK
    if options.json:
        return print_json(found.to_json() | {"dialog": dialog(found)}, status)
    screen.say(f"{found}")
    return status


def _receipt(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.receipts import compare

    found = compare(options.file, options.course)
    status = OK if found.agrees else ATTENTION
    if options.json:
        return print_json(found.to_json(), status)
    screen.say(f"{found}")
    return status
