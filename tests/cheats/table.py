"""Writes down how the cheats fared: the tables of docs/cheating.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.cheats.grading import HONEST, Class
from tests.cheats.leaks import is_message
from tests.cheats.reading import Cheat

DOCUMENT = Path(__file__).parents[2] / "docs" / "cheating.md"
_HEAD = {
    "forging": "| cheat | idea | from | it forges | its own part | nbgrader alone | here |\n|---|---|---|--:|--:|--:|--:|\n",
    "stealing": "| cheat | idea | from | hidden things in its feedback here |\n|---|---|---|--:|\n",
    "careless": "| cheat | idea | careless tests | nbgrader alone | here | what to do |\n|---|---|--:|--:|--:|---|\n",
    "class": "| | nbgrader alone | here |\n|---|--:|--:|\n",
}


def is_careless(test: str) -> bool:
    """Whether a test is one of those that are written as no test should be."""
    return test.startswith("careless_")


def tables(cheats: Iterable[Cheat], ours: Class, stock: Class) -> dict[str, str]:
    """Name of each table -> the table."""
    cheats = list(cheats)
    rows = {
        "forging": [_forging(cheat, ours, stock) for cheat in cheats if not cheat.steals and _careful(cheat)],
        "stealing": [_stealing(cheat, ours) for cheat in cheats if cheat.steals],
        "careless": [_careless(cheat, ours, stock) for cheat in cheats if cheat.stays and not cheat.steals],
        "class": list(_summary(cheats, ours, stock)),
    }
    found = {name: _HEAD[name] + "".join(f"| {' | '.join(row)} |\n" for row in rows[name]) for name in rows}
    return found | {"open": _open(cheats, ours)}


def write(found: Mapping[str, str]) -> None:
    """Put the tables into docs/cheating.md, each between its two marks."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, table in found.items():
        begin, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, rest = rest.partition("<!-- end -->")
        if not end:
            raise ValueError(f"{DOCUMENT}: no place for the table `{name}`; it goes between <!-- {name} --> and <!-- end -->")
        text = f"{begin}{mark}\n{table}\n{end}{rest}"
    DOCUMENT.write_text(text, encoding="utf-8")


def _open(cheats: list[Cheat], ours: Class) -> str:
    """What earned here what it should not have."""
    names = [_name(cheat) for cheat in cheats if _gain(cheat, ours) > 0]
    return f"Open: {', '.join(names)}.\n" if names else "Open: none.\n"


def _careful(cheat: Cheat) -> list[str]:
    return [test for test in cheat.points if not is_careless(test)]


def _forging(cheat: Cheat, ours: Class, stock: Class) -> tuple[str, ...]:
    tests = _careful(cheat)
    most = sum(ours.most[test] for test in tests)
    own = sum(cheat.points[test] for test in tests)
    return _name(cheat), cheat.idea, cheat.source, f"{most:g}", f"{own:g}", *(_score(cheat, of, tests) for of in (stock, ours))


def _careless(cheat: Cheat, ours: Class, stock: Class) -> tuple[str, ...]:
    tests = [test for test in cheat.points if is_careless(test)]
    most = sum(ours.most[test] for test in tests)
    return _name(cheat), cheat.idea, f"{most:g}", *(_score(cheat, of, tests) for of in (stock, ours)), cheat.stays


def _stealing(cheat: Cheat, ours: Class) -> tuple[str, ...]:
    found = [token for token in ours.students[cheat.name].learned if not is_message(token)]
    return (
        _name(cheat),
        cheat.idea,
        cheat.source,
        str(len(found)) + (f" (it stays: {_lower(cheat.stays)})" if cheat.stays else ""),
    )


def _summary(cheats: list[Cheat], ours: Class, stock: Class) -> Iterable[tuple[str, ...]]:
    forgers = [cheat for cheat in cheats if not cheat.steals and _careful(cheat)]
    both = (stock, ours)
    most = sum(ours.most.values())
    honest = [[sum(of.students[name].points[test] or 0 for test in of.most) for name in HONEST] for of in both]
    yield f"points of the two honest students, of {most:g}", *(" and ".join(f"{total:g}" for total in each) for each in honest)
    gained = [sum(_gain(cheat, of) > 0 for cheat in forgers) for of in both]
    yield f"cheats of {len(forgers)} that earn a forged point", *map(str, gained)
    waits = [sum(any(one is None for one in of.students[cheat.name].points.values()) for cheat in forgers) for of in both]
    yield f"cheats of {len(forgers)} of which a person has to look at a test", *map(str, waits)
    hurt = [sum(_loses_more(cheat, of) for cheat in cheats) for of in both]
    yield f"cheats of {len(cheats)} that lose points of other exercises by it", *map(str, hurt)
    yield "students not graded because another's submission ended the run", *(str(len(of.held_up)) for of in both)
    told = [sum(any(not is_message(token) for token in one.learned) for one in of.students.values()) for of in both]
    yield f"students of {len(ours.students)} whose feedback holds something hidden", *map(str, told)


def _gain(cheat: Cheat, of: Class) -> float:
    points = of.students[cheat.name].points
    return sum(max(0.0, (points[test] or 0) - cheat.points[test] - 0.01) for test in _careful(cheat))


def _loses_more(cheat: Cheat, of: Class) -> bool:
    points = of.students[cheat.name].points
    return any((points[test] or 0) < of.most[test] for test in of.most if test not in cheat.points)


def _score(cheat: Cheat, of: Class, tests: Iterable[str]) -> str:
    return f"{sum(of.students[cheat.name].points[test] or 0 for test in tests):.3g}"


def _name(cheat: Cheat) -> str:
    return f"`{cheat.name}`"


def _lower(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(".")
