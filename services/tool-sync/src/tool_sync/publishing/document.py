"""What is registered at Vapi for a tool's file, in the shape of ``ToolDefinition.vapi_payload``, and its hash."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tool_sync.publishing.contract_rules import parameters_of
from tool_sync.publishing.tool_file import ToolFile
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import CONTRACT_PARAMETER, INSTALLATION_HEADER, ORGANIZATION_PARAMETER, VERSION_PARAMETER

_NO_ORG: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Installation:
    """What is registered along with every tool that assistant-api answers.

    ``server_url`` and ``credential_id`` go with a contract of assistant-api's alone: who has our webhook's credential
    could send calls to it, so another service never gets it.
    """

    server_url: str
    installation_id: UUID
    credential_id: str | None


def document_of(tool: ToolFile, version: int, of: Installation) -> dict[str, Any]:
    """The body of ``POST /tool``, with the nil UUID in the org's place, for a file without problems."""
    url = of.server_url if tool.server_url is None else tool.server_url
    server: dict[str, Any] = {
        "url": url,
        "timeoutSeconds": tool.timeout_seconds,
        "headers": {INSTALLATION_HEADER: str(of.installation_id)},
    }
    if of.credential_id is not None and tool.contract > 0:
        server["credentialId"] = of.credential_id
    schema = parameters_of(tool)
    assert schema is not None
    document: dict[str, Any] = {
        "type": "function",
        "async": tool.asynchronous,
        "function": {"name": tool.name, "description": tool.description, "parameters": dict(schema)},
        "server": server,
        "parameters": _static_parameters(tool, version),
    }
    return document | ({"messages": [dict(message) for message in tool.messages]} if tool.messages else {})


def definition_hash(document: dict[str, Any]) -> str:
    """One hash serves all orgs: it covers everything that is sent, with the nil UUID in the org's place."""
    return canonical_hash(document)


def _static_parameters(tool: ToolFile, version: int) -> list[dict[str, Any]]:
    ours = {ORGANIZATION_PARAMETER: str(_NO_ORG), VERSION_PARAMETER: version, CONTRACT_PARAMETER: tool.contract}
    return [{"key": key, "value": value} for key, value in (ours | dict(tool.static_parameters)).items()]
