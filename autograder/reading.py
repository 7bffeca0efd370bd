"""How a notebook reads: its size against the budgets, labels of its plots, links and citations that lead somewhere.

Runs: trusted side.

Measured is what students get: solutions as stubs, no hidden tests, no rubrics. Nothing is fetched.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import unquote

import nbformat

from autograder.cells import SOLUTION_BEGIN, SOLUTION_END, Kind, grade_id_of, kind_of, released_source, with_solution
from autograder.plots import functions_in, unlabelled

_NO_PROSE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]+`|\$\$.*?\$\$|\$[^$\n]+\$|<!--.*?-->", re.DOTALL | re.MULTILINE)
"""Code and formulas: brackets in them are no links."""
_INLINE = re.compile(r"\]\(\s*<?([^\s)>]+)>?(?:\s+[\"'][^)]*)?\)")
_DEFINED = re.compile(r"^ {0,3}\[([^\]^]+)\]:\s*<?(\S+?)>?(?:\s|$)", re.MULTILINE)
_HTML = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)\s*=\s*[\"']([^\"']+)", re.IGNORECASE)
_ANCHOR = re.compile(r"<\w+\b[^>]*?\b(?:id|name)\s*=\s*[\"']([^\"']+)", re.IGNORECASE)
_BARE_URL = re.compile(r"https?://[^\s)>\]\"']+")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$", re.MULTILINE)
_REFERENCES = re.compile(r"(?:[\d.]+\s+)?(references|literature|bibliography|sources|further reading)\b", re.IGNORECASE)
_NAME = r"[A-Z][\w'\u2019-]*[a-zà-ÿ][\w'\u2019-]*"
_CITATION = re.compile(rf"({_NAME})(?:,? (?:et al\.?|and {_NAME}|& {_NAME}))?,? ((?:19|20)\d\d)[a-z]?(?:, .*)?")
_BRACKETS = re.compile(r"[\[(]([^\[\]()]*\b(?:19|20)\d\d[a-z]?[^\[\]()]*)[\])](?!\()")
_NARRATIVE = re.compile(rf"({_NAME}) (?:et al\.?|and {_NAME}) \(((?:19|20)\d\d)[a-z]?\)")
_NO_AUTHORS = re.compile(
    "January|February|March|April|May|June|July|August|September|October|November|December|Spring|Summer|Autumn|Winter|"
    "Since|Until|From|In|Before|After|Version|Python"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured size with its budget."""

    name: str
    measured: float
    low: float
    high: float
    """Both ends are within the budget."""
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is within its budget."""
        return self.low <= self.measured <= self.high

    def __str__(self) -> str:
        budget = f"at most {self.high:g}" if self.low == 0 else f"{self.low:g}-{self.high:g}"
        return f"{self.name} {self.measured:g}{self.unit} (budget {budget}{self.unit})"

    def to_json(self) -> dict[str, Any]:
        """The figure as plain data."""
        return {"name": self.name, "measured": self.measured, "low": self.low, "high": self.high, "holds": self.holds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one notebook reads."""

    figures: tuple[Figure, ...]
    problems: tuple[str, ...]
    """Plots without labels, links and citations that lead nowhere."""
    urls: tuple[str, ...]
    """Addresses of other places; whether they exist is not looked up."""


def read_over(cells: Sequence[nbformat.NotebookNode], modules: Mapping[str, str], staged: Collection[str]) -> Reading:
    """How the notebook of `cells` reads.

    modules: name -> source of each module that lies beside it. staged: paths of all files that do.
    """
    public = [_public(cell) for cell in cells]
    functions = functions_in([*modules.values(), *(cell.source for cell in cells if cell.cell_type == "code")])
    problems = [
        f"{_name(number, cell)} draws a figure without {' and without '.join(lacks)}"
        for number, cell in enumerate(cells, 1)
        if cell.cell_type == "code" and (lacks := unlabelled(cell.source, functions))
    ]
    texts = {number: public[number - 1] for number, cell in enumerate(cells, 1) if cell.cell_type == "markdown"}
    prose = {number: _NO_PROSE.sub(" ", text) for number, text in texts.items()}
    anchors = set(_anchors(texts.values()))
    for number, text in prose.items():
        attached = cells[number - 1].get("attachments", {})
        lost = [target for target in _targets(text) if not _resolves(target, anchors, staged, attached)]
        lost += [f"[{name}]" for name in _undefined(text, prose.values())]
        problems += [f"{_name(number, cells[number - 1])}: the link to {target} leads nowhere" for target in lost]
    problems += _lost_citations(cells, prose)
    urls = dict.fromkeys(url.rstrip(".,;") for text in prose.values() for url in _BARE_URL.findall(text))
    return Reading(figures=tuple(_figures(cells, public)), problems=tuple(problems), urls=tuple(urls))


def solution_lines(source: str) -> int:
    """How many lines that are not blank a solution cell asks for: those between the markers, or all where there are none."""
    lines, count, inside = source.split("\n"), 0, SOLUTION_BEGIN not in source
    for line in lines:
        if SOLUTION_BEGIN in line or SOLUTION_END in line:
            inside = SOLUTION_BEGIN in line
        elif inside and line.strip():
            count += 1
    return count


def _public(cell: nbformat.NotebookNode) -> str:
    """What students get of `cell`."""
    if kind_of(cell) is Kind.ANSWER:
        return ""
    is_written = kind_of(cell) is Kind.EXERCISE and cell.cell_type == "code"
    return with_solution(cell.source, None) if is_written else released_source(cell.source)


def _name(number: int, cell: nbformat.NotebookNode) -> str:
    grade_id = grade_id_of(cell)
    return f"cell {number} ({grade_id})" if grade_id else f"cell {number}"


def _figures(cells: Sequence[nbformat.NotebookNode], public: Sequence[str]) -> Iterator[Figure]:
    kinds = [cell.cell_type for cell in cells]
    code = sorted(len(text.splitlines()) for kind, text in zip(kinds, public, strict=True) if kind == "code")
    words = [len(text.split()) for kind, text in zip(kinds, public, strict=True) if kind == "markdown" and text.strip()]
    headings = sum(
        len(_HEADING.findall(_NO_PROSE.sub(" ", text))) for kind, text in zip(kinds, public, strict=True) if kind == "markdown"
    )
    asked = [solution_lines(cell.source) for cell in cells if kind_of(cell) is Kind.EXERCISE and cell.cell_type == "code"]
    yield Figure(name="cells", measured=len(cells), low=40, high=80)
    yield Figure(name="share of code cells", measured=round(100 * len(code) / max(1, len(cells))), low=40, high=60, unit=" %")
    yield Figure(name="lines of a code cell, median", measured=median(code or [0]), low=0, high=8)
    yield Figure(name="lines of a code cell, 90th percentile", measured=_percentile(code, 0.9), low=0, high=25)
    yield Figure(name="lines of the longest code cell", measured=max(code, default=0), low=0, high=60)
    yield Figure(name="words of a text cell, median", measured=median(words or [0]), low=30, high=60)
    yield Figure(name="headings", measured=headings, low=8, high=20)
    if asked:
        yield Figure(name="lines of the shortest solution", measured=min(asked), low=2, high=15)
        yield Figure(name="lines of the longest solution", measured=max(asked), low=2, high=15)


def _percentile(ordered: Sequence[int], part: float) -> int:
    """The smallest value that at least `part` of the ordered values do not exceed."""
    return ordered[math.ceil(part * len(ordered)) - 1] if ordered else 0


def _targets(text: str) -> Iterator[str]:
    yield from _INLINE.findall(text)
    yield from _HTML.findall(text)
    yield from (target for _, target in _DEFINED.findall(text))


def _undefined(text: str, texts: Iterable[str]) -> list[str]:
    """Names of links of the form [text][name] that no cell defines."""
    defined = {name.lower() for one in texts for name, _ in _DEFINED.findall(one)}
    return [name for name in re.findall(r"\]\[([^\]]+)\]", text) if name.lower() not in defined]


def _anchors(texts: Iterable[str]) -> Iterator[str]:
    """What `#...` may lead to: headings as Jupyter and as GitHub name them, and what HTML names."""
    for text in texts:
        for _, heading in _HEADING.findall(text):
            yield heading.replace(" ", "-").lower()
            yield re.sub(r"[^\w\- ]", "", heading).replace(" ", "-").lower()
        yield from (name.lower() for name in _ANCHOR.findall(text))


def _resolves(target: str, anchors: Collection[str], staged: Collection[str], attached: Mapping[str, object]) -> bool:
    if re.match(r"[a-z][a-z0-9+.-]+:", target, re.IGNORECASE):
        scheme, _, rest = target.partition(":")
        return scheme != "attachment" or unquote(rest) in attached
    path, _, anchor = unquote(target).partition("#")
    if not path:
        return anchor.lower() in anchors
    path = posixpath.normpath(path)
    return any(name == path or name.startswith(f"{path}/") for name in staged)


def _lost_citations(cells: Sequence[nbformat.NotebookNode], prose: Mapping[int, str]) -> list[str]:
    """What is cited and not in the list of references."""
    entries, bodies = _split_references(prose)
    problems = []
    for number, text in bodies.items():
        for author, year in dict.fromkeys(_citations(text)):
            if not any(re.search(rf"\b{re.escape(author)}\b", entry) and year in entry for entry in entries):
                problems.append(f"{_name(number, cells[number - 1])}: {author} {year} is cited and not in the references")
    return problems


def _split_references(prose: Mapping[int, str]) -> tuple[list[str], dict[int, str]]:
    """The entries of the list of references, and what the cells say outside of it."""
    entries: list[str] = []
    bodies: dict[int, str] = {}
    within = 0  # level of the heading under which references stand
    for number, text in prose.items():
        body = []
        for line in text.split("\n"):
            heading = _HEADING.match(line)
            if heading and (not within or len(heading[1]) <= within):
                within = len(heading[1]) if _REFERENCES.match(heading[2]) else 0
            if within:
                entries.append(line)
            else:
                body.append(line)
        bodies[number] = "\n".join(body)
    return entries, bodies


def _citations(text: str) -> Iterator[tuple[str, str]]:
    """(surname, year) of each work that is cited."""
    text = " ".join(text.split())
    for group in _BRACKETS.findall(text):
        for part in group.split(";"):
            found = _CITATION.fullmatch(part.strip())
            if found and not _NO_AUTHORS.fullmatch(found[1]):
                yield found[1], found[2]
    yield from _NARRATIVE.findall(text)
