"""Every event class goes into the log and comes out of it the same."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticSerializationError

from tool_sync.domain.events import AssistantSynced, BlueprintPublished, Event, OrgRegistered, OrgTierChanged
from tool_sync.log import codec
from tool_sync.log.codec import UnknownEvent, decode, encode

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
st.register_type_strategy(str, TEXT)
DOCUMENTS = st.dictionaries(TEXT, TEXT | st.integers(-(2**53), 2**53) | st.booleans() | st.none(), max_size=4)
st.register_type_strategy(
    BlueprintPublished,
    st.builds(BlueprintPublished, TEXT, st.integers(), TEXT, st.booleans(), TEXT, st.none() | DOCUMENTS),
)


@pytest.mark.parametrize("cls", get_args(Event), ids=lambda cls: cls.__name__)
def test_an_event_survives_the_round_trip(cls: type[Event]) -> None:
    @given(st.from_type(cls))
    def check(event: Event) -> None:
        stored = encode(event)
        assert (stored.type_name, stored.schema) == (cls.__name__, 1)
        assert decode(1, stored.type_name, stored.schema, stored.data) == event

    check()


@pytest.mark.parametrize(
    ("type_name", "schema", "data", "reason"),
    [
        ("Unheard", 1, "{}", "does not know the type"),
        ("OrgRegistered", 2, '{"tier": "basic"}', "knows schemas up to 1"),
        ("OrgRegistered", 0, '{"tier": "basic"}', "no upcaster from schema 0"),
        ("OrgRegistered", 1, "{}", "tier: missing"),
        ("OrgRegistered", 1, '{"tier": 7}', "tier: string_type"),
        ("OrgRegistered", 1, "[", "json_invalid"),
    ],
)
def test_what_this_release_cannot_read_is_an_error_with_its_place(
    type_name: str, schema: int, data: str, reason: str
) -> None:
    with pytest.raises(UnknownEvent, match=reason) as raised:
        decode(17, type_name, schema, data)
    assert (raised.value.position, raised.value.type_name, raised.value.schema) == (17, type_name, schema)


def test_a_message_about_bad_data_does_not_repeat_the_data() -> None:
    with pytest.raises(UnknownEvent) as raised:
        decode(1, "OrgRegistered", 1, '{"tier": {"name": "Jane Doe"}}')
    assert "Jane" not in str(raised.value)


def test_a_field_that_a_newer_release_added_is_ignored() -> None:
    assert decode(1, "OrgTierChanged", 1, '{"tier": "basic", "since": 3}') == OrgTierChanged("basic")


def test_an_old_schema_is_read_through_its_upcasters_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(document: dict[str, Any]) -> dict[str, Any]:
        return {"level": document["plan"]}

    def renamed_again(document: dict[str, Any]) -> dict[str, Any]:
        return {"tier": document["level"]}

    monkeypatch.setattr(codec, "SCHEMAS", {**codec.SCHEMAS, "OrgRegistered": 3})
    monkeypatch.setattr(codec, "UPCASTERS", {("OrgRegistered", 1): renamed, ("OrgRegistered", 2): renamed_again})
    assert decode(1, "OrgRegistered", 1, '{"plan": "basic"}') == OrgRegistered("basic")
    assert decode(1, "OrgRegistered", 2, '{"level": "basic"}') == OrgRegistered("basic")
    assert encode(OrgRegistered("basic")).schema == 3


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(PydanticSerializationError):
        encode(OrgRegistered("\ud800"))


def test_tuples_and_nulls_are_written_as_json() -> None:
    event = AssistantSynced("a", "b", 1, "platform", (), (), 4, None, None)
    assert encode(event).data == (
        '{"agent_id":"a","assistant_id":"b","revision":1,"account":"platform","tools":[],"requests":[],'
        '"settled_through":4,"cause":null,"sequence":null,"reason":null}'
    )
