"""What makes two tool calls the same: ids and arguments as they are stored."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assistant_api.tool_calls.identity import request_hash, request_secret, stored_conversation, stored_id

SECRET = request_secret("key")
_IDS = st.one_of(
    st.text(st.characters(), max_size=150),
    st.from_regex(r"[a-z_#0-9]{1,70}"),
    st.integers(),
    st.floats(allow_nan=False),
)


@given(_IDS)
def test_any_id_can_be_stored(given_id: Any) -> None:
    stored = stored_id(given_id)
    assert 1 <= len(stored) <= 128
    assert stored.isascii()
    assert "\x00" not in stored


@given(_IDS, _IDS)
def test_ids_are_stored_alike_only_where_they_are_equal(one: Any, other: Any) -> None:
    alike = type(one) is type(other) and repr(one) == repr(other)
    assert (stored_id(one) == stored_id(other)) == alike


def test_a_plain_id_is_stored_as_it_is_and_no_hash_can_be_taken_for_one() -> None:
    for plain in ("call_0", "toolu_01A", "0197", "a.b:c", "x" * 128):
        assert stored_id(plain) == plain
    assert re.fullmatch("#[0-9a-f]{64}", stored_id("x" * 129))
    assert stored_id(stored_id("x" * 129)) != stored_id("x" * 129)
    assert stored_id("7") != stored_id(7)
    assert stored_id("\ud800") != stored_id("\ud801")


def test_a_conversation_is_told_by_kind_and_id() -> None:
    kinds = ("call", "chat.id", "chat.sessionId", "session.id")
    assert len({stored_conversation(kind, "x") for kind in kinds}) == len(kinds)
    assert stored_conversation("call", "x") == "x"


def test_arguments_are_compared_as_values_within_a_tool_and_a_kind() -> None:
    one = request_hash(SECRET, "book", "fit", {"a": 1, "b": [1, None]})
    assert one == request_hash(SECRET, "book", "fit", {"b": [1, None], "a": 1})
    others = [
        request_hash(SECRET, "book", "fit", {"a": 1, "b": [None, 1]}),
        request_hash(SECRET, "book", "fit", {"a": "1", "b": [1, None]}),
        request_hash(SECRET, "cancel", "fit", {"a": 1, "b": [1, None]}),
        request_hash(SECRET, "book", "invalid_arguments", {"a": 1, "b": [1, None]}),
        request_hash(request_secret("other"), "book", "fit", {"a": 1, "b": [1, None]}),
    ]
    assert len({one, *others}) == 6


def test_what_is_nested_too_deeply_has_a_hash_too() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    assert re.fullmatch("[0-9a-f]{64}", request_hash(SECRET, "book", "invalid_arguments", {"a": nested}))
