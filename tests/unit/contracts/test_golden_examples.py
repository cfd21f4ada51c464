"""What lies in topics already can be read for ever, and is what we would send today."""

import json
from uuid import UUID

import jsonschema
import pytest

from zerotouch_contracts.envelope import from_record, to_record
from zerotouch_contracts.schemas import MESSAGES, file_name

from .golden_files import CONTRACTS, EXAMPLES, golden

NAMES = [path.stem.removesuffix(".v1") for path in EXAMPLES if not path.stem.startswith("ContractsAnnounced")]
"""Of the messages that are about an organization; what is announced of contracts has test_answering.py."""


def test_every_message_has_an_example_and_every_example_a_message() -> None:
    plain = [path.name for path in EXAMPLES if path.stem.endswith(".v1")]
    assert plain == sorted(file_name(message) for message in MESSAGES)
    assert {path.name.partition(".")[0] + ".v1.json" for path in EXAMPLES} == set(plain)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_decodes_and_is_sent_again_byte_for_byte(name: str) -> None:
    record = golden(name)

    message, attributes = from_record(record.key, record.value, record.headers)
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

    assert not validator.is_valid({**golden(name).body, "org_id": 7})
    for field in schema["required"]:
        assert not validator.is_valid({k: v for k, v in golden(name).body.items() if k != field})


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_a_newer_schema_are_ignored(name: str) -> None:
    record = golden(name)
    newer = record.with_body(added_later={"deeply": ["nested", None]}, another=1.5)

    message, _ = from_record(newer.key, newer.value, newer.headers)

    assert message == from_record(record.key, record.value, record.headers)[0]


@pytest.mark.parametrize("name", NAMES)
def test_optional_fields_may_be_missing(name: str) -> None:
    schema = json.loads((CONTRACTS / "schemas" / f"{name.partition('.')[0]}.v1.json").read_text(encoding="utf-8"))
    record = golden(name)
    least = {key: value for key, value in record.body.items() if key in schema["required"]}

    message, _ = from_record(record.key, json.dumps(least).encode(), record.headers)

    assert message.org_id == UUID(record.body["org_id"])


@pytest.mark.parametrize("name", ["ToolsSynced", "ToolSyncFailed", "AssistantDiverged"])
def test_the_sequence_header_is_the_bodys_and_sorts_as_text(name: str) -> None:
    record = golden(name)

    _, attributes = from_record(record.key, record.value, record.headers)

    assert attributes.sequence == record.body["sequence"]
    assert len(dict(record.headers)["ce_sequence"]) == 20
