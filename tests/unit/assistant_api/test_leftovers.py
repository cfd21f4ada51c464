"""What is taken out of an assistant that an agent leaves, and what stays."""

import copy
from typing import Any
from uuid import UUID

import pytest

from assistant_api.document import AgentMarker
from assistant_api.prompt.lines import with_block
from assistant_api.removals.leftovers import is_tool_of, linked_ids, without_leftovers
from zerotouch_contracts.tools import DEFINITIONS

MARK = AgentMarker(UUID(int=1), UUID(int=2), "a")
BLOCK = "<!-- zerotouch:tools -->\ntools\n<!-- /zerotouch:tools -->"


def assistant(**fields: Any) -> dict[str, Any]:
    """One that has everything of ours, and something of everybody's."""
    model = {
        "provider": "openai",
        "model": "gpt-4o",
        "temperature": 0.5,
        "toolIds": ["ours", "foreign"],
        "toolRefs": [{"toolId": "pinned", "version": "v1"}, {"toolId": "other", "version": "v2"}],
        "messages": [{"role": "system", "content": with_block("Words.", BLOCK)}, {"role": "user", "content": "Hi"}],
    }
    return {"name": "A", "model": model, "metadata": {"team": "blue", **MARK.metadata()}, "unknown": 1, **fields}


def test_links_block_and_mark_go_and_nothing_else() -> None:
    before = assistant()
    as_it_was = copy.deepcopy(before)

    change = without_leftovers(before, MARK, {"ours", "pinned"})

    assert change == {
        "model": {
            **as_it_was["model"],
            "toolIds": ["foreign"],
            "toolRefs": [{"toolId": "other", "version": "v2"}],
            "messages": [{"role": "system", "content": "Words."}, {"role": "user", "content": "Hi"}],
        },
        "metadata": {"team": "blue"},
    }
    assert before == as_it_was
    assert without_leftovers({**before, **change}, MARK, {"ours", "pinned"}) == {}


def test_a_copy_of_the_clinics_tool_inside_the_model_goes_and_others_stay() -> None:
    def copy_of(org: int) -> dict[str, Any]:
        return DEFINITIONS[0].vapi_payload(UUID(int=org), server_url="https://x.test", installation_id=UUID(int=1))

    foreign = {"type": "function", "function": {"name": "bookClinicAppointment"}}
    document = {"model": {"tools": [copy_of(2), foreign, copy_of(3), "text", None]}}

    change = without_leftovers(document, MARK, ())

    assert change["model"]["tools"] == [foreign, copy_of(3), "text", None]


def test_where_another_clinics_mark_stands_only_the_links_go() -> None:
    theirs = {**MARK.metadata(), "organization_id": str(UUID(int=9))}

    change = without_leftovers(assistant(metadata=theirs), MARK, {"ours"})

    assert set(change) == {"model"}
    assert change["model"]["toolIds"] == ["foreign"]
    assert change["model"]["messages"] == assistant()["model"]["messages"]


@pytest.mark.parametrize("content", [None, [{"type": "text", "text": BLOCK}], 7, {"text": BLOCK}])
def test_content_that_is_no_text_stays_untouched(content: object) -> None:
    model = {"provider": "openai", "model": "gpt-4o", "messages": [{"role": "system", "content": content}]}
    assert without_leftovers({"model": model}, MARK, ()) == {}


def test_a_message_of_our_own_goes_whole_and_other_roles_stay() -> None:
    messages = [{"role": "system", "content": BLOCK}, {"role": "user", "content": BLOCK}]
    change = without_leftovers({"model": {"messages": messages}}, MARK, ())
    assert change["model"]["messages"] == messages[1:]


@pytest.mark.parametrize(
    "model",
    [
        None,
        "text",
        [],
        {},
        {"toolIds": None, "toolRefs": None, "messages": None},
        {"toolIds": "x", "toolRefs": {"toolId": "ours"}, "messages": "text"},
        {"toolIds": [None, 7, ["ours"], {"toolId": "ours"}], "toolRefs": [None, "ours", {"toolId": ["ours"]}, {}]},
    ],
)
def test_what_has_another_form_is_left_as_it_is(model: object) -> None:
    document = {"model": model}
    assert linked_ids(document) == ()
    assert without_leftovers(document, MARK, {"ours"}) == {}


def test_the_ids_of_tools_are_read_once_each_and_no_id_becomes_a_path() -> None:
    links = {
        "toolIds": ["t1", "t2", "../assistant/x", "", "t" * 65, "ü", "a b"],
        "toolRefs": [{"toolId": "t2"}, {"toolId": "t3"}],
    }
    assert linked_ids({"model": links}) == ("t1", "t2", "t3")


def test_a_tool_is_ours_by_installation_and_organization() -> None:
    def tool(installation: int, org: int) -> dict[str, Any]:
        payload = DEFINITIONS[0].vapi_payload(
            UUID(int=org), server_url="https://x.test", installation_id=UUID(int=installation)
        )
        return {**payload, "id": "t"}

    assert is_tool_of(MARK, tool(1, 2))
    assert not is_tool_of(MARK, tool(1, 3))  # another clinic's: its own release or link takes it out
    assert not is_tool_of(MARK, tool(9, 2))
    assert not is_tool_of(MARK, {"id": "t", "function": {"name": "bookClinicAppointment"}})
    assert not is_tool_of(MARK, None)
