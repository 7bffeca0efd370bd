"""Which parts of this package the Jupyter servers load that are started here, and what those of course staff share.

Runs: trusted side.

A wheel brings two things for Jupyter beside the package: a file that switches the server's parts on, and a small extension of
JupyterLab. `pip install -e` leaves both out; `make env` puts them there, and `autograder doctor` says how.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_config_path, jupyter_path
from jupyter_server.extension.config import ExtensionConfigManager
from jupyter_server.utils import url_path_join
from tornado import web

_HERE = Path(__file__).parent / "jupyter"
_LAB = "labextensions/autograder"
PARTS: Mapping[str, tuple[str, bool]] = {
    "Validate button": ("autograder.validate_button", False),
    "due dates in Assignment List": ("autograder.assignment_list", True),
    "Autograde all in formgrader": ("autograder.grade_button", False),
}
"""What people see -> the server's part behind it, and whether JupyterLab needs one too."""


def switched_on() -> dict[str, bool]:
    """Which of `PARTS` are there."""
    enabled = ExtensionConfigManager(read_config_path=jupyter_config_path()).get_jpserver_extensions()
    in_lab = any((Path(folder) / "package.json").is_file() for folder in jupyter_path(_LAB))
    return {name: enabled.get(module) is True and (in_lab or not lab) for name, (module, lab) in PARTS.items()}


def how_to_switch_on() -> str:
    """What to type for all of them."""
    config, lab = Path(sys.prefix, "etc", "jupyter", "jupyter_server_config.d"), Path(sys.prefix, "share", "jupyter", _LAB)
    return f"mkdir -p {config} {lab} && cp {_HERE / 'autograder.json'} {config}/ && cp -r {_HERE / 'lab'}/. {lab}/"


class WithFormgrader:
    """Before nbgrader's handlers: is there only where formgrader is."""

    settings: dict[str, Any]

    async def prepare(self) -> None:
        """Answer, or be no page."""
        if "nbgrader_formgrader" not in self.settings:
            raise web.HTTPError(404)
        await super().prepare()  # type: ignore[misc]  # of the class that this one stands before


def add_handlers(server: Any, handlers: Mapping[tuple[str, ...], type[Any]]) -> None:
    """Have the Jupyter server `server` answer by `handlers`, each named by the parts of its address below the server's own."""
    base = server.web_app.settings["base_url"]
    server.web_app.add_handlers(".*$", [(url_path_join(base, *parts), handler) for parts, handler in handlers.items()])
