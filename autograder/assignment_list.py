"""Due dates for JupyterLab's Assignment List, in the Jupyter server of a student; and that staff's servers keep them current.

Runs: trusted side; a Jupyter server loads it where the package is installed (`installed`).

nbgrader's list has no place for dates. A small extension of JupyterLab (`jupyter/lab`) asks here which there are and writes
them into its rows. Where staff edit a date in formgrader, what is released already says the new one from then on: the edit is
answered here too, by nbgrader's own code. Jupyter asks extensions in the order of their names, `autograder` before `nbgrader`.
"""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from nbgrader.exchange import ExchangeFactory
from nbgrader.server_extensions.formgrader.apihandlers import AssignmentHandler
from nbgrader.utils import temp_attrs
from tornado import web

from autograder.due import ReleaseWithDue, read_dues
from autograder.installed import WithFormgrader, add_handlers


class DueHandler(JupyterHandler):
    """Says when what is released is due."""

    @web.authenticated
    def get(self) -> None:
        """All dates; none where nbgrader's list is not installed, or the exchange is not one of folders."""
        lists = self.settings.get("assignment_list_manager")
        exchange = ""
        if lists is not None:
            with chdir("."), lists.get_assignment_dir_config() as config:  # as the list itself finds its exchange
                exchange = getattr(ExchangeFactory(config=config).List(config=config), "root", "")
        dues = list(read_dues(Path(exchange))) if exchange else []
        self.finish(json.dumps([due.to_json() for due in dues]))


class EditHandler(WithFormgrader, AssignmentHandler):  # type: ignore[misc]
    """Formgrader's own, which then says the new date in the exchange."""

    def put(self, assignment_id: str) -> None:
        """Edit the assignment, and say when it is due."""
        super().put(assignment_id)
        if self.get_status() != 200:
            return
        api = self.api
        with temp_attrs(api.coursedir, assignment_id=assignment_id.strip()):
            release = api.exchange.ReleaseAssignment(coursedir=api.coursedir, authenticator=api.authenticator, parent=api)
            if isinstance(release, ReleaseWithDue) and api.coursedir.course_id:
                release.say_due()


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    add_handlers(server, {("autograder", "due"): DueHandler, ("formgrader", "api", "assignment", "([^/]+)"): EditHandler})
