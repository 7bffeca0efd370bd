"""Importing this makes the start and the end of a process short: without what nobody needs, and without a search for garbage.

Runs: trusted side, before anything that reads notebooks is imported.

`jsonschema`, which nbformat imports, tries for a package that checks internationalised addresses. To build that package's
grammar takes a CPU second, more than everything else that grading imports, and no schema of a notebook has such an address in
it. Where it is missing, `jsonschema` does without; Python takes a module that is None for a missing one.

The collector, which by default looks for garbage after every 700 new objects, takes a sixth of the time of importing, where
there is none. It is to look seldom: what holds itself here is small (notebooks, tracebacks), and a process grades one class.
When the process ends, the interpreter looks through everything that was imported, for 0.4 s. What is frozen it does not look at.
"""

import atexit
import gc
import sys

_OBJECTS = 50_000

gc.set_threshold(_OBJECTS)
atexit.register(gc.freeze)
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # the stubs do not know
