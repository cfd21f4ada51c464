"""What is signed of a head, byte for byte, so that anybody can check it without this code."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import jsonschema
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.heads import digest_of, head_record, key_id_of, read_head, signed_bytes
from zerotouch_contracts.schemas import schema_of

from .golden_files import golden

GOLDEN = golden("LogHead")
HEAD = read_head(GOLDEN.key, GOLDEN.value, GOLDEN.headers)
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
"""Of RFC 8032, section 7.1, test 1: the golden head is signed with its secret key."""
BYTES = (
    b"zerotouch-log-head-1\n"
    b"0198c0de-2222-7000-8000-000000000001\n"
    b"48112\n"
    b"abababababababababababababababababababababababababababababababab\n"
    b"2\n"
    b"1796008318120034\n"
    b"blueprint=3,org=20100,rollout=9,toolset=28000\n"
    b"1796008320000500\n"
    b"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\n"
    b"21fe31dfa154a261\n"
)
CHANGES: dict[str, Any] = {
    "log_id": "0198c0de-2222-7000-8000-000000000002",
    "position": 48113,
    "hash": "ac" * 32,
    "form": 3,
    "recorded_at": "2026-11-30T03:11:58.120035Z",
    "counts": {"org": 48112},
    "signed_at": "2026-11-30T03:12:00.000501Z",
    "previous": None,
    "key_id": "21fe31dfa154a262",
}


def test_the_signed_bytes_are_these() -> None:
    assert signed_bytes(HEAD) == BYTES
    assert digest_of(HEAD) == sha256(BYTES).hexdigest()
    assert key_id_of(PUBLIC) == HEAD.key_id
    Ed25519PublicKey.from_public_bytes(PUBLIC).verify(bytes.fromhex(HEAD.signature), BYTES)


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_the_signature_covers_every_field(field: str) -> None:
    changed = GOLDEN.with_body(**{field: CHANGES[field]})
    key = CHANGES["log_id"].encode() if field == "log_id" else changed.key
    head = read_head(key, changed.value, changed.headers)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(PUBLIC).verify(bytes.fromhex(head.signature), signed_bytes(head))


def test_no_field_is_left_out_of_the_changes() -> None:
    assert set(CHANGES) | {"signature"} == set(type(HEAD).model_fields)


def test_times_are_exact_and_any_zone_is_the_same_instant() -> None:
    changed = GOLDEN.with_body(recorded_at="2026-11-30T05:11:58.120034+02:00")
    assert signed_bytes(read_head(changed.key, changed.value, changed.headers)) == BYTES
    assert HEAD.signed_at == datetime(2026, 11, 30, 3, 12, 0, 500, tzinfo=UTC)


def test_the_golden_record_is_sent_again_byte_for_byte_and_obeys_its_schema() -> None:
    again = head_record(HEAD)
    assert (again.topic, again.key, again.value, again.headers) == (
        GOLDEN.topic,
        GOLDEN.key,
        GOLDEN.value,
        GOLDEN.headers,
    )
    validator = jsonschema.Draft202012Validator(schema_of(type(HEAD)))
    validator.validate(GOLDEN.body)
    for name in GOLDEN.body:
        assert not validator.is_valid({key: value for key, value in GOLDEN.body.items() if key != name})


@pytest.mark.parametrize(
    ("key", "changes", "reason"),
    [
        (b"another", {}, "the key is not the log"),
        (GOLDEN.key, {"position": 0}, "position"),
        (GOLDEN.key, {"hash": "x"}, "hash"),
        (GOLDEN.key, {"counts": {"a\nb": 1}}, "counts"),
        (GOLDEN.key, {"counts": {"org": -1}}, "counts"),
        (GOLDEN.key, {"signature": "ff"}, "signature"),
        (GOLDEN.key, {"recorded_at": "2026-11-30T03:11:58"}, "recorded_at"),
    ],
)
def test_what_is_no_head_is_refused(key: bytes, changes: dict[str, Any], reason: str) -> None:
    record = GOLDEN.with_body(**changes)
    with pytest.raises(UndecodableRecord, match=reason):
        read_head(key, record.value, record.headers)


def test_a_record_without_a_value_or_of_another_type_is_refused() -> None:
    with pytest.raises(UndecodableRecord):
        read_head(GOLDEN.key, None, GOLDEN.headers)
    with pytest.raises(UndecodableRecord, match="unknown type"):
        read_head(GOLDEN.key, GOLDEN.value, GOLDEN.with_header("ce_type", b"zerotouch.Other.v1"))
