"""What a file may declare open, and what is sent for a clinic that words it."""

from typing import Any
from uuid import UUID

import pytest

from tool_sync.domain.events import CustomPart
from tool_sync.publishing.custom_config import config_of, parts_of
from tool_sync.publishing.open_rules import still_open
from tool_sync.publishing.overlay import missing, part_of, worded
from tool_sync.publishing.tool_file import tool_of

from .files import DIRECTIONS, said

ORG, OTHER = UUID(int=1), UUID(int=2)
GREETS: dict[str, Any] = {**DIRECTIONS, "static_parameters": {"greeting": "Hello", "floor": 2}}


@pytest.mark.parametrize(
    ("open_", "problem"),
    [
        (["description_suffix", "messages", "static_parameters.greeting"], None),
        (["server_url"], "open[0]: is no part that can be open"),
        (["static_parameters.organization_id"], "open[0]: is no part that can be open"),
        (["static_parameters.floor"], "open[0]: is no part that can be open"),
        (["static_parameters.greting"], "write 'static_parameters.greeting'"),
        (["messages", "messages"], "open[1]: names 'messages' a second time"),
        ("messages", "open: must be a list of texts"),
        ([7], "open: must be a list of texts"),
    ],
)
async def test_what_is_open_is_linted(open_: Any, problem: str | None) -> None:
    found = await said({**GREETS, "open": open_})
    assert (found == []) if problem is None else any(problem in one for one in found), found


async def test_a_description_leaves_room_for_the_suffix_that_it_opens() -> None:
    long = {**GREETS, "description": "x" * 949, "open": ["description_suffix"]}
    assert await said(long) == [
        "description: leaves 49 characters for description_suffix, which is open; write at most 948"
    ]
    assert await said({**long, "description": "x" * 948}) == []


def test_who_changes_a_row_keeps_what_is_open_as_far_as_it_is_there() -> None:
    tool = tool_of(GREETS).tool
    assert tool is not None
    before = ("messages", "static_parameters.greeting", "static_parameters.floor", "static_parameters.gone")
    assert still_open(tool, before) == ("messages", "static_parameters.greeting")


def test_a_document_is_worded_part_by_part_and_stays_as_it_is_itself() -> None:
    document: dict[str, Any] = {
        "function": {"name": "book", "description": "Books."},
        "messages": [{"type": "request-start", "content": "Hm."}],
        "parameters": [{"key": "greeting", "value": "Hello"}, {"key": "organization_id", "value": "o"}],
    }
    overlay = (
        CustomPart("description_suffix", "a", 4),
        CustomPart("messages", "b", 2),
        CustomPart("static_parameters.greeting", "c", 4),
    )
    texts = {"a": "Ask.", "b": [], "c": "Moin"}
    assert worded(document, overlay, texts) == {
        "function": {"name": "book", "description": "Books.\nAsk."},
        "parameters": [{"key": "greeting", "value": "Moin"}, {"key": "organization_id", "value": "o"}],
    }
    assert document["function"]["description"] == "Books."
    assert (worded(document, overlay, {}), missing(overlay, {"b": []})) == (document, ("a", "c"))


def test_equal_words_of_two_clinics_have_two_hashes() -> None:
    mine, other = part_of(ORG, "messages", "a"), part_of(OTHER, "messages", "a")
    assert (mine.hash == part_of(ORG, "messages", "a").hash, mine.hash == other.hash) == (True, False)


def test_a_config_and_its_parts_are_each_others_other_side() -> None:
    config = {"description_suffix": "a", "messages": [], "static_parameters": {"greeting": "b", "x.y": "c"}}
    assert config_of(parts_of(config)) == config
    assert config_of(parts_of({})) == {}
