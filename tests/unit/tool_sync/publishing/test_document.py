"""What is registered from a file: the same as a release registers from code, and never our credential elsewhere."""

from typing import Any
from uuid import UUID

from tool_sync.publishing.document import Installation, definition_hash, document_of
from tool_sync.publishing.tool_file import tool_of
from vapi_sandbox.tool_rules import problems_of_new_tool
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import ANSWERED, ToolDefinition

from .files import BOOKING, DIRECTIONS

OURS = "https://api.example/api/vapi/tool-calls"
INSTALLATION = UUID("0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10")
NO_ORG = UUID(int=0)


def registered(document: dict[str, Any], version: int = 3) -> dict[str, Any]:
    """What is registered from a file by this installation."""
    tool = tool_of(document).tool
    assert tool is not None
    return document_of(tool, version, Installation(OURS, INSTALLATION, "credential"))


def file_of(definition: ToolDefinition) -> dict[str, Any]:
    """The file that says what a definition of a release says."""
    return {
        "name": definition.name,
        "contract": definition.contract,
        "description": definition.description,
        "async": definition.asynchronous,
        "timeout_seconds": definition.timeout_seconds,
        "tier": definition.tier,
    }


def test_a_file_registers_what_a_release_registers() -> None:
    for definition in ANSWERED:
        made = registered(file_of(definition), definition.version)
        of_release = definition.vapi_payload(
            NO_ORG, server_url=OURS, installation_id=INSTALLATION, credential_id="credential"
        )
        assert made == of_release
        assert definition_hash(made) == canonical_hash(of_release)


def test_another_service_gets_whose_call_it_is_and_not_our_credential() -> None:
    made = registered(DIRECTIONS | {"static_parameters": {"region": "eu"}})
    assert made["server"] == {
        "url": "https://directions.example/tool",
        "timeoutSeconds": 20,
        "headers": {"X-Zerotouch-Installation": str(INSTALLATION)},
    }
    assert made["parameters"] == [
        {"key": "organization_id", "value": str(NO_ORG)},
        {"key": "definition_version", "value": 3},
        {"key": "contract", "value": 0},
        {"key": "region", "value": "eu"},
    ]


def test_what_is_registered_is_taken_by_vapi_and_each_part_changes_the_hash() -> None:
    spoken = {"messages": [{"type": "request-start", "content": "One moment.", "blocking": True}]}
    files = [DIRECTIONS, DIRECTIONS | spoken, BOOKING, BOOKING | spoken, BOOKING | {"timeout_seconds": 21}]
    documents = [registered(one) for one in files]
    assert [problems_of_new_tool(one) for one in documents] == [[]] * len(documents)
    assert "messages" not in documents[0]
    assert len({definition_hash(one) for one in [*documents, registered(BOOKING, 4)]}) == len(documents) + 1
    assert registered(BOOKING | {"note": "why"}) == registered(BOOKING)  # a note is for people, and changes nothing
