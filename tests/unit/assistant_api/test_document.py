"""Which bytes of Vapi's document a save decides."""

from typing import Any
from uuid import UUID

import pytest

from assistant_api.document import AgentMarker, AssistantSpec, Holder, attempt_of, changes, creation, was_made_by
from assistant_api.prompt.lines import BEGIN, END

BLOCK = f"{BEGIN}\ntools\n{END}"
DEFAULT = {"provider": "openai", "model": "gpt-4o"}
MARK = AgentMarker(UUID(int=1), UUID(int=2), "a")
NOTHING = AssistantSpec("Reception", None, None, None, None)


def _spoken(**values: Any) -> AssistantSpec:
    fields: dict[str, Any] = {
        "name": "Reception",
        "system_prompt": None,
        "first_message": None,
        "voice": None,
        "model": None,
    }
    return AssistantSpec(**{**fields, **values})


def _document(**model: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "name": "Reception",
        "model": {**DEFAULT, "messages": [{"role": "system", "content": f"Words.\n\n{BLOCK}"}], **model},
        "unknown": {"kept": [1, None]},
    }


def test_what_is_there_already_is_no_change() -> None:
    assert changes(_document(), _spoken(system_prompt="Words."), BLOCK, DEFAULT) == {}
    assert changes(_document(), NOTHING, BLOCK, DEFAULT) == {}


def test_a_change_of_the_prompt_sends_the_whole_model_and_nothing_else() -> None:
    current = _document(temperature=0.5, toolIds=["t1"], toolRefs=[{"toolId": "t2", "version": "v1"}])

    change = changes(current, _spoken(system_prompt="Other."), BLOCK, DEFAULT)

    assert set(change) == {"model"}
    assert change["model"] == {
        **current["model"],
        "messages": [{"role": "system", "content": f"Other.\n\n{BLOCK}"}],
    }


def test_a_rows_model_cannot_set_links_or_messages() -> None:
    model = {"provider": "anthropic", "model": "claude", "toolIds": ["evil"], "messages": [], "tools": []}

    change = changes(_document(toolIds=["t1"]), _spoken(model=model), BLOCK, DEFAULT)

    assert change["model"]["toolIds"] == ["t1"]
    assert "tools" not in change["model"]
    assert len(change["model"]["messages"]) == 1
    assert change["model"]["provider"] == "anthropic"


def test_the_marked_system_message_is_ours_also_where_it_is_not_the_first() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Somebody's"},
        {"role": "assistant", "content": "Hi"},
        {"role": "system", "content": f"Ours\n\n{BLOCK}", "extra": 1},
    ]

    change = changes(_document(messages=messages), _spoken(system_prompt="New"), BLOCK, DEFAULT)

    assert change["model"]["messages"] == [*messages[:2], {**messages[2], "content": f"New\n\n{BLOCK}"}]


def test_a_model_without_a_system_message_gets_one_on_top() -> None:
    change = changes(_document(messages=[{"role": "user", "content": "Hi"}]), NOTHING, BLOCK, DEFAULT)
    assert change["model"]["messages"] == [{"role": "system", "content": BLOCK}, {"role": "user", "content": "Hi"}]


def test_an_assistant_without_a_model_gets_the_default() -> None:
    change = changes({"name": "Reception"}, NOTHING, BLOCK, DEFAULT)
    assert change["model"] == {**DEFAULT, "messages": [{"role": "system", "content": BLOCK}]}


def test_defaults_that_vapi_added_to_a_voice_are_no_difference() -> None:
    voice: dict[str, Any] = {"provider": "11labs", "voiceId": "sarah"}
    current = {**_document(), "voice": {**voice, "stability": 0.5}}
    other = {**voice, "voiceId": "x"}
    assert changes(current, _spoken(voice=voice), BLOCK, DEFAULT) == {}
    assert changes(current, _spoken(voice=other), BLOCK, DEFAULT) == {"voice": other}


def test_a_new_assistant_carries_its_mark() -> None:
    body = creation(_spoken(first_message="Hello"), BLOCK, MARK, DEFAULT, UUID(int=7))
    assert body["firstMessage"] == "Hello"
    assert MARK.fits(body)
    assert MARK.holder_of(body) is Holder.THIS_AGENT
    assert attempt_of(body) == UUID(int=7)
    assert AgentMarker.of(body) == MARK
    assert was_made_by(body, UUID(int=7))
    assert not was_made_by(body, UUID(int=8))


@pytest.mark.parametrize("key", ["zerotouch_installation", "organization_id", "agent_id"])
@pytest.mark.parametrize("value", [None, 7, "", "x" * 300, "{00000000-0000-0000-0000-000000000001}"])
def test_what_carries_no_whole_mark_has_none(key: str, value: object) -> None:
    metadata = {**MARK.metadata(), key: value}
    mark = AgentMarker.of({"metadata": metadata})
    assert mark is None or (key == "agent_id" and mark.agent_id == value)
    assert AgentMarker.of({"metadata": {name: text for name, text in metadata.items() if name != key}}) is None


ABC = AgentMarker(UUID("0000000a-0000-0000-0000-00000000000b"), UUID("0000000c-0000-0000-0000-00000000000d"), "a")


@pytest.mark.parametrize(
    ("metadata", "holder"),
    [
        (None, Holder.NOBODY),
        ({}, Holder.NOBODY),
        ({"other": "x"}, Holder.NOBODY),
        ({"agent_id": "b"}, Holder.NOBODY),
        ({"organization_id": 7, "agent_id": ["b"]}, Holder.NOBODY),
        ({"organization_id": str(UUID(int=9)), "agent_id": "b"}, Holder.NOBODY),
        ({**ABC.metadata(), "zerotouch_installation": None}, Holder.NOBODY),
        ({"zerotouch_installation": str(ABC.installation_id)}, Holder.NOBODY),
        (ABC.metadata(), Holder.THIS_AGENT),
        (
            {key: value.upper() if key != "agent_id" else value for key, value in ABC.metadata().items()},
            Holder.THIS_AGENT,
        ),
        ({**ABC.metadata(), "agent_id": "b"}, Holder.SAME_ORGANIZATION),
        ({**ABC.metadata(), "agent_id": 7}, Holder.SAME_ORGANIZATION),
        ({**ABC.metadata(), "organization_id": str(UUID(int=9))}, Holder.ANOTHER),
        ({**ABC.metadata(), "organization_id": 7}, Holder.ANOTHER),
        ({**ABC.metadata(), "organization_id": ""}, Holder.ANOTHER),
        ({"zerotouch_installation": str(ABC.installation_id), "organization_id": str(UUID(int=9))}, Holder.ANOTHER),
        ({**ABC.metadata(), "zerotouch_installation": str(UUID(int=9))}, Holder.ANOTHER),
        ({"zerotouch_installation": str(UUID(int=9))}, Holder.ANOTHER),
        ({**ABC.metadata(), "zerotouch_installation": 7}, Holder.ANOTHER),
        ([], Holder.ANOTHER),
        ("text", Holder.ANOTHER),
    ],
)
def test_whose_an_assistant_is_by_its_metadata(metadata: object, holder: Holder) -> None:
    assert ABC.holder_of({"metadata": metadata}) is holder


def test_the_mark_is_put_beside_what_is_there_and_taken_out_of_it_again() -> None:
    foreign: dict[str, Any] = {"team": "blue", "nested": {"k": [1]}, "nothing": None}

    marked = MARK.missing_in({"metadata": foreign})

    assert marked == {"metadata": {**foreign, **MARK.metadata()}}
    assert MARK.missing_in(marked) == {}
    assert MARK.missing_in({"metadata": None}) == MARK.missing_in({}) == {"metadata": MARK.metadata()}
    assert MARK.metadata_without(marked) == foreign
    assert MARK.metadata_without({"metadata": {**marked["metadata"], "zerotouch_attempt": "x"}}) == foreign


@pytest.mark.parametrize("foreign", [{"agent_id": "x"}, {"organization_id": 7, "agent_id": None}, {"agent_id": ["a"]}])
def test_what_stood_under_the_marks_general_keys_comes_back(foreign: dict[str, Any]) -> None:
    marked = MARK.missing_in({"metadata": {**foreign, "team": "blue"}})
    assert MARK.fits(marked)
    assert MARK.missing_in(marked) == {}
    assert MARK.metadata_without(marked) == {**foreign, "team": "blue"}


@pytest.mark.parametrize(
    "change", [{"organization_id": str(UUID(int=9))}, {"zerotouch_installation": "x"}, {"agent_id": "b"}]
)
def test_a_mark_of_somebody_elses_stays_whole(change: dict[str, str]) -> None:
    """Also where it shares a part: ids of agents are unique within an organization only."""
    metadata = {**MARK.metadata(), **change}
    assert MARK.metadata_without({"metadata": metadata}) == metadata


def test_of_what_is_left_of_a_mark_only_what_names_us_goes() -> None:
    assert MARK.metadata_without({"metadata": {"agent_id": "a", "k": 1}}) == {"agent_id": "a", "k": 1}
    own = {"organization_id": str(MARK.org_id), "agent_id": "a"}
    assert MARK.metadata_without({"metadata": {**own, "k": 1}}) == {"k": 1}
    assert MARK.metadata_without({"metadata": [1]}) == {}
