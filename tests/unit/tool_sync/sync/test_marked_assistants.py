"""Whose an assistant of a list is: only a whole mark says it, and a document may be anything."""

from typing import Any

import pytest

from tool_sync.sync.effects.linking import Marked, marked_of

MARK = {"zerotouch_installation": "i", "organization_id": "o", "agent_id": "a"}


def test_a_whole_mark_names_installation_clinic_and_agent() -> None:
    document = {"id": "assistant-1", "metadata": {**MARK, "of": "somebody else"}}
    assert marked_of(document) == Marked("assistant-1", "i", "o", "a")


@pytest.mark.parametrize(
    "document",
    [
        None,
        "assistant-1",
        {},
        {"id": "assistant-1"},
        {"id": "assistant-1", "metadata": None},
        {"id": "assistant-1", "metadata": [MARK]},
        {"id": 1, "metadata": MARK},
        {"metadata": MARK},
        *({"id": "assistant-1", "metadata": {**MARK, key: value}} for key in MARK for value in (None, 7, ["o"])),
        *({"id": "assistant-1", "metadata": {k: v for k, v in MARK.items() if k != key}} for key in MARK),
    ],
    ids=repr,
)
def test_anything_else_is_nobodys(document: Any) -> None:
    assert marked_of(document) is None
