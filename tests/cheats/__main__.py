"""Grades the class twice, by this package and by nbgrader alone, and prints the tables of docs/cheating.md.

python -m tests.cheats            print them
python -m tests.cheats --write    put them into docs/cheating.md
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.cheats.grading import NBGRADERS, OURS, grade_class
from tests.cheats.reading import cheats
from tests.cheats.table import tables, write


def main(arguments: list[str]) -> None:
    """See above. Takes about half an hour, most of it nbgrader's."""
    everyone = cheats()
    with tempfile.TemporaryDirectory() as folder:
        ours = grade_class(Path(folder, "ours"), OURS, everyone)
        stock = grade_class(Path(folder, "stock"), NBGRADERS, everyone)
    found = tables(everyone, ours, stock)
    if "--write" in arguments:
        write(found)
    for name, table in found.items():
        sys.stdout.write(f"{name}\n\n{table}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
