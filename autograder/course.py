"""What an nbgrader course says of itself, in its configuration and its manifests.

Runs: trusted side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from traitlets.config import Config

from autograder.cells import Delimiters
from autograder.limits import Limits
from autograder.manifest import Manifest, read_manifest


def delimiters_of(config: Config) -> Delimiters:
    """What marks hidden parts in this course; the misspelling is nbgrader's."""
    hidden, scheme = config.get("ClearHiddenTests", {}), config.get("ClearMarkScheme", {})
    chosen = {
        "hidden_begin": hidden.get("begin_test_delimeter"),
        "hidden_end": hidden.get("end_test_delimeter"),
        "scheme_begin": scheme.get("begin_mark_scheme_delimeter"),
        "scheme_end": scheme.get("end_mark_scheme_delimeter"),
    }
    return Delimiters(**{name: value for name, value in chosen.items() if isinstance(value, str)})


def manifest_of(coursedir: Any, assignment: str, defaults: Limits | None = None) -> Manifest | None:
    """The assignment's manifest; None in a course that has none. `coursedir` is nbgrader's.

    Raises:
        ManifestError: see `read_manifest`.
    """
    folder = Path(coursedir.root) / "assignments" / assignment
    return read_manifest(folder, defaults) if (folder / "assignment.toml").is_file() else None
