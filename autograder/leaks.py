"""What a release must not hold and holds all the same: solutions, hidden tests, rubrics, model answers, mutants.

Runs: trusted side.

    secrets     regions of the source's cells, and the files in mutants/
    documents   every text in the release tree, see `documents`

Both are read as words and signs, so that white space, line breaks and kinds of quotes do not matter. Where a document repeats a
secret, the run of tokens they have in common is weighed by the different words in it. Python's keywords and common English words
weigh nothing, nor does what the source itself shows beside the secret, such as the visible part of a test cell or, for a mutant,
the exercise that it changes. A run is a leak if it is a passage, or a whole line that says something, or all of a short solution
or hidden test. So `return x`, an import, or a signature is none.

A given cell or a module may do a part of what an exercise asks for; a run there with less than half of a secret is an overlap,
which people should look at, and no leak.
"""

from __future__ import annotations

import keyword
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat

from autograder.cells import (
    NBGRADERS,
    SOLUTION_BEGIN,
    SOLUTION_END,
    Delimiters,
    Kind,
    grade_id_of,
    kind_of,
    released_source,
    with_solution,
)
from autograder.documents import Document, documents_in

_TOKEN = re.compile(r"[^\W\d_]\w*|_\w*|\d+(?:\.\d+)?|[^\w\s]")
_GRAM = 5
"""Runs of fewer tokens are not looked at."""
PASSAGE, LINE, WHOLE = 9, 6, 3
"""Weight from which a run is a leak: anywhere; where it holds a whole line; where it is a whole solution or hidden test."""
_COMMON = """
a an and are as at be but by can do does each for from has have how i if in into is it its more most must no not of on one or out
over so than that the their them then there these they this to too two up was we what when where which while who why will with you
your
"""
_NO_WEIGHT = frozenset(_COMMON.split()) | frozenset(word.lower() for word in keyword.kwlist)
_EXCERPT = 100
Gram = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A text that no student may get."""

    kind: str
    """`solution`, `hidden test`, `rubric`, `model answer` or `mutant`."""
    origin: str
    """Where it stands: a cell or a file."""
    text: str
    known: str = ""
    """What the source shows beside it, which is no secret."""

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """All of it as tokens."""
        return tokens_of(self.text)

    @cached_property
    def lines(self) -> tuple[tuple[int, int, str], ...]:
        """(first token, one past the last, text) of each line."""
        found, start = [], 0
        for line in self.text.split("\n"):
            end = start + len(tokens_of(line))
            if end > start:
                found.append((start, end, line.strip()))
            start = end
        return tuple(found)

    @cached_property
    def counts(self) -> tuple[bool, ...]:
        """Of each token, whether it is a word that has weight."""
        known = set(_grams(tokens_of(self.known)))
        fresh = [True] * len(self.tokens)
        for start, gram in enumerate(_grams(self.tokens)):
            if gram in known:
                fresh[start : start + _GRAM] = [False] * _GRAM
        return tuple(new and _is_word(token) for new, token in zip(fresh, self.tokens, strict=True))

    def weight(self, start: int, end: int) -> int:
        """How many different words with weight stand from token `start` up to `end`."""
        return len({token for token, counts in zip(self.tokens[start:end], self.counts[start:end], strict=True) if counts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A secret in a document."""

    file: str
    place: str
    """Where in the file, in words."""
    kind: str
    origin: str
    excerpt: str
    """What of the secret is there."""
    overlap: bool = False
    """Whether it may well be meant: a small part of the secret, in code that is given."""

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        return f"{where}: {'repeats a part' if self.overlap else 'holds text'} of the {self.kind} {self.origin}: {self.excerpt!r}"


def find_leaks(cells: Sequence[nbformat.NotebookNode], mutants: Path, release: Path) -> list[Leak]:
    """What the folder `release` holds of the secrets of `cells` and of the files in the folder `mutants`."""
    secrets = [*secrets_of(cells), *_mutant_secrets(cells, mutants)]
    given = frozenset(tokens_of(_public(cell)) for cell in cells)
    search = _Search(secrets)
    return [leak for document in documents_in(release) for leak in (*_markers(document), *search.leaks(document, given))]


def _public(cell: nbformat.NotebookNode) -> str:
    """What the author means students to get of `cell`."""
    is_written = kind_of(cell) is Kind.EXERCISE and cell.cell_type == "code"
    return with_solution(cell.source, None) if is_written else released_source(cell.source)


def secrets_of(cells: Sequence[nbformat.NotebookNode], delimiters: Delimiters = NBGRADERS) -> list[Secret]:
    """What the release must leave out of `cells`."""
    visible = "\n".join(released_source(cell.source, delimiters) for cell in cells if kind_of(cell) is Kind.TEST)
    found = []
    for number, cell in enumerate(cells, 1):
        origin, public = f"in cell {number} ({grade_id_of(cell) or 'no grade id'})", released_source(cell.source, delimiters)
        hidden = _regions(cell.source, delimiters.hidden_begin, delimiters.hidden_end)
        schemes = _regions(cell.source, delimiters.scheme_begin, delimiters.scheme_end)
        found += [Secret(kind="hidden test", origin=origin, text=text, known=visible) for text in hidden]
        found += [Secret(kind="rubric", origin=origin, text=text, known=public) for text in schemes]
        if kind_of(cell) in (Kind.EXERCISE, Kind.ANSWER):
            kind = "solution" if cell.cell_type == "code" else "model answer"
            question = released_source(cells[number - 2].source, delimiters) if kind == "model answer" and number > 1 else ""
            texts = _regions(public, SOLUTION_BEGIN, SOLUTION_END) or [public]
            found += [Secret(kind=kind, origin=origin, text=text, known=question) for text in texts]
    return [secret for secret in found if secret.text.strip()]


def _mutant_secrets(cells: Sequence[nbformat.NotebookNode], folder: Path) -> list[Secret]:
    sources = {grade_id_of(cell): cell.source for cell in cells}
    return [
        Secret(
            kind="mutant",
            origin=f"in mutants/{path.name}",
            text=path.read_text(encoding="utf-8"),
            known=sources.get(path.stem, ""),
        )
        for path in sorted(folder.glob("*.toml"))
    ]


def _regions(source: str, begin: str, end: str) -> list[str]:
    """The texts between the lines that contain `begin` and `end`."""
    found: list[list[str]] = []
    inside = False
    for line in source.split("\n"):
        if begin in line:
            inside = True
            found.append([])
        elif end in line:
            inside = False
        elif inside:
            found[-1].append(line)
    return ["\n".join(lines) for lines in found]


def _markers(document: Document) -> Iterator[Leak]:
    """Markers that are left: what follows one was to be taken out."""
    for marker in (SOLUTION_BEGIN, NBGRADERS.hidden_begin, NBGRADERS.scheme_begin):
        line = next((line for line in document.text.split("\n") if marker in line), None)
        if line is not None:
            yield Leak(file=document.file, place=document.place, kind="marker", origin=marker, excerpt=_short(line.strip()))


class _Search:
    """Finds secrets in documents."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = list(secrets)
        self._places: dict[Gram, list[tuple[int, int]]] = defaultdict(list)
        for number, secret in enumerate(self._secrets):
            for start, gram in enumerate(_grams(secret.tokens)):
                self._places[gram].append((number, start))

    def leaks(self, document: Document, given: frozenset[tuple[str, ...]]) -> Iterator[Leak]:
        """One leak for each secret that `document` holds something of: the heaviest run."""
        tokens = tokens_of(document.text)
        is_given = document.file.endswith(".py") or tokens in given
        heaviest: dict[int, tuple[int, int, int]] = {}
        for number, start, end in self._runs(tokens):
            secret = self._secrets[number]
            weight = secret.weight(start, end)
            if _tells(secret, start, end, weight) and weight > heaviest.get(number, (0, 0, 0))[0]:
                heaviest[number] = (weight, start, end)
        for number, (weight, start, end) in heaviest.items():
            secret = self._secrets[number]
            partly = secret.kind in ("solution", "hidden test", "mutant") and 2 * weight < secret.weight(0, len(secret.tokens))
            yield Leak(
                file=document.file,
                place=document.place,
                kind=secret.kind,
                origin=secret.origin,
                excerpt=_short(" ".join(text for first, last, text in secret.lines if first < end and start < last)),
                overlap=is_given and partly,
            )

    def _runs(self, tokens: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """(secret, first token, one past the last) of each longest run that a secret and `tokens` share."""
        over: dict[tuple[int, int], int] = {}
        for place, gram in enumerate(_grams(tokens)):
            for number, start in self._places.get(gram, ()):
                if over.get((number, start - place), 0) > place:  # within a run that was found
                    continue
                secret, length = self._secrets[number].tokens, _GRAM
                longest = min(len(secret) - start, len(tokens) - place)
                while length < longest and secret[start + length] == tokens[place + length]:
                    length += 1
                over[number, start - place] = place + length - _GRAM + 1
                yield number, start, start + length


def _tells(secret: Secret, start: int, end: int, weight: int) -> bool:
    if weight >= PASSAGE:
        return True
    if secret.kind in ("solution", "hidden test") and (start, end) == (0, len(secret.tokens)):
        return weight >= WHOLE
    return weight >= LINE and any(
        start <= first and last <= end and secret.weight(first, last) >= LINE for first, last, _ in secret.lines
    )


def tokens_of(text: str) -> tuple[str, ...]:
    """The words, numbers and signs of `text`; both kinds of quotes are one."""
    return tuple(_TOKEN.findall(text.replace("'", '"')))


def _grams(tokens: Sequence[str]) -> Iterator[Gram]:
    return zip(*(tokens[shift:] for shift in range(_GRAM)), strict=False)


def _is_word(token: str) -> bool:
    return (token[0].isalnum() or token[0] == "_") and token.lower() not in _NO_WEIGHT


def _short(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 1]}…"
