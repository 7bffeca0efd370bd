"""The button *Autograde all* on formgrader's page of an assignment's submissions, and how far it is.

Runs: trusted side, in the Jupyter server of course staff; a Jupyter server loads it where the package is installed (`installed`).

nbgrader's page has a button for each student, which grades inside the server, and sends people to a terminal for all. Nothing
can be added to that page by configuration, so it is answered here at its own address: by nbgrader's handler, with a template
that extends nbgrader's. The button starts `autograder grade` in a process of its own and reads how far that is; stopped
at any moment, the next one goes on from there.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader
from nbgrader.server_extensions.formgrader.base import BaseHandler
from nbgrader.server_extensions.formgrader.handlers import ManageSubmissionsHandler
from tornado import web

from autograder.installed import WithFormgrader, add_handlers
from autograder.verdict import Verdict

_TEMPLATES = Path(__file__).parent / "template" / "formgrader"
_PATIENCE_SECONDS = 20.0
"""How long a grading that is asked to stop may take to put things away."""
_SAID_BYTES = 4000
"""So much of what a grading said on stderr is shown where it failed."""
_LONGEST_LINE = 1 << 24
_SETTING = "autograder_gradings"
_COMMAND = """
import signal, sys
from autograder.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main(sys.argv[1:])
"""
"""A shell that starts the server in the background has it ignore SIGINT, and all that it starts: *Stop* would do nothing."""


@dataclass(slots=True, kw_only=True)
class Grading:
    """One grading of an assignment that the button started."""

    assignment: str
    process: asyncio.subprocess.Process
    began: float = field(default_factory=time.monotonic)
    progress: dict[str, Any] = field(default_factory=dict)
    """The last that it said of how far it is."""
    verdicts: Counter[str] = field(default_factory=Counter)
    attention: list[str] = field(default_factory=list)
    """Who needs a person, and why."""
    stopped: bool = False
    end: str = ""
    """How it ended, in words; empty while it goes on."""
    failed: bool = False
    follower: asyncio.Task[None] | None = None

    def to_json(self) -> dict[str, Any]:
        """What the page shows."""
        done, todo = self._done()
        return {
            "assignment": self.assignment,
            "running": not self.end,
            "done": done,
            "todo": todo,
            "said": self.end or self._under_way(done, todo),
            "verdicts": ", ".join(f"{count} {_named(verdict)}" for verdict, count in self.verdicts.most_common()),
            "attention": self.attention,
            "failed": self.failed,
        }

    def note(self, progress: dict[str, Any]) -> None:
        """Take in what was said of one submission."""
        self.progress = progress
        self.verdicts.update(progress["verdicts"])
        if progress["attention"]:
            self.attention.append(f"{progress['student']}: {progress['attention']}")

    async def follow(self) -> None:
        """Read what the process says until it ends, and put how it ended into words."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        errors, rest = asyncio.create_task(_tail(self.process.stderr)), bytearray()
        async for line in self.process.stdout:
            said = _progress(line)
            if said is None:
                rest += line
            else:
                self.note(said)
        status, complaint = await self.process.wait(), await errors
        self._finish(status, rest, complaint)

    def _done(self) -> tuple[int, int]:
        return self.progress.get("graded", 0), self.progress.get("total", 0) - self.progress.get("unchanged", 0)

    def _under_way(self, done: int, todo: int) -> str:
        if self.stopped:
            return "Stopping."
        if not done:
            return "Starting: the first takes a few seconds longer than the others."
        left = (todo - done) * (time.monotonic() - self.began) / done
        return f"{done} of {todo} graded, about {_clock(left)} left."

    def _finish(self, status: int, said: bytes | bytearray, complaint: str) -> None:
        try:
            result = json.loads(said)
        except ValueError:
            result = {"error": f"It ended with status {status} and said no more than this:\n{complaint}"}
        graded = self._done()[0]
        if "error" not in result:
            took, unchanged = _clock(time.monotonic() - self.began), result["unchanged"]
            as_they_are = f"; {unchanged} unchanged, not graded again" if unchanged else ""
            self.end = f"{len(result['graded'])} graded in {took}{as_they_are}."
        elif self.stopped:
            self.end = f"Stopped after {graded}. What is graded stays, and Autograde all goes on from there."
        else:
            self.end, self.failed = f"{result['error']}\n{graded} were graded in this run, and stay so.", True


class Gradings:
    """One grading at a time in each course."""

    def __init__(self) -> None:
        self._last: dict[Path, Grading] = {}

    def last(self, course: Path) -> Grading | None:
        """The grading that goes on in the course in this folder, or else the last; None if there was none."""
        return self._last.get(course)

    async def start(self, course: Path, assignment: str) -> Grading:
        """Grade what is new or changed in `assignment`.

        Raises:
            tornado.web.HTTPError: another grading goes on.
        """
        before = self._last.get(course)
        if before is not None and not before.end:
            raise web.HTTPError(409, f"{before.assignment} is being graded; wait for it, or stop it")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _COMMAND, "grade", "--json", "--progress", "--", assignment),
            cwd=course,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            start_new_session=True,  # Ctrl-C in the server's terminal is for the server
        )
        grading = self._last[course] = Grading(assignment=assignment, process=process)
        grading.follower = asyncio.create_task(grading.follow())
        return grading

    async def stop(self, course: Path) -> Grading | None:
        """End the grading that goes on, and wait until it has put its things away."""
        grading = self._last.get(course)
        if grading is None or grading.end or grading.follower is None:
            return grading
        grading.stopped = True
        with suppress(ProcessLookupError):
            grading.process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(asyncio.shield(grading.follower), _PATIENCE_SECONDS)
        except TimeoutError:
            grading.process.kill()  # its workers notice, and what it was writing it writes again
            await grading.follower
        return grading


class SubmissionsPage(WithFormgrader, ManageSubmissionsHandler):  # type: ignore[misc]
    """nbgrader's page with the button."""

    def render(self, name: str, **names: Any) -> str:
        """The page, from our template, which extends the one called `name`."""
        theirs = self.settings["nbgrader_jinja2_env"]
        templates = theirs.overlay(loader=ChoiceLoader([FileSystemLoader(_TEMPLATES), theirs.loader]))
        return str(templates.get_template(f"autograder_{name}").render(**names))


class GradingHandler(WithFormgrader, BaseHandler):  # type: ignore[misc]
    """Starts a grading, stops it, and says how far it is."""

    async def prepare(self) -> None:
        """Refuse where formgrader could not be set up either."""
        if self.settings.get("nbgrader_bad_setup"):
            raise web.HTTPError(500, "the course's folder is not below the one that this Jupyter server serves")
        await super().prepare()

    @web.authenticated
    def get(self, assignment: str) -> None:
        """The grading of the course that goes on, whichever assignment it is of, or the last of this one."""
        grading = self.gradings.last(self.course)
        shown = grading is not None and (not grading.end or grading.assignment == assignment)
        self.finish(json.dumps(grading.to_json() if grading is not None and shown else None))

    @web.authenticated
    async def post(self, assignment: str) -> None:
        """Start, or with `stop` end what goes on."""
        if self.get_argument("stop", ""):
            grading = await self.gradings.stop(self.course)
        else:
            grading = await self.gradings.start(self.course, assignment)
        self.finish(json.dumps(None if grading is None else grading.to_json()))

    @property
    def gradings(self) -> Gradings:
        """This server's."""
        found: Gradings = self.settings[_SETTING]
        return found

    @property
    def course(self) -> Path:
        """The folder of the course that formgrader shows."""
        return Path(self.coursedir.root).resolve()


def _progress(line: bytes) -> dict[str, Any] | None:
    """What a line says of how far the grading is; None where it is part of something else."""
    if not line.startswith(b'{"progress"'):
        return None
    said: dict[str, Any] = json.loads(line)["progress"]
    return said


async def _tail(stream: asyncio.StreamReader) -> str:
    """The end of what is written there."""
    kept = b""
    while said := await stream.read(_SAID_BYTES):
        kept = (kept + said)[-_SAID_BYTES:]
    return kept.decode(errors="replace").strip()


def _named(verdict: str) -> str:
    return "left to a person" if verdict == Verdict.NOT_EXAMINED else verdict.replace("_", " ")


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.web_app.settings[_SETTING] = Gradings()
    add_handlers(
        server,
        {
            ("formgrader", "manage_submissions", "([^/]+)", "?"): SubmissionsPage,
            ("autograder", "grading", "([^/]+)"): GradingHandler,
        },
    )
