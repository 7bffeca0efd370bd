"""Every text in a folder: names, contents, members of archives, each string of a notebook or JSON file.

Runs: trusted side.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import json
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_BYTES = 500_000_000
"""The most that one file may hold once unpacked."""
_MAX_DEPTH = 6
_UNPACK = ((b"\x1f\x8b", gzip.decompress), (b"BZh", bz2.decompress), (b"\xfd7zXZ", lzma.decompress))
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{64,}={0,2}\s*")
_PRINTABLE = re.compile(rb"[\t\n\r -~]{8,}")
_PNG, _ZLIB_CHUNKS = b"\x89PNG", (b"zTXt", b"iTXt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One piece of text and where it is."""

    file: str
    """Path in the folder."""
    place: str
    """Where in the file, in words; empty for all of it."""
    text: str

    def __str__(self) -> str:
        return f"{self.file}, {self.place}" if self.place else self.file


def documents_in(folder: Path) -> Iterator[Document]:
    """Every text below `folder`, file by file in order of their names.

    Of a file that is not text the printable runs count; NULs are left out before, which shows strings in UTF-16 and UTF-32 too.
    """
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        yield Document(file=name, place="its name", text=name)
        for place, text in _texts(path.read_bytes(), name, "", 0):
            yield Document(file=name, place=place, text=text)


def _texts(data: bytes, name: str, place: str, depth: int) -> Iterator[tuple[str, str]]:
    """(place, text) of everything in the file `name`."""
    members = list(_members(data, name)) if depth < _MAX_DEPTH else []
    for member, content in members:
        inside = f"{place}, {member}" if place else member
        yield inside, member
        yield from _texts(content, member, inside, depth + 1)
    text = _text(data)
    strings = list(_strings(text, name)) if not members else []
    for key, value in strings:
        inside = f"{place}, {key}" if place else key
        yield inside, value
        if _BASE64.fullmatch(value):
            yield from _decoded(value, inside, depth)
    if not strings:
        yield place, text


def _text(data: bytes) -> str:
    with suppress(UnicodeDecodeError):
        if b"\0" not in data:
            return data.decode("utf-8")
    return "\n".join(run.decode("ascii") for run in _PRINTABLE.findall(data.replace(b"\0", b"")))


def _decoded(value: str, place: str, depth: int) -> Iterator[tuple[str, str]]:
    try:
        data = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return
    yield from _texts(data, "", place, depth + 1)


def _members(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of what is packed in `data`; nothing where it is no archive or a broken one."""
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                infos = [info for info in archive.infolist() if not info.is_dir()]
                if sum(info.file_size for info in infos) <= MAX_BYTES:
                    yield from ((info.filename, archive.read(info)) for info in infos)
                yield from [("its comment", archive.comment)] if archive.comment else []
            return
        for magic, unpack in _UNPACK:
            if data.startswith(magic):
                yield Path(name).stem or "unpacked", unpack(data)
                return
        if data[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                for member in archive:
                    file = archive.extractfile(member)
                    if file is not None:
                        yield member.name, file.read()
        if data.startswith(_PNG):
            yield from _png_texts(data)
    except (OSError, ValueError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError):
        return


def _png_texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The compressed texts of a picture; its plain ones can be read as they are."""
    start = 8
    while start + 8 <= len(data):
        length, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        chunk = data[start + 8 : start + 8 + length]
        packed = chunk.find(b"\x78")  # where a zlib stream begins
        if kind in _ZLIB_CHUNKS and packed >= 0:
            yield kind.decode(), zlib.decompressobj().decompress(chunk[packed:])
        start += length + 12


def _strings(text: str, name: str) -> Iterator[tuple[str, str]]:
    """(where, string) of each string in a notebook or other JSON file; nothing where it is none."""
    if not name.endswith((".ipynb", ".json")):
        return
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return
    if name.endswith(".ipynb") and isinstance(data, dict) and isinstance(data.get("cells"), list):
        for number, cell in enumerate(data.pop("cells"), 1):
            yield from _leaves(cell, [_cell_name(number, cell)])
    yield from _leaves(data, [])


def _cell_name(number: int, cell: Any) -> str:
    with suppress(AttributeError, KeyError, TypeError):
        return f"cell {number} ({cell['metadata']['nbgrader']['grade_id']})"
    return f"cell {number}"


def _leaves(data: Any, path: list[str]) -> Iterator[tuple[str, str]]:
    """Strings, names of keys, and lists of lines, which count as one string."""
    if isinstance(data, list) and data and all(isinstance(line, str) for line in data):
        data = "".join(data) if all(line.endswith("\n") for line in data[:-1]) else "\n".join(data)
    if isinstance(data, str):
        yield " ".join(path), data
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _leaves(value, [*path, str(number)])
    elif isinstance(data, dict):
        for key, value in data.items():
            yield " ".join([*path, "key"]), key
            yield from _leaves(value, [*path, key])
