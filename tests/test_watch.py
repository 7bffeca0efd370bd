"""A watched course: what students hand in comes back graded, and whatever goes wrong costs nobody a submission."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import nbformat
import pytest
from nbgrader.exchange.default import ExchangeCollect

from autograder import watch as watching
from autograder.allowance import Allowance
from autograder.bench_watch import CONFIG, COURSE, TARGET_SECONDS, Students, bench_watch, make_course
from autograder.delivery import state_of
from autograder.errors import AutograderError
from autograder.grading import ClassRun
from autograder.pool import Pool
from autograder.watch import REMEMBERS, Event, Returned, Trouble, Waits, Watch
from autograder.workers import LocalWorkers
from tests import make
from tests.test_course import GOOD

# nbgrader's release of feedback leaves a file to be closed by itself.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

SOURCE = make.notebook(
    make.exercise("double", "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"),
    make.graded("test_double", "assert double(2) == 4\n### BEGIN HIDDEN TESTS\nassert double(7) == 14\n### END HIDDEN TESTS", 3),
    make.answer("why", "Because:"),
)
WRONG = "def double(x):\n    return x + 2"
WRITES = "open('written.txt', 'w').write('x')\ndef double(x):\n    return 2 * x"
SLOW = f"import time\ntime.sleep(2)\n{GOOD}"


class Hub:
    """A course, its exchange, and its students."""

    def __init__(self, place: Path) -> None:
        self.root = place / "course"
        self.exchange = place / "exchange"
        self.students = Students(place / "students", self.exchange)

    def configure(self, more: str = "", *, exchange: bool = True) -> None:
        text = CONFIG.format(course=COURSE, root=str(self.exchange)) if exchange else make.TWO_LINES
        (self.root / "nbgrader_config.py").write_text(text + more)

    def hand_in(self, student: str, solution: str) -> Path:
        """Hand in by nbgrader's own `submit`; where the feedback will lie."""
        nb = make.replaced(nbformat.read(self.root / "release" / "ps1" / "ps1.ipynb", as_version=4), {"double": solution})
        return self.students.page(self.students.hand_in(student, "ps1", nb), "ps1")

    @contextmanager
    def watch(self, *assignments: str, per_hour: int = 0) -> Iterator[Watch]:
        with closing(Watch(self.root, assignments, LocalWorkers(1), per_hour=per_hour)) as watch:
            yield watch

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "autograder", "watch", "--json", *arguments]
        return subprocess.Popen(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def remembered(self) -> list[dict[str, object]]:
        path = self.root / REMEMBERS
        found: list[dict[str, object]] = json.loads(path.read_text()) if path.exists() else []
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("watched")
    (place / "exchange").mkdir()
    (place / "exchange").chmod(0o777)
    make_course(place / "course", place / "exchange", "ps1", SOURCE)
    return place


@pytest.fixture
def hub(made: Path, tmp_path: Path) -> Hub:
    shutil.copytree(made, tmp_path / "place")
    found = Hub(tmp_path / "place")
    found.configure()
    return found


def once(watch: Watch) -> list[Event]:
    return list(watch.go(once=True))


def returned(events: list[Event]) -> list[tuple[str, float | None, bool]]:
    """Student, points and whether the feedback is in the exchange, of each event; all must have come back."""
    found = []
    for event in events:
        assert isinstance(event, Returned), event
        found.append((event.student, None if event.graded is None else event.graded.points, event.returned))
    return found


def until(condition: Callable[[], object], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_each_submission_comes_back_and_nothing_is_graded_twice(hub: Hub) -> None:
    with hub.watch() as watch:
        hub.hand_in("ada", WRITES)
        hub.hand_in("ben", WRONG)
        assert sorted(returned(once(watch))) == [("ada", 3, True), ("ben", 0, True)]
        opened = watch._pool._executor
        hub.hand_in("ada", f"{WRITES}\nagain = 1")
        assert returned(once(watch)) == [("ada", 3, True)]
        assert watch._pool._executor is opened
        assert once(watch) == []
    first, second = hub.students.fetch("ada", "ps1")
    assert "again" in second
    assert "again" not in first
    assert len(hub.students.fetch("ben", "ps1")) == 1
    assert sorted(path.name for path in (hub.root / "feedback" / "ada" / "ps1").iterdir()) == [
        "ps1.html",
        "submission_secret.txt",
        "timestamp.txt",
    ], "what student code wrote stays with staff, the second time too"
    (hub.root / "source" / "ps1" / "helper.txt").write_text("staff's")
    with hub.watch("ps1") as watch:
        assert once(watch) == [], "what a changed assignment means for whom is for a person to say"
    with closing(Pool(LocalWorkers(1))) as pool:
        graded = sorted(graded.student for graded in ClassRun(hub.root, "ps1", pool).grade())
    assert graded == ["ada", "ben"], "that person has `autograder grade`"


def test_half_a_submission_is_left_until_it_is_whole(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_ONCE_SECONDS", 1.0)
    page = hub.hand_in("ada", GOOD)
    (whole,) = (hub.exchange / COURSE / "inbound").iterdir()
    hidden = hub.exchange / whole.name
    whole.rename(hidden)
    with hub.watch() as watch:
        whole.mkdir()
        for name in ("ps1.ipynb", "timestamp.txt", "submission_secret.txt"):
            assert once(watch) == [], f"before {name}"
            shutil.copy(hidden / name, whole / name)
        assert once(watch) == [], "before nbgrader's last step"
        whole.chmod(0o777)
        assert returned(once(watch)) == [("ada", 3, True)]
    assert page.exists()


def test_folder_that_somebody_still_copies_into_is_left_until_nothing_moves(hub: Hub) -> None:
    hub.configure(exchange=False)
    path = hub.root / "submitted" / "ada" / "ps1" / "ps1.ipynb"
    path.parent.mkdir(parents=True)
    nb = make.replaced(nbformat.read(hub.root / "release" / "ps1" / "ps1.ipynb", as_version=4), {"double": GOOD})
    text = nbformat.writes(nb)

    def copy() -> None:
        with path.open("w") as file:
            for part in range(0, len(text), len(text) // 6):
                file.write(text[part : part + len(text) // 6])
                file.flush()
                time.sleep(0.4)

    copying = threading.Thread(target=copy)
    copying.start()
    with hub.watch() as watch:
        assert "course_id" in watch.no_exchange
        assert returned(once(watch)) == [("ada", 3, False)]
    copying.join()
    assert "feedback" in {path.name for path in hub.root.iterdir()}


def test_limit_holds_over_a_restart_and_the_newest_is_graded_when_it_allows(hub: Hub) -> None:
    hub.hand_in("ada", WRONG)
    with hub.watch(per_hour=1) as watch:
        assert returned(once(watch)) == [("ada", 0, True)]
        second = hub.hand_in("ada", WRONG)
        (event,) = once(watch)
        assert isinstance(event, Waits)
        assert 3500 < event.seconds <= 3600
        assert once(watch) == [], "it is said once"
    third = hub.hand_in("ada", GOOD)
    with hub.watch(per_hour=1) as watch:
        hub.hand_in("ben", GOOD)
        first, other = once(watch)
        assert isinstance(first, Waits)
        assert returned([other]) == [("ben", 3, True)]
    (hub.root / REMEMBERS).write_text(json.dumps([{**one, "time": time.time() - 3601} for one in hub.remembered]))
    with hub.watch(per_hour=1) as watch:
        assert returned(once(watch)) == [("ada", 3, True)]
    assert third.exists()
    assert not second.exists()


def test_killed_watch_goes_on_where_it_was_and_ctrl_c_ends_it_well(hub: Hub) -> None:
    ada = hub.hand_in("ada", GOOD)
    with hub.process("--per-hour", "1") as process:
        until(ada.exists)
        ben = hub.hand_in("ben", SLOW)
        until(lambda: any(one["student"] == "ben" for one in hub.remembered))
        process.kill()
    graded = hub.root / "autograded" / "ada" / "ps1" / "ps1.ipynb"
    before = graded.stat().st_mtime_ns
    assert not ben.exists()
    with hub.process("--per-hour", "1") as process:
        until(ben.exists)
        until(lambda: not any(one["owed"] for one in hub.remembered))
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    (line,) = map(json.loads, said.splitlines())
    assert (line["event"], line["student"], line["points"], line["in_exchange"]) == ("returned", "ben", 3, True)
    assert graded.stat().st_mtime_ns == before


def test_what_a_person_should_see_first_is_not_taken(hub: Hub, tmp_path: Path) -> None:
    """Tests run as some user; that one's submissions are his own, and those of others are not."""
    hub.configure("c.ExchangeCollect.check_owner = True\n")
    me = Path(hub.exchange).owner()
    hub.hand_in(me, GOOD)
    hub.hand_in("ada", GOOD)
    with hub.watch() as watch:
        events = sorted(once(watch), key=lambda event: isinstance(event, Returned))
        (trouble,) = [event for event in events if isinstance(event, Trouble)]
        assert f"it belongs to {me}" in trouble.problem
        assert returned(events[1:]) == [(me, 3, True)]
        assert once(watch) == [], "it is said once"
    hub.configure()
    (forged,) = (hub.exchange / COURSE / "inbound").glob("ada+*")
    (tmp_path / "secret.txt").write_text("staff's")
    (forged / "data.txt").symlink_to(tmp_path / "secret.txt")
    with hub.watch() as watch:
        (event,) = once(watch)
    assert isinstance(event, Trouble)
    assert "data.txt is a link out of the submission" in event.problem
    assert not (hub.root / "submitted" / "ada").exists()


def test_what_fails_is_tried_again_later(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_FIRST_PAUSE_SECONDS", 0.1)
    blocked = hub.exchange / COURSE / "feedback"
    blocked.write_text("in the way")
    hub.hand_in("ada", GOOD)
    (hub.root / "autograded").mkdir()
    with hub.watch() as watch:
        other = os.open(hub.root / "autograded", os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
        (event,) = once(watch)
        assert isinstance(event, Trouble)
        assert "another `autograder grade` is at work" in event.problem
        os.close(other)
        time.sleep(0.1)
        (event,) = once(watch)
        assert isinstance(event, Trouble)
        assert (event.student, event.assignment) == ("ada", "ps1")
        assert [one["owed"] for one in hub.remembered] == [True]
    blocked.unlink()
    with hub.watch() as watch:
        assert returned(once(watch)) == [("ada", None, True)], "graded before, and the feedback was owed"
        hub.hand_in("ada", WRONG)
        before = state_of(hub.root / "submitted" / "ada" / "ps1")
        with monkeypatch.context() as broken:
            broken.setattr(ExchangeCollect, "do_copy", _copy_half)
            (event,) = once(watch)
        assert isinstance(event, Trouble)
        assert "No space left on device" in event.problem
        assert state_of(hub.root / "submitted" / "ada" / "ps1") == before
    assert (hub.root / "submitted.arriving").exists()
    with hub.watch() as watch:
        assert not (hub.root / "submitted.arriving").exists()
        assert returned(once(watch)) == [("ada", 0, True)]
    assert len(hub.students.fetch("ada", "ps1")) == 2


def _copy_half(self: object, source: str, target: str) -> None:
    Path(target).mkdir(parents=True)
    shutil.copy(Path(source) / "timestamp.txt", target)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_can_never_work_ends_with_a_message(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(AutograderError, match=r"ps9 is not released in .*; released are: ps1"), hub.watch("ps9"):
        pass
    with (
        hub.watch(),
        pytest.raises(AutograderError, match="is watched already"),
        closing(Watch(hub.root, [], LocalWorkers(1), per_hour=0)),
    ):
        pass
    with pytest.raises(AutograderError, match="no assignment is released"):
        Watch(tmp_path, [], LocalWorkers(1), per_hour=0)
    (hub.root / REMEMBERS).write_text("{")
    with pytest.raises(AutograderError, match="remove it"), hub.watch():
        pass


def test_allowance_counts_a_student_over_assignments_and_a_submission_once(tmp_path: Path) -> None:
    now = [1000.0]
    allowance = Allowance(tmp_path / "file", 2, lambda: now[0])
    assert allowance.begin("ada", "ps1", "a") == 0
    now[0] += 600
    assert Allowance(tmp_path / "file", 2, lambda: now[0]).begin("ada", "ps1", "a") == 0, "the same, after a restart"
    assert allowance.begin("ada", "ps2", "b") == 0
    assert allowance.begin("ada", "ps1", "c") == allowance.wait_seconds("ada") == 3000
    assert allowance.begin("ben", "ps1", "c") == 0
    assert (allowance.owes("ada", "ps1"), allowance.owes("ada", "ps2")) == (True, True)
    allowance.finish("ada", "ps1")
    assert (allowance.owes("ada", "ps1"), allowance.owes("ada", "ps2")) == (False, True)
    assert allowance.begin("ada", "ps1", "a") == 3000, "handed in again, it is another"
    now[0] += 3000
    assert allowance.begin("ada", "ps1", "c") == 0
    now[0] = 0.0
    set_back = Allowance(tmp_path / "file", 2, lambda: now[0])
    assert set_back.wait_seconds("ada") <= 3600, "a clock that was set back"
    assert Allowance(tmp_path / "file", 0, lambda: now[0]).wait_seconds("ada") == 0, "no limit"


@pytest.mark.slow
def test_benchmark_measures_a_real_watch_and_ends_it() -> None:
    found = bench_watch(2, tests=2)
    assert 0 < found.median_seconds <= found.worst_seconds
    assert len(found.seconds) == 2
    assert found.met == (max(found.seconds) <= TARGET_SECONDS)
    assert found.to_json()["first_seconds"] == found.first_seconds
