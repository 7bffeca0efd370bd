"""Errors: one tree, drawn in the module's docstring, safe to send between processes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from autograder import errors
from autograder.errors import AutograderError, UnreadableSubmission


def subclasses(base: type[AutograderError]) -> list[type[AutograderError]]:
    return [base, *(found for child in base.__subclasses__() for found in subclasses(child))]


EXAMPLES = [
    UnreadableSubmission.of(Path("/secret/place/ps1.ipynb"), "it is empty", "Hand it in again.")
    if kind is UnreadableSubmission
    else kind("what failed")
    for kind in subclasses(AutograderError)
]


def test_docstring_draws_the_whole_tree() -> None:
    for kind in subclasses(AutograderError):
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_error_survives_pickling(error: AutograderError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_message_for_a_student_names_the_file_but_no_path() -> None:
    error = next(error for error in EXAMPLES if isinstance(error, UnreadableSubmission))
    assert str(error) == "ps1.ipynb could not be read: it is empty. Hand it in again."
