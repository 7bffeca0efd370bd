"""Whatever happens to a worker, each submission comes back once, and nobody is blamed for being near a death."""

from __future__ import annotations

import errno
import pickle
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from autograder import pool
from autograder.errors import PoolError, WallError
from autograder.limits import Limits
from autograder.package import File, GradedNotebook, GradedSubmission, Marks, Package, Rules, Sheet, Submission, packed, unpacked
from autograder.pool import Pool
from autograder.report import CellReport, KernelReport, Report
from autograder.restore import SourceCell
from autograder.verdict import Verdict
from autograder.worker import PackageNeeded
from autograder.workers import LocalWorkers

TEST = SourceCell(
    grade_id="test_f",
    cell_type="code",
    source="assert f() == 1",
    checksum=None,
    grade=True,
    solution=False,
    task=False,
    locked=True,
    points=3.0,
)


def package(**changes: Any) -> Package:
    given: dict[str, Any] = {"limits": Limits(), **changes}
    return Package(
        assignment="ps1",
        sheets=(Sheet(name="ps1", cells=(TEST,), ordered=True),),
        rules=Rules(**given),
        staff={"data.csv": File(content=b"1,2")},
    )


def class_of(*students: str) -> list[Submission]:
    return [Submission(student=student, notebooks={"ps1": b"{}"}) for student in students]


class Workers(Executor):
    """Workers that do what `answer` says, at once, until one of them dies and takes the others with it."""

    lost_together = True
    nursery = ""
    count = 2

    def __init__(self, answer: Callable[[str], GradedSubmission]) -> None:
        self.answer = answer
        self.opened = 0
        self.asked: Counter[str] = Counter()
        self.held = ""
        self.packages: list[str] = []
        self.closed = False

    def open(self, device: str) -> Executor:
        self.opened += 1
        self.held = ""
        return self

    def are_lost(self, error: BaseException) -> bool:
        return isinstance(error, BrokenProcessPool)

    def close(self) -> None:
        self.closed = True

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if not arguments:  # the sign of life
            future.set_result(1)
            return future
        digest, given, submission, _ = arguments
        if given is not None:
            self.held = digest
            self.packages.append(digest)
        student = unpacked(submission).student
        if self.held != digest:
            future.set_exception(PackageNeeded("digest"))
            return future
        self.asked[student] += 1
        try:
            result = self.answer(student)
        except Exception as error:  # noqa: BLE001  what a worker raises is the answer
            future.set_exception(error)
        else:
            future.set_result(packed(result))
        return future


def graded(student: str) -> GradedSubmission:
    return GradedSubmission(student=student)


def test_each_submission_comes_back_once_and_the_package_goes_only_where_it_is_missing() -> None:
    workers = Workers(graded)
    pool = Pool(workers)
    found = [one.student for one in pool.grade(package(), class_of(*"abcdefgh"))]
    assert sorted(found) == list("abcdefgh")
    assert (workers.opened, workers.closed) == (1, False)
    assert set(workers.asked.values()) == {1}
    pool.close()
    assert workers.closed


def test_workers_stay_open_from_round_to_round_and_get_only_a_changed_package() -> None:
    workers = Workers(graded)
    pool = Pool(workers)
    for given, told in ((package(), 1), (package(), 1), (package(sandbox=False), 2), (package(device="cuda"), 3)):
        list(pool.grade(given, class_of("a")))
        assert len(workers.packages) == told
    assert workers.opened == 2, "another device needs other workers"


def test_round_that_is_broken_off_leaves_nothing_to_the_next() -> None:
    def answer(student: str) -> GradedSubmission:
        if student == "wall":
            raise WallError("no wall")
        return graded(student)

    workers = Workers(answer)
    pool = Pool(workers)
    with pytest.raises(WallError):
        list(pool.grade(package(), class_of("wall", "b", "c")))
    assert [one.student for one in pool.grade(package(), class_of("d"))] == ["d"]
    assert workers.opened == 2, "the first ones may still be busy"


def test_submission_that_kills_its_worker_twice_is_given_up_and_the_others_are_graded() -> None:
    def answer(student: str) -> GradedSubmission:
        if student == "killer":
            raise BrokenProcessPool("a worker died")
        return graded(student)

    workers = Workers(answer)
    found = {one.student: one for one in Pool(workers).grade(package(), class_of("a", "b", "killer", "c", "d"))}
    assert sorted(found) == ["a", "b", "c", "d", "killer"]
    (notebook,) = found["killer"].notebooks
    assert notebook.marks.points == {"test_f": None}
    assert [(cell.verdict, cell.points, cell.max_points) for cell in notebook.report.cells] == [(Verdict.INTERNAL, None, 3.0)]
    assert workers.asked["killer"] == 2


def test_worker_that_dies_once_costs_nobody_anything() -> None:
    deaths = iter([True])

    def answer(student: str) -> GradedSubmission:
        if student == "b" and next(deaths, False):
            raise BrokenProcessPool("killed")
        return graded(student)

    found = list(Pool(Workers(answer)).grade(package(), class_of("a", "b", "c")))
    assert sorted(one.student for one in found) == ["a", "b", "c"]
    assert all(one == graded(one.student) for one in found)


@pytest.mark.parametrize("lasts", [False, True])
def test_submission_whose_kernel_was_killed_or_at_which_the_grader_failed_is_tried_once_more(lasts: bool) -> None:
    ends = {"killed": KernelReport(source="warm", end="died: killed by signal 9 (SIGKILL)"), "fails": KernelReport(source="warm")}
    cell = CellReport(grade_id="test_f", verdict=Verdict.INTERNAL, points=None, max_points=3.0)
    disturbed = {
        name: Report(cells=(cell,) if name == "fails" else (), kernel=end, assignment="ps1") for name, end in ends.items()
    }

    def answer(student: str) -> GradedSubmission:
        if student in disturbed and (lasts or workers.asked[student] == 1):
            marks = Marks(points={}, comments={})
            notebook = GradedNotebook(name="ps1", content=b"", report=disturbed[student], marks=marks)
            return GradedSubmission(student=student, notebooks=(notebook,))
        return graded(student)

    workers = Workers(answer)
    found = {one.student: one for one in Pool(workers).grade(package(), class_of("a", "killed", "fails"))}
    assert workers.asked == {"a": 1, "killed": 2, "fails": 2}
    assert [bool(found[name].notebooks) for name in ("a", "killed", "fails")] == [False, lasts, lasts]


def test_full_disk_of_a_worker_ends_the_run_and_costs_nobody_anything() -> None:
    def answer(student: str) -> GradedSubmission:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/autograder-x")

    with pytest.raises(PoolError, match=r"no room .* in /tmp/autograder-x: No space left on device.*TMPDIR"):
        list(Pool(Workers(answer)).grade(package(), class_of("a", "b")))


def test_error_of_one_submission_is_its_problem_alone() -> None:
    def answer(student: str) -> GradedSubmission:
        if student == "b":
            raise ZeroDivisionError("ours")
        return graded(student)

    found = {one.student: one.problem for one in Pool(Workers(answer)).grade(package(), class_of("a", "b"))}
    assert found == {"a": "", "b": "grading failed with ZeroDivisionError: ours"}


def test_missing_wall_ends_the_run() -> None:
    def answer(student: str) -> GradedSubmission:
        raise WallError("no wall")

    with pytest.raises(WallError, match="no wall"):
        list(Pool(Workers(answer)).grade(package(), class_of("a", "b")))


def test_workers_that_die_before_they_begin_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead(Workers):
        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(BrokenProcessPool("dead"))
            return future

    monkeypatch.setattr(pool, "_START_SECONDS", 1.0)
    with pytest.raises(PoolError, match="a fresh worker died"):
        list(Pool(Dead(graded)).grade(package(), class_of("a")))


def test_submissions_are_read_only_as_they_are_needed() -> None:
    read = []

    def reading() -> Any:
        for one in class_of(*"abcdefghijkl"):
            read.append(one.student)
            yield one

    results = Pool(Workers(graded)).grade(package(), reading())
    next(results)
    assert len(read) <= 5
    assert len(list(results)) == 11


def test_source_with_nothing_at_the_moment_is_asked_again_while_others_are_graded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_ASK_SECONDS", 0.01)
    slow: Future[Any] = Future()
    asked = []

    class Slow(Workers):
        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            return slow if unpacked(arguments[2]).student == "slow" else super().submit(function, *arguments)

    def source() -> Any:
        yield from class_of("slow")
        for _ in range(3):
            asked.append(1)
            yield None
        yield from class_of("late")
        slow.set_result(packed(graded("slow")))

    found = [one.student for one in Pool(Slow(graded)).grade(package(), source())]
    assert sorted(found) == ["late", "slow"]
    assert len(asked) == 3


def test_folder_in_which_no_socket_can_lie_is_told_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with pytest.raises(PoolError, match="at most 60 bytes: TMPDIR=/tmp"):
        LocalWorkers(1)
    assert list(long.iterdir()) == []


@pytest.mark.parametrize(
    "changed",
    [package(limits=Limits(cell_seconds=1)), package(device="cuda"), package(unexamined=("x",)), package(sandbox=False)],
)
def test_digest_tells_packages_apart(changed: Package) -> None:
    again = pickle.loads(pickle.dumps(package()))
    assert again == package()
    assert again.digest() == package().digest() != changed.digest()


def test_digest_of_a_submission_depends_on_every_file() -> None:
    one = Submission(student="a", notebooks={"ps1": b"{}"}, files={"x": File(content=b"1")})
    other = Submission(student="a", notebooks={"ps1": b"{}"}, files={"x": File(content=b"2")})
    moved = Submission(student="a", notebooks={"ps1": b"{}"}, files={"y": File(content=b"1")})
    assert len({one.digest(), other.digest(), moved.digest()}) == 3
