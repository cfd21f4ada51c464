"""Whatever lies on the topic: it is a message of ours, or it is refused with a reason that repeats nothing of it."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zerotouch_contracts.envelope import VALUE_BYTES_MAX, UndecodableRecord, from_record

from .golden_files import Golden, golden

SECRET = "patient-Ada-Lovelace"
SAVED = golden("AssistantSaved")
OUTCOME = golden("ToolsSynced")
OTHER_ORG = "00000000-0000-4000-8000-000000000001"


def refused(key: bytes | None, value: bytes | None, headers: Any) -> UndecodableRecord:
    with pytest.raises(UndecodableRecord) as raised:
        from_record(key, value, headers)
    assert raised.value.reason
    assert SECRET not in raised.value.reason
    return raised.value


def body(record: Golden = SAVED, **fields: Any) -> bytes:
    return record.with_body(**fields).value


def raw_body(field: str, literal: str) -> bytes:
    """The body with a field's JSON written by hand."""
    rest = {name: value for name, value in SAVED.body.items() if name != field}
    return json.dumps(rest)[:-1].encode() + f', "{field}": {literal}}}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="tombstone"),
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"{", id="cut off"),
        pytest.param(SECRET.encode(), id="no JSON"),
        pytest.param(b"\xff\xfe" + SECRET.encode(), id="no UTF-8"),
        pytest.param(b"\xef\xbb\xbf" + SAVED.value, id="byte order mark"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b" " * VALUE_BYTES_MAX + SAVED.value, id="oversized"),
        pytest.param(body(agent_id=f"\x00{SECRET}"), id="U+0000"),
        pytest.param(raw_body("agent_id", '"\\ud800"'), id="lone surrogate, escaped"),
        pytest.param(SAVED.value.replace(b"front-desk", b"\xed\xa0\x80"), id="lone surrogate, raw"),
        pytest.param(raw_body("revision", "NaN"), id="NaN"),
        pytest.param(raw_body("revision", "Infinity"), id="Infinity"),
        pytest.param(raw_body("revision", "1e400"), id="too big"),
        pytest.param(body(revision=0), id="revision 0"),
        pytest.param(body(revision="3; " + SECRET), id="revision as text"),
        pytest.param(body(model_hash=SECRET), id="no hash"),
        pytest.param(body(cause=SECRET), id="unknown cause"),
        pytest.param(body(request_id=SECRET), id="no UUID"),
        pytest.param(body(agent_id="x" * 65), id="long id"),
        pytest.param(body(agent_id={SECRET: SECRET}), id="object for text"),
        pytest.param(body(org_id=OTHER_ORG), id="another org than the key's"),
        pytest.param(OUTCOME.value, id="another message's body"),
    ],
)
def test_a_value_that_is_not_a_message_is_refused(value: bytes | None) -> None:
    failure = refused(SAVED.key, value, SAVED.headers)

    assert failure.id == SAVED.body["request_id"]
    assert str(failure.org_id) == SAVED.body["org_id"]
    assert failure.traceparent is not None


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(None, id="none"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\x00", id="binary"),
        pytest.param(OTHER_ORG.encode(), id="another org"),
        pytest.param(SAVED.key.upper(), id="in capitals: another partition"),
        pytest.param(SAVED.key.replace(b"-", b""), id="without hyphens: another partition"),
        pytest.param(SECRET.encode(), id="no UUID"),
    ],
)
def test_a_key_that_is_not_the_org_is_refused(key: bytes | None) -> None:
    refused(key, SAVED.value, SAVED.headers)


@pytest.mark.parametrize(
    "raw", [None, b"\xff\xfe", b"", b"a\x00b", b"x" * 600], ids=["null", "binary", "empty", "U+0000", "long"]
)
@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time"])
def test_an_attribute_that_cannot_be_read_is_refused(name: str, raw: bytes | None) -> None:
    refused(SAVED.key, SAVED.value, SAVED.with_header(name, raw))


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        pytest.param("ce_specversion", b"0.3", id="another CloudEvents version"),
        pytest.param("ce_type", b"zerotouch.AssistantSaved.v2", id="newer version"),
        pytest.param("ce_type", SECRET.encode(), id="unknown type"),
        pytest.param("ce_time", b"yesterday, said " + SECRET.encode(), id="no time"),
        pytest.param("ce_orgid", OTHER_ORG.encode(), id="another org"),
        pytest.param("content-type", b"application/avro", id="another content type"),
    ],
)
def test_an_attribute_that_says_something_else_is_refused(name: str, raw: bytes) -> None:
    refused(SAVED.key, SAVED.value, SAVED.with_header(name, raw))


def test_of_a_repeated_json_key_the_last_one_counts() -> None:
    message, _ = from_record(SAVED.key, raw_body("revision", '3, "revision": 4'), SAVED.headers)

    assert message.model_dump()["revision"] == 4


def test_no_headers_at_all_are_refused() -> None:
    refused(SAVED.key, SAVED.value, ())


def test_a_sequence_header_that_is_not_the_bodys_is_refused() -> None:
    refused(OUTCOME.key, OUTCOME.value, OUTCOME.with_header("ce_sequence", b"00000000000000000009"))


def test_headers_that_are_not_ours_are_ignored() -> None:
    strange = [*SAVED.headers, ("x-null", None), ("x-binary", b"\xff"), ("CE_ID", b"a second one does not count")]

    message, attributes = from_record(SAVED.key, SAVED.value, strange)

    assert attributes.id == SAVED.body["request_id"]
    assert message.org_id == attributes.org_id


HEADER = st.tuples(
    st.sampled_from([name for name, _ in SAVED.headers]) | st.text(max_size=10),
    st.none() | st.binary(max_size=40) | st.sampled_from([raw for _, raw in (*SAVED.headers, *OUTCOME.headers)]),
)


@given(
    key=st.none() | st.binary(max_size=40) | st.just(SAVED.key),
    value=st.none() | st.binary(max_size=200) | st.sampled_from([SAVED.value, OUTCOME.value]),
    headers=st.lists(HEADER, max_size=12).map(lambda extra: [*extra, *SAVED.headers]) | st.lists(HEADER, max_size=12),
)
@example(key=SAVED.key, value=SAVED.value, headers=list(SAVED.headers))
def test_any_record_is_a_message_or_refused(key: Any, value: Any, headers: Any) -> None:
    try:
        message, _ = from_record(key, value, headers)
    except UndecodableRecord as refusal:
        assert 0 < len(refusal.reason) <= 500  # noqa: PT017 - either end is right, and each is checked
    else:
        assert str(message.org_id).encode() == key


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(field=st.sampled_from(sorted(OUTCOME.body)), value=JSON)
def test_any_value_in_any_field_is_accepted_or_refused_without_repeating_it(field: str, value: Any) -> None:
    marked = [SECRET, value]
    for hostile in (value, marked):
        changed = OUTCOME.with_body(**{field: hostile})
        try:
            message, _ = from_record(changed.key, changed.value, changed.headers)
        except UndecodableRecord as refusal:
            assert SECRET not in refusal.reason  # noqa: PT017
        else:
            assert message.model_dump(mode="json")[field] == hostile or field == "org_id"
