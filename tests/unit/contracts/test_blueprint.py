"""What is said of a tool's versions, and which of two records is newer."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerotouch_contracts.blueprint import (
    VERSIONS_MAX,
    BlueprintPlace,
    Told,
    ToolPublished,
    place_after,
    published_record,
    read_published,
)
from zerotouch_contracts.envelope import VALUE_BYTES_MAX, UndecodableRecord
from zerotouch_contracts.schemas import schema_of

from .golden_files import golden

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
GOLDEN = golden("ToolPublished")
SECRET = "patient-Ada-Lovelace"


def told() -> Told:
    return read_published(GOLDEN.key, GOLDEN.value, GOLDEN.headers)


def said(log_id: UUID, position: int, minutes: int = 0) -> Told:
    message = told().message.model_copy(update={"position": position})
    return Told(message, log_id, NOW + timedelta(minutes=minutes))


def test_the_golden_record_is_read_and_sent_again_byte_for_byte() -> None:
    one = told()
    again = published_record(one.message, id=UUID("0198c0de-7777-7000-8000-00000000000b"), log_id=one.log_id, at=one.at)
    assert (again.topic, again.key, again.value, again.headers) == (
        GOLDEN.topic,
        GOLDEN.key,
        GOLDEN.value,
        GOLDEN.headers,
    )


def test_the_golden_record_obeys_its_schema() -> None:
    schema = schema_of(ToolPublished)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(GOLDEN.body)
    for field in schema["required"]:
        assert not validator.is_valid({k: v for k, v in GOLDEN.body.items() if k != field})


def test_fields_of_a_newer_release_are_passed_over_and_optional_ones_may_be_missing() -> None:
    versions = [{**one, "added_later": {"deeply": [None]}} for one in GOLDEN.body["versions"]]
    newer = GOLDEN.with_body(versions=versions, another=1.5)
    assert read_published(newer.key, newer.value, newer.headers) == told()
    least = {key: GOLDEN.body[key] for key in schema_of(ToolPublished)["required"]}
    assert read_published(GOLDEN.key, json.dumps(least).encode(), GOLDEN.headers).message.omitted == 0


def version(**fields: Any) -> bytes:
    return GOLDEN.with_body(versions=[{**GOLDEN.body["versions"][0], **fields}]).value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="tombstone"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"\xff\xfe" + SECRET.encode(), id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b" " * VALUE_BYTES_MAX + GOLDEN.value, id="oversized"),
        pytest.param(GOLDEN.with_body(tool=SECRET * 4).value, id="a name too long"),
        pytest.param(GOLDEN.with_body(tool="another").value, id="another tool than the key's"),
        pytest.param(GOLDEN.with_body(position=0).value, id="position 0"),
        pytest.param(GOLDEN.with_body(position=SECRET).value, id="position as text"),
        pytest.param(GOLDEN.with_body(versions=[]).value, id="no version"),
        pytest.param(GOLDEN.with_body(versions=GOLDEN.body["versions"] * VERSIONS_MAX).value, id="too many versions"),
        pytest.param(version(definition_hash=SECRET), id="no hash"),
        pytest.param(version(contract=-1), id="contract below 0"),
        pytest.param(version(description=f"\x00{SECRET}"), id="U+0000"),
        pytest.param(version(description="x" * 1001), id="a long description"),
        pytest.param(version(parameters={"a": ["\x00"]}), id="U+0000 within a schema"),
        pytest.param(version(parameters={"\x00": 1}), id="U+0000 as a key"),
        pytest.param(version(parameters={"a": "S"}).replace(b'"S"', b'"\\ud800"'), id="lone surrogate in a schema"),
        pytest.param(version(parameters={"a": "S"}).replace(b'"S"', b"NaN"), id="NaN in a schema"),
        pytest.param(version(parameters={"a": "S"}).replace(b'"S"', b"1e999"), id="a number without end"),
        pytest.param(version(parameters={"a": json.loads("[" * 40 + "]" * 40)}), id="a deep schema"),
        pytest.param(version(parameters=[SECRET]), id="a schema that is no object"),
    ],
)
def test_what_is_no_record_of_ours_is_refused_and_nothing_of_it_repeated(value: bytes | None) -> None:
    with pytest.raises(UndecodableRecord) as raised:
        read_published(GOLDEN.key, value, GOLDEN.headers)
    assert raised.value.reason
    assert SECRET not in raised.value.reason


@pytest.mark.parametrize("name", ["ce_type", "ce_time", "log_id", "content-type", "ce_specversion"])
@pytest.mark.parametrize("raw", [None, b"", b"\xff", b"something else"])
def test_a_header_that_cannot_be_read_makes_it_no_record_of_ours(name: str, raw: bytes | None) -> None:
    with pytest.raises(UndecodableRecord):
        read_published(GOLDEN.key, GOLDEN.value, GOLDEN.with_header(name, raw))


@pytest.mark.parametrize("key", [None, b"", b"senddirections", b"\xff"])
def test_another_key_than_the_tools_would_be_another_order_so_it_is_refused(key: bytes | None) -> None:
    with pytest.raises(UndecodableRecord):
        read_published(key, GOLDEN.value, GOLDEN.headers)


def test_within_a_log_a_higher_position_is_newer_and_of_one_what_was_said_later() -> None:
    log_id = uuid4()
    place = place_after(None, said(log_id, 5))
    assert place_after(place, said(log_id, 4, minutes=9)) is None
    assert place_after(place, said(log_id, 5, minutes=-1)) is None
    assert place_after(place, said(log_id, 5)) == place, "a repeat changes nothing"
    later = place_after(place, said(log_id, 5, minutes=1))
    assert later is not None
    assert place_after(later, said(log_id, 6, minutes=-9)) is not None


def test_a_restored_log_is_followed_from_its_first_word_on_and_the_one_before_never_again() -> None:
    old, new = uuid4(), uuid4()
    place = place_after(place_after(None, said(old, 100)), said(new, 40, minutes=1))
    assert place == BlueprintPlace(new, 40, NOW + timedelta(minutes=1), frozenset({old}))
    assert place_after(place, said(old, 1000, minutes=60)) is None


def test_what_another_log_said_before_is_not_newer() -> None:
    place = place_after(None, said(uuid4(), 5))
    assert place_after(place, said(uuid4(), 9, minutes=-1)) is None
    assert place_after(place, said(uuid4(), 9)) is None


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=8), st.randoms())
def test_in_whatever_order_records_of_a_log_come_the_newest_wins(records: list[tuple[int, int]], chance: Any) -> None:
    log_id = uuid4()
    chance.shuffle(records)
    place: BlueprintPlace | None = None
    for position, minutes in records:
        place = place_after(place, said(log_id, position, minutes)) or place
    assert place is not None
    assert (place.position, place.at) == max((p, NOW + timedelta(minutes=m)) for p, m in records)


def test_it_says_the_same_as_of_another_position() -> None:
    one, later = said(uuid4(), 1).message, said(uuid4(), 2).message
    assert one.says_as(later)
    assert not one.says_as(later.model_copy(update={"halted": True}))
