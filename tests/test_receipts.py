"""The receipt for what was handed in: what it says, what it is held against, and what cannot be done with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError
from traitlets.config import Config

from autograder import cli, configure
from autograder.bench_watch import CONFIG, COURSE
from autograder.receipts import Receipt, SubmitWithReceipt


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A course, its exchange with an assignment in it, and a student who has fetched that."""
    for folder in ("exchange/course/inbound", "exchange/course/outbound/ps1", "course", "ana/ps1/data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "exchange").chmod(0o777)
    for folder in ("exchange/course/outbound/ps1", "ana/ps1"):
        (tmp_path / folder / "ps1.ipynb").write_text("{}")
    (tmp_path / "ana" / "ps1" / "data" / "größe.csv").write_text("1,2\n")
    (tmp_path / "course" / "nbgrader_config.py").write_text(CONFIG.format(course=COURSE, root=str(tmp_path / "exchange")))
    return tmp_path


def hand_in(place: Path, step: Any = SubmitWithReceipt, **settings: Any) -> Path:
    """Hand in what the student has; the folder in the exchange."""
    coursedir = CourseDirectory(course_id=COURSE, assignment_id="ps1", student_id="ana", **settings)
    made = step(coursedir=coursedir, authenticator=Authenticator(), assignment_dir=str(place / "ana"))
    made.root, made.cache = str(place / "exchange"), str(place / "cache")
    made.start()
    return Path(str(made.inbound_path), made.assignment_filename)


def receipts(place: Path) -> list[Path]:
    return sorted((place / "ana" / "receipts").glob("*.txt"))


def asked(place: Path, receipt: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """What `autograder receipt` answers staff."""
    capsys.readouterr()
    status = cli.run(["receipt", str(receipt), "--course", str(place / "course"), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_receipt_agrees_with_what_was_handed_in_and_with_nothing_else(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = hand_in(place)
    (receipt,) = receipts(place)
    text = receipt.read_text()
    assert all(word in text for word in ("ana", "ps1.ipynb", "data/größe.csv", first.name.split("+")[2]))
    assert first.name.rsplit("+")[3] not in text  # who knows the folder's whole name can read it
    status, found = asked(place, receipt, capsys)
    assert (status, found["agrees"], found["others"]) == (cli.OK, True, [])
    assert found["places"][0] | {"written": ""} == {
        "folder": str(first),
        "differences": [],
        "owner": first.owner(),
        "written": "",
    }

    (place / "ana" / "ps1" / "ps1.ipynb").write_text('{"later": 1}')
    second = hand_in(place)
    assert asked(place, receipt, capsys)[1]["others"] == [f"{second.name.split('+')[2]}"]
    (first / "ps1.ipynb").chmod(0o644)
    (first / "ps1.ipynb").write_text("altered")
    (first / "data" / "größe.csv").unlink()
    (first / "more.txt").write_text("x")
    status, found = asked(place, receipt, capsys)
    assert status == cli.ATTENTION
    assert found["places"][0]["differences"] == [
        "data/größe.csv is missing",
        "more.txt is not on the receipt",
        "ps1.ipynb is another",
    ]
    assert cli.run(["receipt", str(receipt), "--course", str(place / "course")]) == cli.ATTENTION
    assert "DIFFERS" in capsys.readouterr().out


def test_links_are_followed_and_what_is_left_out_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = place / "ana" / "ps1"
    (place / "elsewhere.csv").write_text("3,4\n")
    (folder / "linked.csv").symlink_to(place / "elsewhere.csv")
    (folder / "film.bin").write_bytes(b"x" * 2_000_000)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "ps1.ipynb").write_text("{}")
    hand_in(place, max_file_size=1000)
    (receipt,) = receipts(place)
    assert receipt.read_text().partition("NOT handed in")[2].splitlines()[1:] == ["film.bin"]
    status, found = asked(place, receipt, capsys)
    assert status == cli.OK
    assert sorted(found["receipt"]["files"]) == ["data/größe.csv", "linked.csv", "ps1.ipynb"]


def test_what_was_never_handed_in_is_not_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(place)
    (receipt,) = receipts(place)
    made_up = Receipt(course=COURSE, assignment="ps1", student="ana", time="2026-01-01 12:00:00.000000 UTC", files={})
    receipt.write_text(str(made_up))
    status, found = asked(place, receipt, capsys)
    assert (status, found["agrees"], found["places"], len(found["others"])) == (cli.ATTENTION, False, [], 1)


def test_a_receipt_that_was_altered_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(place)
    (receipt,) = receipts(place)
    text = receipt.read_text()
    for altered in (text.replace("ana", "ben"), text.replace("größe", "grosse"), text.partition("SHA-256 of")[0]):
        receipt.write_text(altered)
        status, found = asked(place, receipt, capsys)
        assert status == cli.FAILED
        assert "does not come to its code" in found["error"]
    receipt.write_text(text.replace("ana", "\x1b[2Jana"))  # it is shown in a terminal
    assert "characters that no receipt has" in asked(place, receipt, capsys)[1]["error"]
    receipt.write_text("Good morning")
    assert "is no receipt" in asked(place, receipt, capsys)[1]["error"]
    receipt.write_text(text.replace("\n", "\r\n"))  # as some mail programs do
    assert asked(place, receipt, capsys)[0] == cli.OK


def test_there_is_no_receipt_for_what_did_not_arrive(place: Path) -> None:
    class Torn(SubmitWithReceipt):
        def do_copy(self, src: str, dest: str, log: Any = None) -> None:
            super().do_copy(src, dest, log)
            (Path(dest) / "ps1.ipynb").write_text("{")

    with pytest.raises(ExchangeError, match=r"not what you handed in \(ps1.ipynb\)"):
        hand_in(place, Torn)
    assert receipts(place) == []


def test_a_course_with_an_exchange_of_its_own_keeps_it() -> None:
    ours, theirs = Config(), Config()
    configure(ours)
    theirs.ExchangeFactory.submit = "ngshare_exchange.ExchangeSubmit"
    configure(theirs)
    assert ours.ExchangeFactory.submit == "autograder.receipts.SubmitWithReceipt"
    assert theirs.ExchangeFactory.submit == "ngshare_exchange.ExchangeSubmit"
    assert theirs.ExchangeFactory.release_assignment == "autograder.due.ReleaseWithDue"
