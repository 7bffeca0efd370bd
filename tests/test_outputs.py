"""Output budget: cut while it happens, whatever the candidate sends."""

from __future__ import annotations

from typing import Any

import nbformat
from hypothesis import given
from hypothesis import strategies as st

from autograder.outputs import Outputs, clean_text
from tests.test_reader import json_values


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"header": {"msg_type": "stream"}, "content": {"name": name, "text": text}}


def result(text: str) -> dict[str, Any]:
    content = {"data": {"text/plain": text}, "metadata": {}, "execution_count": 1}
    return {"header": {"msg_type": "execute_result"}, "metadata": {}, "content": content}


def test_pieces_of_one_stream_are_joined() -> None:
    outputs = Outputs(100, 1000)
    for piece in ("a", "b"):
        outputs.take(stream(piece))
    outputs.take(stream("c", "stderr"))
    assert [(item.name, item.text) for item in outputs.items] == [("stdout", "ab"), ("stderr", "c")]


def test_output_past_the_budget_is_dropped_with_one_notice() -> None:
    outputs = Outputs(100, 10_000)
    for _ in range(20):
        outputs.take(stream("x" * 40))
    text = "".join(item.text for item in outputs.items)
    assert text.count("x") <= 100
    assert text.count("output cut here") == 1
    assert not outputs.flooded


def test_flood_is_noticed_by_what_was_sent_not_by_what_was_kept() -> None:
    outputs = Outputs(10, 100)
    outputs.take(stream("x" * 60))
    assert not outputs.flooded
    outputs.take(stream("x" * 60))
    assert outputs.flooded


def test_error_after_the_cut_is_still_shown() -> None:
    outputs = Outputs(10, 10_000)
    outputs.take(stream("x" * 60))
    error = {"ename": "ValueError", "evalue": "no", "traceback": ["long" * 500]}
    outputs.take({"header": {"msg_type": "error"}, "content": error})
    outputs.take({"header": {"msg_type": "error"}, "content": error})
    assert outputs.has_error("ValueError")


def test_last_value_counts() -> None:
    outputs = Outputs(1000, 10_000)
    assert outputs.value is None
    outputs.take(result("1"))
    outputs.take(result("2"))
    assert outputs.value == "2"


def test_clear_output_gives_the_budget_back() -> None:
    outputs = Outputs(100, 10_000)
    for count in range(20):
        outputs.take({"header": {"msg_type": "clear_output"}, "content": {"wait": True}})
        outputs.take(stream(f"{count} " + "x" * 70))
    assert len(outputs.items) == 1
    assert outputs.items[0].text.startswith("19 ")


def test_updated_display_replaces_the_first() -> None:
    outputs = Outputs(1000, 10_000)
    for kind, text in (("display_data", "10 %"), ("update_display_data", "90 %")):
        content = {"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": "bar"}}
        outputs.take({"header": {"msg_type": kind}, "metadata": {}, "content": content})
    assert [item.data["text/plain"] for item in outputs.items] == ["90 %"]


CONTENT_KEYS = ("name", "text", "data", "metadata", "transient", "ename", "evalue", "traceback", "wait", "execution_count")
messages = st.fixed_dictionaries(
    {
        "header": st.fixed_dictionaries(
            {
                "msg_type": st.sampled_from(
                    ["stream", "display_data", "execute_result", "error", "clear_output", "update_display_data"]
                )
            }
        ),
        "content": st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(CONTENT_KEYS, json_values),
        ),
        "metadata": json_values,
    }
)


@given(sent=st.lists(messages, max_size=8))
def test_any_messages_leave_valid_outputs_within_the_budget(sent: list[dict[str, Any]]) -> None:
    outputs = Outputs(200, 10_000)
    for message in sent:
        outputs.take(message)
    cell = nbformat.v4.new_code_cell(outputs=outputs.items)
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
    nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode("utf-8")


@given(value=json_values)
def test_cleaned_text_is_writable_and_otherwise_the_same(value: Any) -> None:
    assert clean_text(value) == value  # Hypothesis makes no lone surrogates
    assert clean_text(["\ud800a"]) == ["\ufffda"]


def test_value_is_kept_although_the_budget_is_used_up() -> None:
    """Else printing a lot would turn a wrong partial score into no value, that is, into full points."""
    outputs = Outputs(100, 10_000)
    outputs.take(stream("x" * 99))
    outputs.take(result("0"))
    assert outputs.value == "0"
