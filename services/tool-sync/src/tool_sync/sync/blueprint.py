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
from tool_sync.log import Log, UnknownEvent, fleet_decision, rollout_stream, tool_stream
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.vapi.own_credential import OwnCredential
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import (
    ANSWERED,
    BOOK_CLINIC_APPOINTMENT,
    CANCEL_APPOINTMENT_V2,
    DEFINITIONS,
    ORGANIZATION_PARAMETER,
    RESCHEDULE_APPOINTMENT_V2,
    ToolDefinition,
    contract_of,
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


def document_for(document: Mapping[str, Any], org_id: UUID, credential: OwnCredential | None = None) -> dict[str, Any]:
    """What is registered for an org, from the document of a published definition.

    A definition names the platform's credential, which exists in the platform's account alone: in another account a
    tool of ours has that account's ``credential``, and one of another service's has none, as everywhere. The definition
    hash is the document's, so it is the same in all accounts.
    """
    parameters = [
        {**item, "value": str(org_id)} if item["key"] == ORGANIZATION_PARAMETER else item
        for item in document["parameters"]
    ]
    made = {**document, "parameters": parameters}
    if credential is not None and isinstance(server := document.get("server"), Mapping):
        made["server"] = {key: value for key, value in server.items() if key != "credentialId"}
        if credential.id is not None and contract_of(document) != 0:
            made["server"]["credentialId"] = credential.id
    return made


async def seed(log: Log, blueprint: Blueprint, service_version: str) -> None:
    """Publish and order what a log without these tools starts with; safe in any number of replicas and restarts.

    Raises :class:`~tool_sync.log.UnknownEvent` where the log holds orders that this release cannot read.
    """
    fleet = await read_fleet(log)
    for definition in (*blueprint.definitions, *blueprint.offered):
        if definition.name not in fleet.versions:
            event = blueprint.published(definition)
            await _append(log, tool_stream(definition.name), (event,), fleet, service_version)
    # Read anew: another replica, perhaps of another release, may have published first, and what is there is ordered.
    fleet = await read_fleet(log)
    for name in (definition.name for definition in blueprint.definitions):
        if name not in fleet.orders:
            newest = max(fleet.versions[name].values(), key=lambda one: one.position)
            await _append(log, rollout_stream(seed_order(name)), _ordered(name, newest.version), fleet, service_version)


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
        RolloutStarted(order, name, version, (EVERYBODY,), "the tool's first order", None, fleet_sequence=1),
        RolloutCompleted(order, name, "seeded", fleet_sequence=2),
    )


async def _append(log: Log, stream: str, events: tuple[FleetEvent, ...], fleet: Fleet, service_version: str) -> None:
    """To the stream as it was read: where another replica was there before, nothing happens."""
    version = fleet.stream_versions.get(stream, 0)
    await log.append(
        fleet_decision(
            stream, version, events, source=SOURCE, cause=f"seed:{stream}", actor="tool-sync",
            service_version=service_version,
        )
    )  # fmt: skip
