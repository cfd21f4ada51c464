"""The AsyncAPI document, written by hand, says what the code does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from zerotouch_contracts import envelope
from zerotouch_contracts.accounts import VapiAccount
from zerotouch_contracts.answering import ContractsAnnounced
from zerotouch_contracts.blueprint import ToolPublished
from zerotouch_contracts.events import ASSISTANT_MESSAGES, ERASURE_MESSAGES, OUTCOME_MESSAGES, TOOL_CALL_MESSAGES
from zerotouch_contracts.fleet import FLEET_MESSAGES
from zerotouch_contracts.heads import LogHead
from zerotouch_contracts.names import DisplayName
from zerotouch_contracts.topics import (
    ASSISTANTS,
    BLUEPRINT,
    DISPLAY_NAMES,
    ERASURES,
    FLEET,
    HEADS,
    OUTCOMES,
    TOOL_CALLS,
    TOPICS,
    VAPI_ACCOUNTS,
    Topic,
)
from zerotouch_contracts.topics import CONTRACTS as CONTRACTS_TOPIC

CONTRACTS = Path(envelope.__file__).resolve().parents[2]
DOCUMENT: dict[str, Any] = yaml.safe_load((CONTRACTS / "asyncapi" / "asyncapi.yaml").read_text(encoding="utf-8"))
CHANNELS = {channel["address"]: channel for channel in DOCUMENT["channels"].values()}
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
EXAMPLES = sorted((CONTRACTS / "examples").glob("*.json"))


def resolved(node: Any) -> Any:
    """The node with every reference within the document replaced by what it means."""
    if isinstance(node, list):
        return [resolved(item) for item in node]
    if not isinstance(node, dict):
        return node
    if str(node.get("$ref", "")).startswith("#/"):
        target: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolved(target)
    return {key: resolved(value) for key, value in node.items()}


@pytest.mark.parametrize(
    ("topic", "models"),
    [
        (ASSISTANTS, ASSISTANT_MESSAGES),
        (OUTCOMES, OUTCOME_MESSAGES),
        (FLEET, FLEET_MESSAGES),
        (TOOL_CALLS, TOOL_CALL_MESSAGES),
        (ERASURES, ERASURE_MESSAGES),
        (CONTRACTS_TOPIC, (ContractsAnnounced,)),
        (BLUEPRINT, (ToolPublished,)),
        (HEADS, (LogHead,)),
        (DISPLAY_NAMES, (DisplayName,)),
        (VAPI_ACCOUNTS, (VapiAccount,)),
    ],
    ids=lambda value: value.name if isinstance(value, Topic) else "",
)
def test_each_channel_has_exactly_the_messages_of_its_topic(topic: Topic, models: tuple[Any, ...]) -> None:
    messages = resolved(CHANNELS[topic.name])["messages"]
    assert {message["name"] for message in messages.values()} == {model.TYPE for model in models}


def test_there_is_a_channel_for_each_topic_with_its_settings() -> None:
    assert set(CHANNELS) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        binding = CHANNELS[topic.name]["bindings"]["kafka"]
        assert binding["topic"] == topic.name
        assert binding["partitions"] == topic.partitions
        said = {k: ",".join(v) if isinstance(v, list) else str(v) for k, v in binding["topicConfiguration"].items()}
        assert said == topic.configs


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_golden_record_has_the_headers_key_and_body_that_the_document_promises(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    message = next(m for m in resolved(MESSAGES).values() if m["name"] == record["headers"]["ce_type"])
    headers = jsonschema.Draft202012Validator(
        message["headers"], format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    headers.validate(record["headers"])
    known = {
        name for part in message["headers"].get("allOf", [message["headers"]]) for name in part.get("properties", ())
    }
    assert set(record["headers"]) <= known
    jsonschema.validate(record["key"], message["bindings"]["kafka"]["key"])
    schema = json.loads((CONTRACTS / "asyncapi" / message["payload"]["schema"]["$ref"]).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(record["value"])


def test_every_message_has_an_example() -> None:
    assert {path.stem.rpartition(".v1")[0] + ".v1" for path in EXAMPLES} == {
        m["name"].removeprefix("zerotouch.") for m in MESSAGES.values()
    }


def test_the_page_is_up_to_date_and_needs_no_network() -> None:
    command = [sys.executable, str(CONTRACTS / "asyncapi" / "render.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0
    page = (CONTRACTS / "asyncapi" / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "src=" not in page
