"""The receipt that a student keeps of handing in, and holding it against what the course has.

Runs: trusted side; it is written on the student's machine, and held against the submission on that of course staff.

`nbgrader submit`, with our two lines, reads what it has put into the exchange back from there, and only then writes the receipt.
A receipt is text that a person can read: for each file its SHA-256, and a code over all of it. Anybody who has the files can
write one, so it proves which files they are, and not by itself that they were handed in: for that there is the exchange's folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.exchange.default import ExchangeSubmit
from nbgrader.utils import parse_utc

from autograder.delivery import Delivery
from autograder.errors import DeliveryError
from autograder.files import matches, walk

FOLDER = "receipts"
"""Where a student finds them, beside the assignments."""
_ADDED = ("timestamp.txt", "submission_secret.txt")
"""What nbgrader adds to what is handed in."""
_FIELDS = ("course", "assignment", "student", "time")
_MEANING = """\
Keep this file. Where there is doubt about what you handed in, send it to course staff: `autograder receipt` holds it
against what the course has. It says which files these were, byte for byte. The time is by the clock of the machine
on which you handed in; the disk of the exchange has its own.
"""
_LEFT_OUT = "\nNOT handed in, because it is too large or of a kind that the course does not take:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was handed in, by whom and when."""

    course: str
    assignment: str
    student: str
    time: str
    """As in nbgrader's `timestamp.txt`."""
    files: Mapping[str, str]
    """Relative path -> SHA-256."""

    @property
    def code(self) -> str:
        """SHA-256 of everything else."""
        lines = [
            *(getattr(self, name) for name in _FIELDS),
            *(f"{digest}  {path}" for path, digest in sorted(self.files.items())),
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def __str__(self) -> str:
        fields = "".join(f"{name.capitalize():11} {getattr(self, name)}\n" for name in _FIELDS)
        files = "".join(f"{digest}  {path}\n" for path, digest in sorted(self.files.items()))
        return f"RECEIPT\n\n{fields}{'Code':11} {self.code}\n\n{_MEANING}\nSHA-256 of each file:\n{files}"

    @classmethod
    def read(cls, path: Path) -> Receipt:
        """The receipt in the file at `path`.

        Raises:
            DeliveryError: it is none, or not as it was written.
        """
        text = path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
        found = dict(re.findall(r"^(\w+) +(.+)$", text.partition(_MEANING[:9])[0], re.M))
        files = {name: digest for digest, name in re.findall(r"^([0-9a-f]{64})  (.+)$", text, re.M)}
        missing = [name.capitalize() for name in (*_FIELDS, "code") if name.capitalize() not in found]
        if missing:
            raise DeliveryError(
                f"{path} is no receipt: it has no line {missing[0]!r}. Ask for the file itself, not for a copy of it."
            )
        if not all(word.isprintable() for word in (*found.values(), *files)):
            raise DeliveryError(f"{path} is not as it was written: it holds characters that no receipt has.")
        receipt = cls(files=files, **{name: found[name.capitalize()] for name in _FIELDS})
        if receipt.code != found["Code"]:
            raise DeliveryError(
                f"{path} is not as it was written: what it says does not come to its code. Ask for the file itself; the student "
                f"has it in the folder {FOLDER}/ beside the assignments."
            )
        return receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A copy of the submission that the course has."""

    folder: Path
    differences: tuple[str, ...]
    owner: str
    written: datetime
    """When it was last written to, by the disk's clock."""

    def to_json(self) -> dict[str, Any]:
        """The place as plain data."""
        return {
            "folder": str(self.folder),
            "differences": list(self.differences),
            "owner": self.owner,
            "written": self.written.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a receipt says, and what there is."""

    receipt: Receipt
    places: tuple[Place, ...]
    others: tuple[str, ...]
    """Times of other submissions by this student of this assignment."""

    @property
    def agrees(self) -> bool:
        """Whether the course has what the receipt says, wherever it has it."""
        return bool(self.places) and not any(place.differences for place in self.places)

    def __str__(self) -> str:
        receipt = self.receipt
        lines = [f"{receipt.student}, {receipt.assignment}, handed in {receipt.time}, code {receipt.code}"]
        for place in self.places:
            same = "agrees" if not place.differences else f"DIFFERS: {'; '.join(place.differences)}"
            lines.append(f"  {place.folder}: {same}")
            lines.append(f"    belongs to {place.owner}, last written {place.written:%Y-%m-%d %H:%M:%S} UTC by its disk's clock")
        if not self.places:
            lines.append("  NOT FOUND: the course has no submission of that time, neither in the exchange nor collected.")
        if self.others:
            lines.append(f"  others by {receipt.student}: {', '.join(self.others)}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain data."""
        receipt = {name: getattr(self.receipt, name) for name in (*_FIELDS, "code")} | {"files": dict(self.receipt.files)}
        places = [place.to_json() for place in self.places]
        return {"agrees": self.agrees, "receipt": receipt, "places": places, "others": list(self.others)}


class SubmitWithReceipt(ExchangeSubmit):  # type: ignore[misc]
    """nbgrader's, which then looks at what arrived and writes the receipt."""

    def copy_files(self) -> None:
        """Hand in, look, and write the receipt beside the assignment."""
        super().copy_files()
        try:
            arrived, mine = digests(Path(self.inbound_path) / self.assignment_filename), digests(Path(self.src_path))
        except OSError as error:
            self.fail(f"It is handed in, but could not be read back, so there is no receipt: {error}. Tell course staff.")
        wrong = sorted(path for path, digest in arrived.items() if mine.get(path, digest) != digest)  # links were followed
        if wrong or not any(path.endswith(".ipynb") for path in arrived):
            self.fail(
                f"What arrived in the exchange is not what you handed in ({', '.join(wrong) or 'no notebook is there'}). Its "
                "disk may be full, or a file was being saved. Hand in again, and tell course staff if this comes back."
            )
        receipt = Receipt(
            course=self.coursedir.course_id,
            assignment=self.coursedir.assignment_id,
            student=self.assignment_filename.rsplit("+", 3 if self.add_random_string else 2)[0],
            time=self.timestamp,
            files=arrived,
        )
        left_out = sorted(path for path in mine if path not in arrived and not matches(path, self.coursedir.ignore))
        text = f"{receipt}{_LEFT_OUT}{chr(10).join(left_out)}\n" if left_out else str(receipt)
        folder = Path(self.assignment_dir) / FOLDER
        path = folder / f"{receipt.assignment} {parse_utc(self.timestamp):%Y-%m-%d %H.%M.%S.%f} UTC.txt"
        try:
            folder.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:  # it is handed in all the same
            self.log.error("It is handed in, but the receipt could not be written: %s\n%s", error, text)
            return
        self.log.info("Receipt: %s, code %s", path, receipt.code)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below `folder` that the student handed in, by its path; links are not followed."""
    found: dict[str, str] = {}
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path, status in walk(opened):
            if stat.S_ISREG(status.st_mode) and path not in _ADDED:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=opened)
                with os.fdopen(descriptor, "rb") as file:
                    found[path] = hashlib.file_digest(file, "sha256").hexdigest()
    finally:
        os.close(opened)
    return found


def compare(path: Path, course: Path) -> Comparison:
    """Hold the receipt at `path` against what the course in the folder `course` has.

    Raises:
        DeliveryError: it is no receipt, or what there is cannot be read.
    """
    receipt = Receipt.read(path)
    places: list[Place] = []
    others: list[str] = []
    for folder, time, owner in Delivery(course).copies_of(receipt.student, receipt.assignment):
        if time != parse_utc(receipt.time):
            others.append(f"{time:%Y-%m-%d %H:%M:%S.%f} UTC")
            continue
        there = digests(folder)
        wrong = [f"{name} is missing" for name in receipt.files if name not in there]
        wrong += [f"{name} is another" for name, digest in there.items() if receipt.files.get(name, digest) != digest]
        wrong += [f"{name} is not on the receipt" for name in there if name not in receipt.files]
        written = max(entry.stat().st_mtime for entry in (folder, *folder.iterdir()))
        places.append(
            Place(folder=folder, differences=tuple(sorted(wrong)), owner=owner, written=datetime.fromtimestamp(written, UTC))
        )
    return Comparison(receipt=receipt, places=tuple(places), others=tuple(sorted(set(others))))
