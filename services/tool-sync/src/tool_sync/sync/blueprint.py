"""What a release brings along: the definitions that a new log starts with.

The definition hash covers everything that is sent to Vapi except the org id, which never changes for an org; so one
hash serves all orgs. Where the log has a tool already, a release changes nothing of it: its newer definitions are
published and ordered by whoever runs it, like any other version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tool_sync.domain.events import (
    BlueprintPublished,
    FleetEvent,
    RolloutCompleted,
    RolloutStage,
    RolloutStarted,
)
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.toolset import FOLD
from tool_sync.log import AppendRequest, Meta, NewEvent, UnknownEvent, event_id
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.sync.store import Log
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import (
    ANSWERED,
    BOOK_CLINIC_APPOINTMENT,
    CANCEL_APPOINTMENT_V2,
    DEFINITIONS,
    ORGANIZATION_PARAMETER,
    RESCHEDULE_APPOINTMENT_V2,
    ToolDefinition,
)

_NO_ORG = UUID(int=0)
OFFERED: Final = (CANCEL_APPOINTMENT_V2, RESCHEDULE_APPOINTMENT_V2)
"""Published at the first start and ordered for nobody: an order makes them work."""
EVERYBODY: Final = RolloutStage("all", RINGS)
SOURCE: Final = "/zerotouch/tool-sync/blueprint"


def definitions_with(booking_version: int) -> tuple[ToolDefinition, ...]:
    """The newest version of every tool, and of the booking tool this one; ``KeyError`` where nobody answers it."""
    name = BOOK_CLINIC_APPOINTMENT.name
    booking = {definition.version: definition for definition in ANSWERED if definition.name == name}
    return tuple(booking[booking_version] if definition.name == name else definition for definition in DEFINITIONS)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The release's definitions, with the settings that are registered along with them.

    ``definitions`` are ordered for every clinic by a log that has no order of the tool yet; ``offered`` are not.
    """

    definitions: tuple[ToolDefinition, ...]
    server_url: str
    installation_id: UUID
    credential_id: str | None
    offered: tuple[ToolDefinition, ...] = ()

    def published(self, definition: ToolDefinition) -> BlueprintPublished:
        """The event that publishes a definition."""
        document = definition.vapi_payload(
            _NO_ORG,
            server_url=self.server_url,
            installation_id=self.installation_id,
            credential_id=self.credential_id,
        )
        return BlueprintPublished(
            name=definition.name,
            version=definition.version,
            tier=definition.tier,
            asynchronous=definition.asynchronous,
            definition_hash=canonical_hash(document),
            document=document,
            contract=definition.contract,
        )


def document_for(document: Mapping[str, Any], org_id: UUID) -> dict[str, Any]:
    """What is registered for an org, from the document of a published definition."""
    parameters = [
        {**item, "value": str(org_id)} if item["key"] == ORGANIZATION_PARAMETER else item
        for item in document["parameters"]
    ]
    return {**document, "parameters": parameters}


async def seed(log: Log, blueprint: Blueprint, service_version: str) -> None:
    """Publish and order what a log without these tools starts with; safe in any number of replicas and restarts.

    Raises :class:`~tool_sync.log.UnknownEvent` where the log holds orders that this release cannot read.
    """
    fleet = await read_fleet(log)
    for definition in (*blueprint.definitions, *blueprint.offered):
        if definition.name not in fleet.versions:
            await _append(
                log, f"blueprint-{definition.name}", (blueprint.published(definition),), fleet, service_version
            )
    # Read anew: another replica, perhaps of another release, may have published first, and what is there is ordered.
    fleet = await read_fleet(log)
    for name in (definition.name for definition in blueprint.definitions):
        if name not in fleet.orders:
            newest = max(fleet.versions[name].values(), key=lambda one: one.position)
            await _append(log, f"rollout-{seed_order(name)}", _ordered(name, newest.version), fleet, service_version)


async def read_fleet(log: Log) -> Fleet:
    """The fleet as the log has it now. Raises :class:`~tool_sync.log.UnknownEvent`."""
    events = (await log.load((), fold=FOLD, fleet_after=0)).fleet
    if isinstance(events, UnknownEvent):
        raise events
    return with_events(empty_fleet(), events)


def seed_order(name: str) -> str:
    """The id of the order that a tool starts with."""
    return f"seed-{name}"


def _ordered(name: str, version: int) -> tuple[FleetEvent, ...]:
    order = seed_order(name)
    return (
        RolloutStarted(order, name, version, (EVERYBODY,), "the tool's first order", None),
        RolloutCompleted(order, name, "seeded"),
    )


async def _append(log: Log, stream: str, events: tuple[FleetEvent, ...], fleet: Fleet, service_version: str) -> None:
    """To the stream as it was read: where another replica was there before, nothing happens."""
    cause = f"seed:{stream}"
    await log.append(
        AppendRequest(
            stream=stream,
            org_id=None,
            expected_version=fleet.stream_versions.get(stream, 0),
            events=tuple(
                NewEvent(event_id(stream, SOURCE, cause, type(event).__name__, n), event)
                for n, event in enumerate(events)
            ),
            meta=Meta(cause, cause, None, "tool-sync", service_version),
        )
    )
