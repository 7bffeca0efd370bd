"""The answer to JupyterLab's button *Validate*, in the Jupyter server of a student.

Runs: trusted side; the server is the student's own. It needs no configuration: a Jupyter server loads it where the package is
installed (`installed`).

nbgrader's own answer runs the notebook inside the server, which stands still meanwhile, and ends in a Python traceback where the
kernel dies. This one starts `autograder validate` beside the server and hands on what it says. Jupyter asks extensions in the
order of their names, and `autograder` comes before `nbgrader`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from traitlets import Integer
from traitlets.config import LoggingConfigurable

_GRACE_SECONDS = 60.0
"""How much longer than the notebook may run its start and its end may take."""
_FAILED = 3


class ValidateButton(LoggingConfigurable):
    """Runs notebooks below `root`."""

    seconds = Integer(
        50, min=1, help="How long a notebook may run. What stands before a JupyterHub often gives up a request after 60 s."
    ).tag(config=True)

    def __init__(self, root: Path, **settings: Any) -> None:
        super().__init__(**settings)
        self._root = root.resolve()

    async def validated(self, path: str) -> dict[str, Any]:
        """What the button is answered about the notebook at `path` below the root.

        Raises:
            tornado.web.HTTPError: the path leads out of the root.
        """
        notebook = (self._root / path).resolve()
        if not notebook.is_relative_to(self._root):
            raise web.HTTPError(403, f"{path} is not below the folder that this server serves")
        command = [sys.executable, "-m", "autograder", "validate", str(notebook), "--json", f"--seconds={self.seconds}"]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=notebook.parent, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            said, errors = await asyncio.wait_for(process.communicate(), self.seconds + _GRACE_SECONDS)
        except TimeoutError:
            return _problem(f"{notebook.name} could not be run within {self.seconds:.0f} s. Restart the kernel, run all cells.")
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        try:
            answer = json.loads(said)
        except ValueError:
            self.log.error("autograder validate failed: %s", errors.decode(errors="replace"))
            return _problem(f"Validate could not run {notebook.name}; the Jupyter server's log says why. Tell course staff.")
        if process.returncode == _FAILED:
            return _problem(answer["error"])
        return {"success": True, "value": answer["dialog"]}


class ValidateHandler(JupyterHandler):
    """Answers at the address that nbgrader's button asks."""

    @web.authenticated
    async def post(self) -> None:
        """Run the notebook that is named."""
        body = self.get_json_body() or {}
        path = self.get_argument("path", None) or body.get("path")
        if not isinstance(path, str):
            raise web.HTTPError(400, "no `path` of a notebook was given")
        self.finish(json.dumps(await self.settings["autograder_validate_button"].validated(path)))


def _problem(words: str) -> dict[str, Any]:
    return {"success": False, "value": words}


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    settings = server.web_app.settings
    settings["autograder_validate_button"] = ValidateButton(Path(server.root_dir), parent=server)
    server.web_app.add_handlers(".*$", [(url_path_join(settings["base_url"], "assignments", "validate"), ValidateHandler)])
