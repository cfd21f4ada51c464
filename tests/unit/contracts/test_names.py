"""What is said of names, and what is not taken for it."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import jsonschema
import pytest

from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.names import DisplayName, Named, NameSaid, name_record, named_by, read_name
from zerotouch_contracts.schemas import schema_of

from .golden_files import golden

GOLDEN = golden("DisplayName")
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ORG, LOG = UUID("01928d5e-1c2a-7000-8000-000000000001"), uuid4()


def test_the_example_is_read_and_is_sent_again_byte_for_byte() -> None:
    said = read_name(GOLDEN.key, GOLDEN.value, GOLDEN.headers)
    assert said.message is not None
    assert said.message.name == "Praxis Dr. Müller, Empfang"
    headers = dict(GOLDEN.headers)
    again = name_record(
        said.named,
        said.message,
        id=UUID(headers["ce_id"].decode()),
        time=NOW,
        log_id=said.log_id,
        traceparent=headers["traceparent"].decode(),
    )
    assert (again.topic, again.key, again.value) == (GOLDEN.topic, GOLDEN.key, GOLDEN.value)
    assert again.headers == GOLDEN.headers
    jsonschema.validate(json.loads(GOLDEN.value), schema_of(DisplayName))


@pytest.mark.parametrize("agent_id", [None, "front-desk"])
def test_a_record_without_a_value_says_that_there_is_nobody_to_be_named(agent_id: str | None) -> None:
    record = name_record(Named(ORG, agent_id), None, id=uuid4(), time=NOW, log_id=LOG)
    assert record.value is None
    assert read_name(record.key, None, record.headers) == NameSaid(Named(ORG, agent_id), None, LOG)


def test_clinic_and_agent_have_keys_of_their_own() -> None:
    assert Named(ORG, None).key == str(ORG).encode()
    assert Named(ORG, "a:b.c").key == f"{ORG}/a:b.c".encode()
    assert [named_by(Named(ORG, agent).key) for agent in (None, "a:b.c")] == [Named(ORG, None), Named(ORG, "a:b.c")]


@pytest.mark.parametrize(
    "key",
    [None, b"", b"clinic", str(ORG).upper().encode(), f"{ORG}/".encode(), f"{ORG}/-".encode(), f"{ORG}/a/b".encode(),
     f"{ORG}/{'a' * 65}".encode(), b"\xff", f"{{{ORG}}}".encode(), f" {ORG}".encode()],
)  # fmt: skip
def test_another_spelling_of_a_key_is_not_read(key: bytes | None) -> None:
    with pytest.raises(UndecodableRecord):
        read_name(key, GOLDEN.value, GOLDEN.headers)
    with pytest.raises(UndecodableRecord):
        read_name(key, None, GOLDEN.headers)


@pytest.mark.parametrize(
    "changes",
    [{"agent_id": None}, {"agent_id": "other"}, {"org_id": str(uuid4())}, {"name": ""}, {"name": "x" * 201},
     {"name": "Dr.\x00"}, {"name": 7}, {"revision": 0}, {"revision": 2**53}],
)  # fmt: skip
def test_a_body_that_is_not_what_the_key_says_is_refused_without_its_words(changes: dict[str, Any]) -> None:
    with pytest.raises(UndecodableRecord) as refused:
        read_name(GOLDEN.key, GOLDEN.with_body(**changes).value, GOLDEN.headers)
    assert "Müller" not in refused.value.reason


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b'"Dr. M\xfcller"', b"[]", b"x" * 300_000])
def test_what_is_no_message_is_refused(value: bytes) -> None:
    with pytest.raises(UndecodableRecord):
        read_name(GOLDEN.key, value, GOLDEN.headers)


@pytest.mark.parametrize("header", ["log_id", "ce_type", "content-type", "ce_specversion"])
def test_a_record_without_its_headers_is_refused(header: str) -> None:
    with pytest.raises(UndecodableRecord):
        read_name(GOLDEN.key, GOLDEN.value, GOLDEN.with_header(header, None))


def test_fields_of_a_newer_schema_are_ignored() -> None:
    newer = GOLDEN.with_body(added_later=[1])
    assert read_name(newer.key, newer.value, newer.headers) == read_name(GOLDEN.key, GOLDEN.value, GOLDEN.headers)
