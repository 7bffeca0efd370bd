"""The class of cheats itself: quick checks that it is what it says."""

from __future__ import annotations

import base64
import codecs
import struct
import zlib
from pathlib import Path

import pytest

from autograder.cells import grade_id_of, points_of
from tests.cheats.leaks import hidden_tokens, tokens_in
from tests.cheats.reading import Cheat, cheats, source_notebook
from tests.cheats.table import DOCUMENT, is_careless

CHEATS = cheats()
SOURCE = source_notebook()
MOST = {grade_id_of(cell): points_of(cell) for cell in SOURCE.cells}
TOKEN = "zqshoutin"


def _png(row: bytes) -> bytes:
    chunks = (b"IHDR", struct.pack(">IIBBBBB", len(row), 1, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(data)) + kind + data + bytes(4) for kind, data in chunks)


FORMS = {
    "clear": f"it was {TOKEN}!",
    "capitals": TOKEN.upper(),
    "reversed": TOKEN[::-1],
    "hexadecimal": TOKEN.encode().hex(),
    "rotated": codecs.encode(TOKEN, "rot13"),
    "with dashes": "-".join(TOKEN),
    **{f"base 64, {n} before": base64.b64encode(b"abc"[:n] + TOKEN.encode() + b"after").decode() for n in range(3)},
    **{f"base 64, {n} after": base64.b64encode(TOKEN.encode() + b"abc"[:n]).decode() for n in range(3)},
    "picture": f'<img src="data:image/png;base64,{base64.b64encode(_png(TOKEN.encode())).decode()}">',
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_hidden_token_is_found_in_whatever_form(form: str, tmp_path: Path) -> None:
    (tmp_path / "feedback.html").write_text(f"<html>{form}</html>")
    assert tokens_in(tmp_path, ["zqwordone", TOKEN]) == {TOKEN: "feedback.html"}


def test_numbers_are_found_with_commas_and_in_names_of_files(tmp_path: Path) -> None:
    (tmp_path / "4827159.txt").touch()
    (tmp_path / "page.html").write_text("a message of 9,654,318,000 bytes; it exited with status 83")
    found = tokens_in(tmp_path, ["4827159", "9654318", "5181731"], r"status \d+")
    assert found == {"4827159": "4827159.txt", "9654318": "page.html", "status 83": "page.html"}


def test_every_hidden_part_can_be_recognised() -> None:
    cells = set(hidden_tokens(SOURCE).values())
    assert {grade_id_of(cell) for cell in SOURCE.cells if "BEGIN HIDDEN" in cell.source} <= cells


def test_document_lists_every_cheat_and_no_other() -> None:
    rows = [line.split("|")[1].strip() for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    assert set(rows) == {f"`{cheat.name}`" for cheat in CHEATS}


def test_document_explains_every_source() -> None:
    explained = DOCUMENT.read_text()
    for source in {part for cheat in CHEATS for part in cheat.source.split(", ")} - {"own"}:
        assert f"| {source} |" in explained


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
def test_cheat_says_what_it_is_worth(cheat: Cheat) -> None:
    assert all(0 <= points <= MOST[test] for test, points in cheat.points.items())
    assert cheat.lost - {"rest"} <= MOST.keys()
    assert cheat.points or cheat.steals, "it is after neither points nor hidden parts"
    assert cheat.stays or not any(points == MOST[test] for test, points in cheat.points.items())
    assert not cheat.stays or cheat.steals or any(map(is_careless, cheat.points))
    assert any(section.kind in ("exercise", "edits") for section in cheat.sections)
    assert not any(token in section.source for section in cheat.sections for token in hidden_tokens(SOURCE))
