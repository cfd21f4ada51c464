"""The blueprint of this release: what is registered with Vapi, and its trace in the log.

The definition hash covers everything that is sent to Vapi except the org id, which never changes for an org; so one
hash serves all orgs, and a changed server URL, description or argument is a new hash that updates every tool.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tool_sync.domain.events import BlueprintPublished
from tool_sync.domain.wanted import WantedTool
from tool_sync.log import EventLog, fact
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import (
    ANSWERED,
    BOOK_CLINIC_APPOINTMENT,
    DEFINITIONS,
    ORGANIZATION_PARAMETER,
    ToolDefinition,
)

_NO_ORG = UUID(int=0)
ANSWERED_VERSIONS: Final = frozenset((definition.name, definition.version) for definition in ANSWERED)
"""The (name, version) pairs whose calls assistant-api answers."""
SOURCE = "/zerotouch/tool-sync/blueprint"


def definitions_with(booking_version: int) -> tuple[ToolDefinition, ...]:
    """The newest version of every tool, and of the booking tool this one; ``KeyError`` where nobody answers it."""
    name = BOOK_CLINIC_APPOINTMENT.name
    booking = {definition.version: definition for definition in ANSWERED if definition.name == name}
    return tuple(booking[booking_version] if definition.name == name else definition for definition in DEFINITIONS)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The tool definitions together with the settings that are registered along with them."""

    definitions: tuple[ToolDefinition, ...]
    server_url: str
    installation_id: UUID
    credential_id: str | None
    tools: tuple[WantedTool, ...] = ()
    answered: frozenset[tuple[str, int]] = ANSWERED_VERSIONS

    @classmethod
    def of(
        cls, definitions: Sequence[ToolDefinition], *, server_url: str, installation_id: UUID, credential_id: str | None
    ) -> "Blueprint":
        """The blueprint with every tool's definition hash."""
        bare = cls(tuple(definitions), server_url, installation_id, credential_id)
        tools = tuple(
            WantedTool(d.name, d.version, canonical_hash(bare.payload(d.name, _NO_ORG)), d.tier) for d in definitions
        )
        return cls(bare.definitions, server_url, installation_id, credential_id, tools)

    def payload(self, name: str, org_id: UUID) -> dict[str, Any]:
        """The body of ``POST /tool`` and ``PATCH /tool`` for an org."""
        definition = next(d for d in self.definitions if d.name == name)
        return definition.vapi_payload(
            org_id,
            server_url=self.server_url,
            installation_id=self.installation_id,
            credential_id=self.credential_id,
        )


def document_for(document: Mapping[str, Any], org_id: UUID) -> dict[str, Any]:
    """What was registered for an org, from the document of a published definition."""
    parameters = [
        {**item, "value": str(org_id)} if item["key"] == ORGANIZATION_PARAMETER else item
        for item in document["parameters"]
    ]
    return {**document, "parameters": parameters}


async def publish(log: EventLog, blueprint: Blueprint, service_version: str) -> None:
    """Write every definition that the log does not have yet; safe in any number of replicas and restarts."""
    for definition, tool in zip(blueprint.definitions, blueprint.tools, strict=True):
        stream = f"blueprint-{definition.name}"
        # A release from before documents were in the log has published the same under a shorter cause.
        cause = f"{definition.version}:{tool.definition_hash}:document"
        event = BlueprintPublished(
            name=definition.name,
            version=definition.version,
            tier=definition.tier,
            asynchronous=definition.asynchronous,
            definition_hash=tool.definition_hash,
            document=blueprint.payload(definition.name, _NO_ORG),
        )
        await log.append(
            fact(stream, None, event, source=SOURCE, cause=cause, actor="tool-sync", service_version=service_version)
        )
