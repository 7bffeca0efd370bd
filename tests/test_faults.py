"""Where there is no room left: a clear error, nothing half-written, nothing held against a student; the same command goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import folders
from autograder.folders import Scratch, put_in_place
from tests import make
from tests.test_course import GOOD, SOURCE, TRIPLE
from tests.traces import tables, tree

STUDENTS = 6
MEGABYTE = 1 << 20


class Disk:
    """A disk of its own in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(path)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"a disk can be mounted only by root: {done.stderr.strip()}")

    def fill(self, left: int) -> None:
        """Leave room for so many bytes."""
        room = shutil.disk_usage(self.path).free - left
        with (self.path / "filler").open("ab") as file:
            file.write(bytes(max(0, room)))

    def free(self) -> None:
        """Take away what `fill` put there."""
        (self.path / "filler").unlink()


@pytest.fixture
def disk() -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(prefix="ag-") as folder:  # short: a unix socket's path has at most 107 bytes
        disk = Disk(Path(folder) / "disk")
        yield disk
        subprocess.run(["umount", "-l", str(disk.path)], check=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[make.Course, make.Course]:
    """A class as handed in, and graded with its feedback written."""
    folder = tmp_path_factory.mktemp("faults")
    before = make.Course(folder / "before")
    released = before.release("ps1", SOURCE)
    for number in range(STUDENTS):
        wrong = {"double": "def double(x):\n    return x"} if number % 3 == 0 else {}
        before.submit(f"s{number}", "ps1", make.replaced(released, {"double": GOOD, "triple": TRIPLE, **wrong}))
        before.root.joinpath("submitted", f"s{number}", "ps1", "data.bin").write_bytes(bytes(MEGABYTE))
    shutil.copytree(before.root, folder / "after")
    after = make.Course(folder / "after")
    assert after.autograder("grade", "ps1").returncode == 0
    return before, after


def url(course: make.Course) -> str:
    return f"sqlite:///{course.root / 'gradebook.db'}"


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed said."""
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert done.args[3] == "feedback" or "Traceback" not in done.stderr, done.stderr  # nbgrader's log of feedback has some
    said = json.loads(done.stdout)["error"]
    assert "run the same command again" in said
    return str(said)


def assert_it_goes_on(course: make.Course, after: make.Course) -> None:
    begun = [path for path in course.root.glob("autograded/*/.*") if list(path.iterdir())]
    assert begun == [], "an empty one says that the gradebook may be further than the folder"
    done = course.autograder("grade", "ps1", "--json")
    assert done.returncode == 0, done.stderr
    assert tables(url(course)) == tables(url(after))
    assert tree(course) == tree(after)


def test_full_disk_is_told_and_the_same_command_goes_on(undisturbed: tuple[make.Course, make.Course], disk: Disk) -> None:
    before, after = undisturbed
    shutil.copytree(before.root, disk.path / "course")
    course = make.Course(disk.path / "course")
    disk.fill(left=3 * MEGABYTE)
    said = error_of(course.autograder("grade", "ps1", "--json"))
    assert f"{course.root}/autograded/s" in said
    assert "could not be written: No space left on device. Nothing of it is left half-written." in said
    assert 1 <= len(list(course.root.glob("autograded/*/ps1"))) < STUDENTS
    disk.free()
    assert_it_goes_on(course, after)
    disk.fill(left=MEGABYTE)
    said = error_of(course.autograder("feedback", "ps1", "--json"))
    assert f"{course.root}/feedback/s" in said or "gradebook.db cannot be used" in said
    assert [path.name for path in course.root.iterdir() if "under-way" in path.name] == []
    disk.free()
    pages = json.loads(course.autograder("feedback", "ps1", "--json").stdout)
    assert [page["problem"] for page in pages if page["problem"]] == []
    assert len(list(course.root.glob("feedback/*/ps1/ps1.html"))) == STUDENTS


def test_disk_without_room_for_temporary_files_is_our_failure(
    undisturbed: tuple[make.Course, make.Course], disk: Disk, tmp_path: Path
) -> None:
    before, after = undisturbed
    course = make.Course(shutil.copytree(before.root, tmp_path / "course"))
    disk.fill(left=MEGABYTE // 2)
    command = [sys.executable, "-m", "autograder", "grade", "ps1", "--workers", "2", "--json"]
    said = error_of(make.run(command, course.root, environment={"TMPDIR": str(disk.path)}))
    assert "a worker has no room for its temporary files" in said
    assert str(disk.path) in said
    assert list(course.root.glob("autograded/*/ps1")) == []
    assert [path.name for path in disk.path.iterdir()] == ["filler"]
    assert_it_goes_on(course, after)


def test_scratch_folder_of_the_dead_is_removed_and_that_of_the_living_is_not(tmp_path: Path) -> None:
    ask = "import sys, time; from autograder.folders import Scratch; from pathlib import Path\n"
    ask += "kept = Scratch('run-', Path(sys.argv[1])); print(kept.path, flush=True); time.sleep(60)"
    living, dead = (
        subprocess.Popen([sys.executable, "-c", ask, str(tmp_path)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    )
    with living, dead:
        theirs, left = (Path(process.stdout.readline().strip()) for process in (living, dead) if process.stdout)
        (left / "deep" / "er").mkdir(parents=True)
        (tmp_path / "run-file").touch()
        (tmp_path / "run-link").symlink_to(theirs)
        (tmp_path / "other").mkdir()
        dead.kill()
        dead.wait()
        ours = Scratch("run-", tmp_path)
        assert theirs.is_dir()
        assert not left.exists()
        ours.close()
        assert {path.name for path in tmp_path.iterdir()} == {theirs.name, "run-file", "run-link", "other"}
        living.terminate()


def test_folder_is_put_in_place_whole(tmp_path: Path) -> None:
    final, partial = tmp_path / "ps1", folders.beside(tmp_path / "ps1", "partial")
    for text in ("old", "new"):
        partial.mkdir()
        (partial / "file").write_text(text)
        put_in_place(partial, final)
        assert (final / "file").read_text() == text
    put_in_place(partial, final, there=False)
    assert list(tmp_path.iterdir()) == []
