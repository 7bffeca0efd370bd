"""What the tests of an assignment made of generated mutants: the mutation score, and the survivors.

Runs: trusted side.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.mutants import Equivalent, read_equivalents
from autograder.mutation import LIMIT, Mutation, choose, mutations
from autograder.prover import Outcome, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A generated mutant that no test caught."""

    mutation: Mutation
    green: tuple[str, ...]
    """The test cells that can see it, all of which passed."""

    def __str__(self) -> str:
        """What was changed, who should have seen it, and the start of the entry that marks it as equivalent."""
        green = ", ".join(self.green) or "none: no test cell can see this exercise"
        parts = (self.mutation.diff, f"ran green: {green}", self.mutation.entry)
        return "\n".join([self.mutation.name, *(textwrap.indent(part, "    ") for part in parts)])


@dataclass(frozen=True, slots=True, kw_only=True)
class MutationScore:
    """What came of the generated mutants of one assignment."""

    total: int
    """How many were tried, those declared to be equivalent included."""
    caught: int
    """How many failed a test, or did not run at all."""
    equivalent: int
    """How many are declared to be equivalent, and passed every test."""
    survivors: tuple[Survivor, ...]
    left_out: Mapping[str, int]
    """Exercise -> how many more there would have been. Each exercise has a limit, so that the cost has one."""

    @property
    def score(self) -> float:
        """The fraction caught of those that are mistakes; 1 where there is none."""
        mistakes = self.total - self.equivalent
        return self.caught / mistakes if mistakes else 1.0

    def __str__(self) -> str:
        """One line with the score, then each survivor."""
        lines = [
            f"generated mutants: {self.caught} of {self.total - self.equivalent} caught, score {self.score:.1%}; "
            f"{self.equivalent} equivalent, {len(self.survivors)} survive"
        ]
        if self.left_out:
            left = ", ".join(f"{count} of {exercise}" for exercise, count in self.left_out.items())
            lines.append(f"left out, as an exercise has at most {LIMIT}: {left}")
        return "\n".join([*lines, *map(str, self.survivors)])

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "total": self.total,
            "caught": self.caught,
            "equivalent": self.equivalent,
            "score": round(self.score, 4),
            "left_out": dict(self.left_out),
            "survivors": [
                {
                    "exercise": survivor.mutation.exercise,
                    "name": survivor.mutation.name,
                    "diff": survivor.mutation.diff,
                    "entry": survivor.mutation.entry,
                    "green": list(survivor.green),
                }
                for survivor in self.survivors
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """The generated mutants of one assignment that are to be tried."""

    mutations: tuple[Mutation, ...]
    equivalents: Mapping[str, Equivalent]
    """Name of a mutation -> the entry that declares it equivalent."""
    left_out: Mapping[str, int]
    problems: tuple[str, ...]
    """Entries that no generated mutant answers to."""

    @property
    def variants(self) -> tuple[Variant, ...]:
        """What the prover is to run: for each the first test that fails is enough."""
        return tuple(Variant(name=m.name, exercise=m.exercise, source=m.source, stops_early=True) for m in self.mutations)

    def judge(self, outcomes: Mapping[str, Outcome]) -> tuple[MutationScore, list[str]]:
        """The score, given what the prover found of each mutation by its name, and what is wrong with the entries."""
        caught = {mutation.name for mutation in self.mutations if _error(mutation, outcomes[mutation.name])}
        problems = [
            f"mutants/{mutation.exercise}.toml: [[equivalent]] {self.equivalents[mutation.name].old!r} is not equivalent: "
            f"{_error(mutation, outcomes[mutation.name])}. Delete the entry"
            for mutation in self.mutations
            if mutation.name in caught and mutation.name in self.equivalents
        ]
        alive = [mutation for mutation in self.mutations if mutation.name not in caught]
        score = MutationScore(
            total=len(self.mutations),
            caught=len(caught),
            equivalent=sum(mutation.name in self.equivalents for mutation in alive),
            survivors=tuple(
                Survivor(mutation=mutation, green=tuple(outcomes[mutation.name].tests))
                for mutation in alive
                if mutation.name not in self.equivalents
            ),
            left_out=self.left_out,
        )
        return score, problems


def generate(folder: Path, exercises: Sequence[tuple[str, str]]) -> Generated:
    """The mutants to try of `exercises`, pairs of a name and the text of its cell, of the assignment in `folder`.

    Those that are declared to be equivalent are always among them.

    Raises:
        MutantError: a file of mutants cannot be read.
    """
    tried: list[Mutation] = []
    equivalents: dict[str, Equivalent] = {}
    left_out: dict[str, int] = {}
    problems: list[str] = []
    for exercise, source in exercises:
        found = mutations(exercise, source)
        by_text = {mutation.source: mutation.name for mutation in found}
        declared: dict[str, Equivalent] = {}
        for entry in read_equivalents(folder, exercise):
            name = by_text.get(entry.changed(source))
            if name is None:
                problems.append(
                    f"mutants/{exercise}.toml: [[equivalent]] {entry.old!r} is no generated mutant of the cell as it reads now. "
                    "Delete the entry, or copy it again from the survivors"
                )
            else:
                declared[name] = entry
        chosen = {mutation.name for mutation in choose([m for m in found if m.name not in declared])}
        kept = [mutation for mutation in found if mutation.name in chosen or mutation.name in declared]
        tried += kept
        equivalents |= declared
        if len(kept) < len(found):
            left_out[exercise] = len(found) - len(kept)
    return Generated(mutations=tuple(tried), equivalents=equivalents, left_out=left_out, problems=tuple(problems))


def _error(mutation: Mutation, outcome: Outcome) -> str:
    """What caught it: what its own cell or the first test that failed said; "" where it survived."""
    broken = outcome.errors.get(mutation.exercise, "")
    said = [f"{test} fails with {error}" for test, error in outcome.tests.items() if error]
    return f"its cell fails with {broken}" if broken else (said or [""])[0]
