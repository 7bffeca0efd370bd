"""Importing this keeps out of the process what takes longest to import and what nobody needs.

Runs: trusted side, before anything that reads notebooks is imported.

`jsonschema`, which nbformat imports, tries for a package that checks internationalised addresses. To build that package's
grammar takes a CPU second, more than everything else that grading imports, and no schema of a notebook has such an address in
it. Where it is missing, `jsonschema` does without; Python takes a module that is None for a missing one.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # the stubs do not know
