"""Says what this machine has and lacks for grading, and how to get what is missing.

Runs: trusted side.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

from autograder import __version__
from autograder.lifeline import ON
from autograder.probe import WALLS, Probe, probe_walls

MIN_PYTHON = (3, 11)


class State(StrEnum):
    """How well one thing is."""

    OK = "ok"
    WARNING = "warning"
    """Grading works; something is weaker than it could be."""
    PROBLEM = "problem"
    """Grading does not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    found: str
    advice: str = ""
    """What a lack means, and how to end it."""

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self)


def examine_machine(course: Path) -> Iterator[Finding]:
    """Everything that grading the course in folder `course` rests on, in order of importance."""
    yield _python()
    yield from _packages()
    yield _kernel()
    yield _alembic()
    yield from _in_jupyter()
    yield from _course(course)
    yield _cores()
    yield _gpu()
    yield from _walls()


def _walls(probe: Callable[[], Probe] = probe_walls) -> Iterator[Finding]:
    """Each wall around student code, put up once."""
    found = probe()
    if found.problem:
        yield Finding(what="sandbox", state=State.PROBLEM, found=found.problem, advice=found.advice)
        still = [name for name in WALLS if found.walls.get(name) == ON]
        yield Finding(
            what="without it",
            state=State.WARNING,
            found=f"with --unsafe-no-sandbox these walls still stand: {', '.join(still) or 'none'}",
            advice="Every report would say that the others did not.",
        )
        return
    yield Finding(what="sandbox", state=State.OK, found="student code is walled in")
    for name, meaning in WALLS.items():
        state = found.walls.get(name, "not put up")
        advice = "" if state == ON else "The other walls stand; a newer Linux kernel has this one too."
        yield Finding(
            what=f"  {name}",
            state=State.OK if state == ON else State.WARNING,
            found=f"{state}: {meaning}" if state == ON else f"off: {state}",
            advice=advice,
        )


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < MIN_PYTHON:
        return Finding(what="Python", state=State.PROBLEM, found=found, advice="Install Python 3.11 or newer and run `make env`.")
    return Finding(what="Python", state=State.OK, found=found)


def _packages() -> Iterator[Finding]:
    """Each pinned dependency of this package, by the versions in its metadata."""
    yield Finding(what="autograder", state=State.OK, found=__version__)
    for requirement in metadata.requires("autograder") or []:
        match = re.match(r"([A-Za-z0-9_.-]+)==([^\s;]+)(.*)", requirement)
        if match is None or "extra" in match[3]:
            continue
        name, wanted = match[1], match[2]
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(what=name, state=State.PROBLEM, found="not installed", advice=f"pip install {name}=={wanted}")
            continue
        if found.split("+")[0] == wanted:
            yield Finding(what=name, state=State.OK, found=found)
        else:
            advice = f"This project was tested with {wanted}: pip install {name}=={wanted}"
            yield Finding(what=name, state=State.WARNING, found=found, advice=advice)


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding(what="python3 kernel", state=State.PROBLEM, found="none", advice="pip install ipykernel")
    found = spec.argv[0]
    if (
        Path(found).name.startswith("python")
        and Path(found).is_absolute()
        and Path(found).resolve() != Path(sys.executable).resolve()
    ):
        advice = "Notebooks would run in another environment than this one: python -m ipykernel install --sys-prefix"
        return Finding(what="python3 kernel", state=State.WARNING, found=found, advice=advice)
    return Finding(what="python3 kernel", state=State.OK, found=found)


def _alembic() -> Finding:
    """nbgrader creates a gradebook by calling `alembic`; we add this Python's folder to PATH when it is not found."""
    beside = Path(sys.executable).parent / "alembic"
    found = shutil.which("alembic") or (str(beside) if beside.exists() else None)
    if found is None:
        return Finding(
            what="alembic",
            state=State.PROBLEM,
            found="not found",
            advice="nbgrader needs it to create a gradebook: pip install alembic",
        )
    return Finding(what="alembic", state=State.OK, found=found)


def _in_jupyter() -> Iterator[Finding]:
    """What people see in JupyterLab of this package; that matters where they work."""
    from autograder.installed import how_to_switch_on, switched_on

    for name, there in switched_on().items():
        if there:
            yield Finding(what=name, state=State.OK, found="switched on")
        else:
            advice = f"`pip install -e` leaves this out. Where people work with JupyterLab: {how_to_switch_on()}"
            yield Finding(what=name, state=State.WARNING, found="not installed: nbgrader alone", advice=advice)


def _course(course: Path) -> Iterator[Finding]:
    config = course / "nbgrader_config.py"
    if not course.is_dir():
        yield Finding(
            what="course",
            state=State.PROBLEM,
            found=f"{course}: no such folder",
            advice="Name the course's folder with --course.",
        )
        return
    if not config.is_file():
        advice = "Run this in the course's folder, or name it with --course. A course is a folder with an nbgrader_config.py."
        yield Finding(what="nbgrader config", state=State.WARNING, found=f"none in {course}", advice=advice)
        return
    answer = _ask_nbgrader(course)
    if "error" in answer:
        advice = "nbgrader goes on without a config that fails to load, and would grade by itself. Mend the file."
        yield Finding(what="nbgrader config", state=State.PROBLEM, found=f"{config}: {answer['error']}", advice=advice)
    elif not answer["ours"]:
        advice = "Add `from autograder import configure` and `configure(c)`, or nbgrader grades by itself."
        yield Finding(what="nbgrader config", state=State.WARNING, found=str(config), advice=advice)
    else:
        yield Finding(what="nbgrader config", state=State.OK, found=str(config))
    if "db_url" in answer:
        yield _gradebook(answer["db_url"])


def _gradebook(url: str) -> Finding:
    if not url.startswith("sqlite:///"):
        return _reach(url)
    path = Path(url.removeprefix("sqlite:///"))
    if not path.exists():
        if not os.access(path.parent, os.W_OK):
            return Finding(what="gradebook", state=State.PROBLEM, found=str(path), advice=f"{path.parent} is not writable.")
        advice = "nbgrader makes it with the first `nbgrader generate_assignment`."
        return Finding(what="gradebook", state=State.OK, found=f"{path} (not there yet)", advice=advice)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as connection:
            students = connection.execute("select count(*) from student").fetchone()[0]
    except sqlite3.Error as error:
        advice = "Restore it from a backup, or move it away and release the assignments again."
        return Finding(what="gradebook", state=State.PROBLEM, found=f"{path}: {error}", advice=advice)
    return Finding(what="gradebook", state=State.OK, found=f"{path}, {students} students")


_QUESTION = """
import json, os
os.environ["TRAITLETS_APPLICATION_RAISE_CONFIG_FILE_ERROR"] = "1"
from nbgrader.apps import NbGrader
answer = {}
try:
    app = NbGrader()
    app.initialize([])
    ours = "autograder" in str(app.config.get("Autograde", {}).get("autograde_preprocessors", ""))
    answer = {"db_url": app.coursedir.db_url, "ours": ours}
except Exception as error:
    answer = {"error": f"{type(error).__name__}: {error}"}
print("ANSWER" + json.dumps(answer))
"""


def _ask_nbgrader(course: Path) -> dict[str, Any]:
    """What nbgrader makes of the config in `course`: the gradebook's address and whether it grades with us, or the error."""
    done = subprocess.run([sys.executable, "-c", _QUESTION], cwd=course, capture_output=True, text=True, timeout=120, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("ANSWER")), None)
    if line is None:
        return {"error": (done.stderr.strip().splitlines() or ["nbgrader did not start"])[-1]}
    answer: dict[str, Any] = json.loads(line.removeprefix("ANSWER"))
    return answer


def _reach(url: str) -> Finding:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    shown = re.sub(r"://([^:/@]+):[^@]*@", r"://\1:***@", url)
    try:
        create_engine(url).connect().close()
    except (SQLAlchemyError, ImportError) as error:
        advice = (
            f"{str(error).splitlines()[0]} - check server, address, password; PostgreSQL: `pip install autograder[postgres]`."
        )
        return Finding(what="gradebook", state=State.PROBLEM, found=shown, advice=advice)
    return Finding(what="gradebook", state=State.OK, found=shown)


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding(what="CPU", state=State.OK, found=f"{cores} cores, {platform.machine()}")


def _gpu(run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> Finding:
    """Asked of the driver, not of torch, which takes seconds to import."""
    if shutil.which("nvidia-smi") is None:
        return Finding(what="GPU", state=State.OK, found="none (no assignment needs one)")
    done = run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, check=False)
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode != 0 or not names:
        advice = "nvidia-smi is installed but finds no GPU: the driver is not loaded. Assignments run on the CPU meanwhile."
        return Finding(what="GPU", state=State.WARNING, found="driver without a GPU", advice=advice)
    return Finding(what="GPU", state=State.OK, found=", ".join(names))
