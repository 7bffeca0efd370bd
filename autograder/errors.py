"""Every error this package raises.

Runs: trusted side.

    AutograderError
    ├── ManifestError            an assignment.toml says something impossible
    ├── SourceError              a notebook or its text cannot be used as it is
    │   └── BuildConflict        text and notebook were both edited; building would lose one of them
    ├── MutantError              a mutants/*.toml file says something impossible
    ├── KernelStartError         a kernel did not start (our fault, never the student's)
    │   └── WallError            this machine cannot wall student code in; nothing is run
    ├── GradebookError           the gradebook cannot be used, or lacks something
    │   └── MissingInGradebook   it lacks what one submission needs; others are not concerned
    ├── ExtensionsError          extensions.toml cannot be used
    ├── DeliveryError            a submission cannot be collected, or feedback not returned
    ├── FolderError              a folder cannot be written: a full disk, as a rule
    ├── PoolError                nothing is there any more that grades
    ├── NoTime                   nobody can say when a submission was handed in
    ├── WrongNotebook            a submitted notebook belongs to another assignment
    └── UnreadableSubmission     a submitted file is not a notebook that can be graded

What a submission *does* (a wrong answer, a crash, an endless loop) is a `Verdict`, not an error.
Each message says what failed, with which value, the likely cause, and what to do.
"""

from __future__ import annotations

from pathlib import Path

GOES_ON = (
    "What was done before this is written down; run the same command again when that is put right, and it goes on from there."
)


class AutograderError(Exception):
    """Base of all errors below; `str(error)` is written for the person who meets it."""


class ManifestError(AutograderError):
    """An `assignment.toml` cannot be used."""


class SourceError(AutograderError):
    """A source notebook or its text cannot be used."""


class BuildConflict(SourceError):
    """Text and notebook both changed since the last build."""


class MutantError(AutograderError):
    """A `mutants/*.toml` file cannot be used."""


class KernelStartError(AutograderError):
    """A kernel could not be started. Never the student's fault."""

    @classmethod
    def no_such(cls, name: str) -> KernelStartError:
        """The error for a kernelspec that this machine does not have."""
        return cls(
            f"no kernel named {name!r} on this machine. The notebook asks for it; `jupyter kernelspec list` shows what is "
            "installed, and `pip install ipykernel` brings python3."
        )


class WallError(KernelStartError):
    """This machine lacks something without which student code is not run."""


class GradebookError(AutograderError):
    """The gradebook cannot be opened or written, or does not have what a submission needs."""


class MissingInGradebook(GradebookError):
    """The gradebook has no student, or no place for a cell's points; only this submission is left ungraded."""


class ExtensionsError(AutograderError):
    """The course's `extensions.toml` cannot be used; nothing is graded or written before it can."""


class DeliveryError(AutograderError):
    """A submission could not be taken out of the exchange, or feedback not be put there."""


class FolderError(AutograderError):
    """A folder of the course cannot be written."""

    @classmethod
    def of(cls, folder: Path, error: OSError) -> FolderError:
        """The error for `folder`, of which nothing was left half-written."""
        what = f"{folder} could not be written: {error.strerror or error}"
        return cls(f"{what}. Nothing of it is left half-written. {GOES_ON}")


class PoolError(AutograderError):
    """The workers cannot be reached, or cannot be started."""


class NoTime(AutograderError):
    """A submission's `timestamp.txt` does not hold a time."""


class WrongNotebook(AutograderError):
    """A submitted notebook holds graded cells, but none of the assignment's."""


class UnreadableSubmission(AutograderError):
    """A submitted file cannot be read as a notebook.

    Its text goes into the student's feedback, so it names the file but no path of the grading machine.
    """

    def __init__(self, filename: str, problem: str, advice: str) -> None:
        super().__init__(filename, problem, advice)
        self.filename = filename
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.filename} could not be read: {self.problem}. {self.advice}"

    @classmethod
    def of(cls, path: Path, problem: str, advice: str) -> UnreadableSubmission:
        """The error for the file at `path`, with only its name shown."""
        return cls(path.name, problem, advice)
