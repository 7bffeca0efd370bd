"""Hostile notebooks: each file of tests/hostile is one attack on the wall, with its verdicts and what it may not touch.

A file is a header of `# name: value` lines and cells that begin with `# %% code`, `# %% exercise <id>` or
`# %% test <id> [points]`:

    idea       what the attack tries, in one sentence
    origin     known attacks that it belongs to (docs of published ones), or `own`
    limits     limits that differ from the usual ones here
    verdicts   verdict of each test cell
    incidents  what the report must say of other cells (optional)
    end        part of how the last kernel ended (optional)
    kept       keep what the notebook writes; exactly these files appear in the submission's folder (optional)
    needs      an architecture without which the file is skipped (optional)

The attacker is told where everything is (`facts.json`) and has tools (`tests/hostile/toolbox.py`). The test cells say from
inside that nothing was reached; `Scene` looks from outside, and a neighbour and the next submission look from beside.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import site
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.examiner import CandidateExaminer
from autograder.grade import grade_notebook
from autograder.kernel import ColdKernels, Ending, Kernel, KernelSource, Launch
from autograder.limits import Limits
from autograder.outputs import Outputs
from autograder.report import Report
from autograder.warm import WarmKernels
from tests import make
from tests.processes import outermost

pytestmark = pytest.mark.hostile

FOLDER = Path(__file__).parent / "hostile"
FILES = sorted(path for path in FOLDER.glob("*.py") if path.stem != "toolbox")
LIMITS = Limits(
    cell_seconds=20,
    notebook_seconds=60,
    interrupt_seconds=1,
    cpu_seconds=40,
    memory_bytes=500_000_000,
    processes=64,
    disk_bytes=50_000_000,
    flood_bytes=20_000_000,
)
SEED = 11
MODULES = ("numpy",)
_SLOWEST_ANSWER_SECONDS = 10.0
_DRIVER_MAY_GROW_BYTES = 600_000_000
_HEADER = re.compile(r"# (\w+): ?(.*)")
_CELL = re.compile(r"# %% (code|exercise|test) ?(\S*) ?(\S*)")
_LEFT_BEHIND_IN = ("/tmp", "/dev/shm", "/dev/mqueue", "/var/tmp", "/run")
_TOOLBOX = (FOLDER / "toolbox.py").read_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One file of tests/hostile."""

    header: dict[str, str]
    notebook: nbformat.NotebookNode

    @property
    def limits(self) -> Limits:
        """The limits that it is run under."""
        changes: dict[str, Any] = {}
        for item in _items(self.header.get("limits", "")):
            name, _, value = item.partition("=")
            changes[name] = float(value) if "." in value else int(value)
        return replace(LIMITS, **changes)

    @property
    def verdicts(self) -> dict[str, str]:
        """Verdict of each test cell."""
        return dict(item.split("=") for item in _items(self.header["verdicts"]))


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def read_hostile(path: Path) -> Hostile:
    """The attack in `path`."""
    header: dict[str, str] = {}
    cells: list[nbformat.NotebookNode] = [make.code(_TOOLBOX)]
    lines: list[str] = []

    def finish(kind: str, name: str, points: str) -> None:
        source = "\n".join(lines).strip()
        if kind == "code":
            cells.append(make.code(source))
        elif kind == "exercise":
            cells.append(make.exercise(name, source))
        elif kind == "test":
            cells.append(make.graded(name, source, float(points or 1)))

    current = ("", "", "")
    for line in path.read_text().splitlines():
        if cell := _CELL.fullmatch(line):
            finish(*current)
            current = (cell[1], cell[2], cell[3])
            lines.clear()
        elif not current[0]:
            if found := _HEADER.fullmatch(line):
                header[found[1]] = found[2]
        else:
            lines.append(line)
    finish(*current)
    assert {"idea", "origin", "verdicts"} <= set(header), path
    return Hostile(header=header, notebook=make.notebook(*cells))


class Scene:
    """Everything on the host that an attack could want, and whether it was reached."""

    def __init__(self, root: Path, home: Path, kernels: WarmKernels) -> None:
        self.home = home
        self.secret = f"canary-{secrets.token_hex(16)}"
        self.marker = f"hostile{secrets.token_hex(4)}"
        self.course = root / "course"
        self.submission = self.course / "autograded" / "mallory" / "ps1"
        self._kernels = kernels
        self._write_course()
        self._tcp = [_listening(socket.AF_INET, ("127.0.0.1", 0))]
        if socket.has_ipv6:
            self._tcp.append(_listening(socket.AF_INET6, ("::1", 0)))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._unix = [_listening(socket.AF_UNIX, str(root / "listener")), _listening(socket.AF_UNIX, f"\0{self.marker}-host")]
        self._victim = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)", self.secret], env={**os.environ, "GRADER_SECRET": self.secret}
        )
        self._root = root

    def _write_course(self) -> None:
        hidden = nbformat.writes(make.notebook(make.graded("t", f"assert solution() == {self.secret!r}")))
        for path, text in {
            "source/ps1/ps1.ipynb": hidden,
            "gradebook.db": f"SQLite format 3 {self.secret}",
            "submitted/alice/ps1/ps1.ipynb": hidden,
            "autograded/alice/ps1/ps1.ipynb": hidden,
            "feedback/alice/ps1/ps1.html": f"<p>{self.secret}</p>",
            "autograded/mallory/ps1/ps1.ipynb": hidden,
            "autograded/mallory/ps1/ps1.report.json": json.dumps({"score": self.secret}),
            "autograded/mallory/ps1/data.csv": "x,y\n1,2\n",
        }.items():
            target = self.course / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        (self.submission / "link.txt").symlink_to(self.course / "gradebook.db")
        (self.home / "secret.txt").write_text(self.secret)

    def tell(self, neighbour: Kernel) -> None:
        """Give the attacker every advantage."""
        zygote = next(iter(self._kernels._zygotes.values()))
        sockets = Path(getattr(neighbour, "_sockets", "/nowhere"))
        facts = {
            "marker": self.marker,
            "course": str(self.course),
            "home": str(self.home),
            "tcp": [listener.getsockname()[1] for listener in self._tcp],
            "udp": self._udp.getsockname()[1],
            "unix": str(self._root / "listener"),
            "abstract": f"{self.marker}-host",
            "pids": {
                "victim": self._victim.pid,
                "driver": os.getpid(),
                "zygote": outermost(zygote).pid,
                "bubblewrap": _descendants(outermost(zygote).pid),
            },
            "neighbour_sockets": sorted(map(str, sockets.glob("*"))),
            "python": sys.prefix,
            "package": str(Path(__file__).parents[1] / "autograder"),
        }
        (self.submission / "facts.json").write_text(json.dumps(facts))

    def observe(self) -> dict[str, Any]:
        """What must be the same before and after."""
        return {
            "course": _hashes(self.course, but=self.submission),
            "home": _hashes(self.home),
            "victim": (self._victim.poll(), os.getpriority(os.PRIO_PROCESS, self._victim.pid)),
            "system V": {kind: _lines(f"/proc/sysvipc/{kind}") for kind in ("shm", "sem", "msg")},
            "left behind": self._left_behind(),
            "packages": [sorted(map(str, Path(folder).iterdir())) for folder in site.getsitepackages() if Path(folder).is_dir()],
        }

    def check_untouched(self) -> None:
        """No listener heard anything."""
        for listener in (*self._tcp, *self._unix):
            with pytest.raises(BlockingIOError):
                listener.accept()
        self._udp.setblocking(False)
        with pytest.raises(BlockingIOError):
            self._udp.recv(1)

    def _left_behind(self) -> list[str]:
        found = []
        for top in _LEFT_BEHIND_IN:
            for folder, folders, names in os.walk(top):
                if folder.count("/") > 3:
                    folders.clear()
                found += [f"{folder}/{name}" for name in (*folders, *names) if self.marker in name]
        return found

    def close(self) -> None:
        """End what was set up."""
        self._victim.kill()
        self._victim.wait()
        for listener in (*self._tcp, *self._unix, self._udp):
            listener.close()


def _listening(family: int, address: Any) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(5)
    listener.setblocking(False)
    return listener


def _hashes(top: Path, but: Path | None = None) -> dict[str, str]:
    found = {}
    for path in sorted(top.rglob("*")):
        if but is None or not path.is_relative_to(but):
            content = path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(top))] = f"{path.lstat().st_mode:o} {hashlib.sha256(content).hexdigest()}"
    return found


def _lines(path: str) -> int:
    return len(Path(path).read_text().splitlines())


def _descendants(pid: int) -> list[int]:
    """Every process below `pid`, as the host numbers them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return sorted(found)


class Neighbour:
    """Another submission's kernel, asked again and again while an attack runs."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.slowest_seconds = 0.0
        self.endings: set[Ending] = set()

    def __enter__(self) -> Neighbour:
        self._over.clear()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.3):
            reply = self._kernel.execute("sum(range(1000))", Outputs(1000, 1000), seconds=60)
            self.endings.add(reply.ending)
            self.slowest_seconds = max(self.slowest_seconds, reply.seconds)


FINGERPRINT = """
import builtins, json, os, random, resource, signal, site, sys, threading
import numpy
def listing(top):
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names)
print(json.dumps({
    "environment": dict(os.environ),
    "path": sys.path,
    "modules": sorted(sys.modules),
    "builtins": sorted(vars(builtins)),
    "functions": [repr(f.__module__) for f in (json.dumps, os.listdir, numpy.random.rand, numpy.mean, builtins.print)],
    "numpy": sorted(vars(numpy)),
    "draws": [random.random(), numpy.random.rand(), hash("text")],
    "print options": repr(numpy.get_printoptions()),
    "errors": numpy.geterr(),
    "files": [listing(top) for top in ("/student/home", "/student/shm", "/dev/shm", "/dev/mqueue")],
    "temporary": sorted(os.listdir("/tmp")),
    "folders": [os.getcwd(), os.path.expanduser("~")],
    "processes": [name for name in os.listdir("/proc") if name.isdigit() and int(name) > 20],
    "sockets": open("/proc/net/unix").read().count("@") if os.access("/proc/net/unix", os.R_OK) else 0,
    "limits": [resource.getrlimit(kind) for kind in range(16)],
    "priority": os.getpriority(os.PRIO_PROCESS, 0),
    "cores": len(os.sched_getaffinity(0)),
    "mask": os.umask(0o22),
    "recursion": sys.getrecursionlimit(),
    "history": list(get_ipython().history_manager.input_hist_raw)[:-1],
    "names": sorted(name for name in globals() if not name.startswith("_")),
}))
"""


def fingerprint(kernels: KernelSource, folder: Path, seed: int = SEED) -> dict[str, Any]:
    """What a fresh kernel is like."""
    kernel = kernels.start(Launch(folder=folder, limits=LIMITS, seed=seed, modules=MODULES))
    try:
        return dict(json.loads(_printed(kernel, FINGERPRINT)))
    finally:
        kernel.close()


def _printed(kernel: Kernel, source: str) -> str:
    outputs = Outputs(1_000_000, 10_000_000)
    reply = kernel.execute(source, outputs, seconds=30)
    assert reply.ending is Ending.OK, (reply, outputs.items)
    return "".join(item.text for item in outputs.items if item.output_type == "stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What all attacks share."""

    kernels: WarmKernels
    neighbour: Kernel
    home: Path
    folder: Path
    """A submission's folder without anything of interest."""
    before: dict[str, Any]
    """What a fresh kernel was like before the first attack."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One zygote, and a neighbour that lives through all attacks."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("ps1")
    (folder / "data.csv").write_text("x,y\n1,2\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("GRADER_SECRET", f"canary-{secrets.token_hex(16)}")
        kernels = WarmKernels()
        try:
            neighbour = kernels.start(Launch(folder=folder, modules=MODULES))
            before = fingerprint(kernels, folder)
            yield Stage(kernels=kernels, neighbour=neighbour, home=home, folder=folder, before=before)
            neighbour.close()
        finally:
            kernels.close()


def attack(
    stage: Stage, scene: Scene, hostile: Hostile, kernels: KernelSource | None = None
) -> tuple[Report, nbformat.NotebookNode]:
    """Run the notebook in the scene."""
    scene.tell(stage.neighbour)
    nb = nbformat.from_dict(hostile.notebook)
    launch = Launch(
        folder=scene.submission, limits=hostile.limits, seed=SEED, modules=MODULES, keep_files="kept" in hostile.header
    )
    return grade_notebook(nb, kernels=kernels or stage.kernels, examiner=CandidateExaminer(), launch=launch), nb


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_attack_is_stopped(path: Path, stage: Stage, tmp_path: Path) -> None:
    hostile = read_hostile(path)
    if hostile.header.get("needs", platform.machine()) != platform.machine():
        pytest.skip(f"needs {hostile.header['needs']}")
    scene = Scene(tmp_path, stage.home, stage.kernels)
    zygote = next(iter(stage.kernels._zygotes.values()))
    try:
        before, processes = scene.observe(), set(_descendants(outermost(zygote).pid))
        with Neighbour(stage.neighbour) as neighbour, _Growth() as driver:
            report, nb = attack(stage, scene, hostile)
        _check_report(hostile, report, nb)
        _check_nothing_told(scene, nb, stage.neighbour)
        scene.check_untouched()
        assert scene.observe() == before
        _check_kept(hostile, scene)
        assert not _survivors(outermost(zygote).pid, processes), "processes of the submission are left"
        assert neighbour.endings <= {Ending.OK}
        assert neighbour.slowest_seconds < _SLOWEST_ANSWER_SECONDS
        assert driver.bytes < _DRIVER_MAY_GROW_BYTES, f"the driver grew by {driver.bytes / 1e6:.0f} MB"
        assert scene.marker not in _printed(stage.neighbour, FINGERPRINT), "the neighbour sees something of the attacker"
        assert zygote.alive
        assert fingerprint(stage.kernels, stage.folder) == stage.before, "the next submission differs"
        assert next(iter(stage.kernels._zygotes.values())) is zygote
    finally:
        scene.close()


class _Growth:
    """The most memory that this process gained meanwhile."""

    def __enter__(self) -> _Growth:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        self.bytes = -self._peak()
        return self

    def __exit__(self, *error: object) -> None:
        self.bytes += self._peak()

    @staticmethod
    def _peak() -> int:
        found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        return 1024 * int(found[1]) if found else 0


def _check_report(hostile: Hostile, report: Report, nb: nbformat.NotebookNode) -> None:
    said = _said(nb)
    seen = {cell.grade_id: str(cell.verdict) for cell in report.cells}
    assert seen == hostile.verdicts, f"{report.kernel}\n{report.incidents}\n{said[-3000:]}"
    assert hostile.header.get("end", "") in report.kernel.end
    incidents = {(incident.where, incident.what) for incident in report.incidents}
    for item in _items(hostile.header.get("incidents", "")):
        assert tuple(item.split("=")) in incidents
    assert set(report.kernel.walls.values()) == {"on"}
    nbformat.validate(nb)


def _said(nb: nbformat.NotebookNode) -> str:
    """Everything that the notebook printed, errors included."""
    outputs = [output for cell in nb.cells for output in cell.get("outputs", [])]
    texts = [output.get("text") or "\n".join(output.get("traceback", [])) for output in outputs]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(texts))


def _check_nothing_told(scene: Scene, nb: nbformat.NotebookNode, neighbour: Any) -> None:
    """Neither the canaries nor the key of another kernel came out."""
    said = nbformat.writes(nb)
    assert scene.secret not in said
    assert os.environ["GRADER_SECRET"] not in said
    key = neighbour._manager.session.key.decode()
    assert key not in said, "the attacker knows the key of another kernel"


def _check_kept(hostile: Hostile, scene: Scene) -> None:
    there = {"ps1.ipynb", "ps1.report.json", "data.csv", "link.txt", "facts.json"}
    expected = there | set(_items(hostile.header.get("kept", "")))
    assert {str(path.relative_to(scene.submission)) for path in scene.submission.rglob("*")} == expected
    assert scene.secret in (scene.submission / "ps1.ipynb").read_text()
    assert scene.secret in (scene.submission / "ps1.report.json").read_text()
    assert (scene.submission / "link.txt").resolve() == scene.course / "gradebook.db"


def _survivors(zygote: int, before: set[int]) -> set[int]:
    """What lives on below the zygote; a moment is allowed for the last to go."""
    for _ in range(50):
        left = set(_descendants(zygote)) - before
        if not left:
            break
        time.sleep(0.1)
    return left


def test_same_seed_gives_the_same_numbers_and_another_does_not(stage: Stage) -> None:
    assert fingerprint(stage.kernels, stage.folder)["draws"] == stage.before["draws"]
    other = fingerprint(stage.kernels, stage.folder, seed=SEED + 1)["draws"]
    assert [mine != theirs for mine, theirs in zip(other, stage.before["draws"], strict=True)] == [True, True, False]


@pytest.mark.parametrize("name", ["network_tcp", "unix_sockets", "grader_environment"])
def test_same_attack_succeeds_where_there_is_no_wall(name: str, stage: Stage, tmp_path: Path) -> None:
    scene = Scene(tmp_path, stage.home, stage.kernels)
    try:
        report, _ = attack(stage, scene, read_hostile(FOLDER / f"{name}.py"), ColdKernels())
        assert report.cells[0].verdict == "failed", "the attack is no attack: it fails without a wall too"
    finally:
        scene.close()
