"""What lies in topics already can be read for ever, and is what we would send today."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from zerotouch_contracts.envelope import UndecodableRecord, from_fleet_record, from_record, subject_of, to_record
from zerotouch_contracts.fleet import FLEET_MESSAGES
from zerotouch_contracts.schemas import MESSAGES, file_name

from .golden_files import CONTRACTS, EXAMPLES, Golden, golden

OF_OTHER_KEYS = ("ContractsAnnounced", "ToolPublished", "LogHead", "DisplayName", "VapiAccount")
NAMES = [path.stem.removesuffix(".v1") for path in EXAMPLES if not path.stem.startswith(OF_OTHER_KEYS)]
"""Of the messages that are keyed by an organization or a rollout; the others have tests of their own."""
FLEET = {model.__name__ for model in FLEET_MESSAGES}


def read(record: Golden) -> tuple[Any, Any]:
    """The record by the function that reads its topic."""
    is_fleet = record.topic == "tool-sync.fleet.v1"
    return (from_fleet_record if is_fleet else from_record)(record.key, record.value, record.headers)


def test_every_message_has_an_example_and_every_example_a_message() -> None:
    plain = [path.name for path in EXAMPLES if path.stem.endswith(".v1")]
    assert plain == sorted(file_name(message) for message in MESSAGES)
    assert {path.name.partition(".")[0] + ".v1.json" for path in EXAMPLES} == set(plain)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_decodes_and_is_sent_again_byte_for_byte(name: str) -> None:
    record = golden(name)

    message, attributes = read(record)
    assert attributes.log_id is not None
    again = to_record(
        message,
        id=attributes.id,
        time=attributes.time,
        log_id=attributes.log_id,
        traceparent=attributes.traceparent,
    )

    assert type(message).__name__ == name.partition(".")[0]
    assert (again.topic, again.key, again.value) == (record.topic, record.key, record.value)
    assert again.headers == record.headers


@pytest.mark.parametrize("name", NAMES)
def test_an_example_obeys_its_schema(name: str) -> None:
    schema = json.loads((CONTRACTS / "schemas" / f"{name.partition('.')[0]}.v1.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())

    validator.validate(golden(name).body)

    about = "rollout_id" if name.startswith("Rollout") else "org_id"
    assert not validator.is_valid({**golden(name).body, about: 7})
    for field in schema["required"]:
        assert not validator.is_valid({k: v for k, v in golden(name).body.items() if k != field})


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_a_newer_schema_are_ignored(name: str) -> None:
    record = golden(name)
    newer = record.with_body(added_later={"deeply": ["nested", None]}, another=1.5)

    assert read(newer)[0] == read(record)[0]


@pytest.mark.parametrize("name", NAMES)
def test_optional_fields_may_be_missing(name: str) -> None:
    schema = json.loads((CONTRACTS / "schemas" / f"{name.partition('.')[0]}.v1.json").read_text(encoding="utf-8"))
    record = golden(name)
    least = {key: value for key, value in record.body.items() if key in schema["required"]}

    message, _ = read(replace(record, value=json.dumps(least).encode()))

    assert subject_of(message)[1].encode() == record.key


@pytest.mark.parametrize("name", ["ToolsSynced", "ToolSyncFailed", "AssistantDiverged", *sorted(FLEET)])
def test_the_sequence_header_is_the_bodys_and_sorts_as_text(name: str) -> None:
    record = golden(name)

    _, attributes = read(record)

    assert attributes.sequence == record.body["sequence"]
    assert len(dict(record.headers)["ce_sequence"]) == 20


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_read_by_the_function_of_its_topic_alone(name: str) -> None:
    record = golden(name)
    other = from_record if name in FLEET else from_fleet_record
    with pytest.raises(UndecodableRecord, match="unknown type"):
        other(record.key, record.value, record.headers)


@pytest.mark.parametrize("name", sorted(FLEET))
def test_a_message_of_the_fleet_is_refused_under_another_key_subject_or_number(name: str) -> None:
    record = golden(name)
    subject = "ce_rolloutid" if name.startswith("Rollout") else "ce_orgid"
    with pytest.raises(UndecodableRecord, match="the key is not the"):
        from_fleet_record(b"another", record.value, record.headers)
    with pytest.raises(UndecodableRecord, match=f"header {subject} is not the"):
        from_fleet_record(record.key, record.value, record.with_header(subject, b"another"))
    with pytest.raises(UndecodableRecord, match="header ce_sequence is not the sequence"):
        from_fleet_record(record.key, record.value, record.with_header("ce_sequence", b"7".zfill(20)))
