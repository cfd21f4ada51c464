"""What is said of clinics' accounts at Vapi, and what is not taken for it."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import jsonschema
import pytest

from zerotouch_contracts.accounts import AccountSaid, VapiAccount, account_record, clinic_of, read_account
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.schemas import schema_of

from .golden_files import golden

GOLDEN = golden("VapiAccount")
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ORG, LOG = UUID("01928d5e-1c2a-7000-8000-000000000001"), uuid4()


def test_the_example_is_read_and_is_sent_again_byte_for_byte() -> None:
    said = read_account(GOLDEN.key, GOLDEN.value, GOLDEN.headers)
    assert said.message is not None
    assert (said.org_id, said.message.requests_per_minute) == (ORG, 600)
    headers = dict(GOLDEN.headers)
    again = account_record(
        said.org_id,
        said.message,
        id=UUID(headers["ce_id"].decode()),
        time=NOW,
        log_id=said.log_id,
        traceparent=headers["traceparent"].decode(),
    )
    assert (again.topic, again.key, again.value) == (GOLDEN.topic, GOLDEN.key, GOLDEN.value)
    assert again.headers == GOLDEN.headers
    jsonschema.validate(json.loads(GOLDEN.value), schema_of(VapiAccount))


def test_a_record_without_a_value_says_that_the_clinic_has_none_of_its_own() -> None:
    record = account_record(ORG, None, id=uuid4(), time=NOW, log_id=LOG)
    assert record.value is None
    assert read_account(record.key, None, record.headers) == AccountSaid(ORG, None, LOG)


def test_what_is_optional_may_be_missing() -> None:
    least = {key: value for key, value in GOLDEN.body.items() if key in schema_of(VapiAccount)["required"]}
    said = read_account(GOLDEN.key, json.dumps(least).encode(), GOLDEN.headers).message
    assert said is not None
    assert (said.tool_server_credential_id, said.requests_per_minute) == (None, None)


def test_the_sealed_key_is_in_no_text_of_the_message() -> None:
    said = read_account(GOLDEN.key, GOLDEN.value, GOLDEN.headers)
    assert GOLDEN.body["sealed_key"] not in f"{said} {said!r}"


@pytest.mark.parametrize("key", [None, b"", b"clinic", str(ORG).upper().encode(), f"{ORG}/".encode(), b"\xff"])
def test_another_spelling_of_a_key_is_not_read(key: bytes | None) -> None:
    with pytest.raises(UndecodableRecord):
        clinic_of(key)
    with pytest.raises(UndecodableRecord):
        read_account(key, None, GOLDEN.headers)


@pytest.mark.parametrize(
    "changes",
    [{"org_id": str(uuid4())}, {"account": ""}, {"account": "a b"}, {"sealed_key": "a-key-in-clear"},
     {"sealed_key": "k1."}, {"sealed_key": "k1." + "A" * 1100}, {"key_fingerprint": "F" * 32},
     {"key_fingerprint": "f" * 31}, {"requests_per_minute": 0}, {"requests_per_minute": 1_000_001}, {"revision": 0},
     {"tool_server_credential_id": ""}],
)  # fmt: skip
def test_a_body_that_is_not_what_it_should_be_is_refused_without_its_words(changes: dict[str, Any]) -> None:
    with pytest.raises(UndecodableRecord) as refused:
        read_account(GOLDEN.key, GOLDEN.with_body(**changes).value, GOLDEN.headers)
    assert "in-clear" not in refused.value.reason
    assert refused.value.org_id == ORG


@pytest.mark.parametrize("header", ["log_id", "ce_type", "content-type", "ce_specversion"])
def test_a_record_without_its_headers_is_refused(header: str) -> None:
    with pytest.raises(UndecodableRecord):
        read_account(GOLDEN.key, GOLDEN.value, GOLDEN.with_header(header, None))
