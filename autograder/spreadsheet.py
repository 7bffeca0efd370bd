"""CSV that a spreadsheet program shows and does not run.

Runs: trusted side. Students may choose what stands in a name, and a spreadsheet takes a cell that begins with `=` for a formula.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

Cell = str | float | None
"""Text is made harmless, numbers are written as they are, None is an empty cell."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_FORMULA = re.compile(r"""(^|[,;|"])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])""")
"""Where a formula could begin: at the start of a cell, or where another program than was meant takes a new cell to begin, because
it separates by semicolons or reads quotes in another way. The last four are the full-width forms of the first four."""


def csv_of(rows: Iterable[Sequence[Cell]]) -> str:
    """`rows` as CSV (RFC 4180), every text in quotes and harmless (OWASP, CSV Injection)."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    for row in rows:
        writer.writerow([harmless(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in row])
    return text.getvalue()


def harmless(text: str) -> str:
    """`text` on one line, with an apostrophe before what could be taken for the start of a formula."""
    return _FORMULA.sub(r"\1\2'", _CONTROLS.sub(" ", text))
