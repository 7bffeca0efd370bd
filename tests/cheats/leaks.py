"""Finds hidden parts of the assignment in what a student gets, also when they are reversed, encoded, or in a picture."""

from __future__ import annotations

import base64
import codecs
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import nbformat

from autograder.cells import grade_id_of, released_source

_TOKEN = re.compile(r"zq[a-z]+|\d{7,}|\d{4}\.\d{3}")
_PICTURE = re.compile(rb"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
_SAID = "say"
"""How tokens end that are the message of a check."""


def hidden_tokens(source: nbformat.NotebookNode) -> dict[str, str]:
    """Each token that only the hidden parts of the assignment hold -> the cell that it is in."""
    found: dict[str, str] = {}
    released = "\n".join(map(_released, source.cells))
    for cell in source.cells:
        for token in _TOKEN.findall(cell.source):
            if token not in released:
                found[token] = grade_id_of(cell) or ""
    return found


def _released(cell: nbformat.NotebookNode) -> str:
    """What a student gets of a cell: neither solution nor hidden tests."""
    return re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "", released_source(cell.source), flags=re.S)


def is_message(token: str) -> bool:
    """Whether a token is the message of a hidden check, which a student may read once that check has failed."""
    return token.startswith("zq") and token.endswith(_SAID)


def tokens_in(folder: Path, tokens: list[str], sends: str = "") -> dict[str, str]:
    """Each of `tokens`, and each text that matches `sends`, that is in a name or the content of the files below `folder`, in
    clear or not -> where."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        for content in _readings(name.encode() + b"\n" + (path.read_bytes() if path.is_file() else b"")):
            for token in tokens:
                if token not in found and any(form in content for form in _forms(token)):
                    found[token] = name
            text = re.search(sends.encode(), content) if sends else None
            if text is not None:
                found.setdefault(text[0].decode(errors="replace"), name)
    return found


def _readings(content: bytes) -> Iterator[bytes]:
    """`content` in small letters and without commas between digits, and the bytes of the pictures in it."""
    yield re.sub(rb"(?<=\d),(?=\d)", b"", content.lower())
    yield content  # where capital letters matter
    for picture in _PICTURE.findall(content):
        yield from _pixels(base64.b64decode(re.sub(rb"\s", b"", picture)))


def _pixels(png: bytes) -> Iterator[bytes]:
    yield png
    place, data = 8, b""
    while place + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += length + 12
    try:
        yield zlib.decompress(data)
    except zlib.error:
        return


def _forms(token: str) -> set[bytes]:
    """How `token` may be written."""
    plain = token.encode()
    forms = {plain, plain[::-1], plain.hex().encode(), codecs.encode(token, "rot13").encode(), "-".join(token).encode()}
    for before in range(3):  # base64 without what depends on the neighbours
        coded = base64.b64encode(b"x" * before + plain)
        forms.add(coded[(0, 2, 3)[before] : len(coded) - (0, 4, 3)[(before + len(plain)) % 3]])
    return forms
