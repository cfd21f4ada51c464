"""A running log, the HTTP API over it, and histories of one clinic."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream

from ..ordering import HASH as HASH
from ..ordering import order_of, say, version

META = Meta("cause", "correlation", None, "test", "1")

TOOL = "bookClinicAppointment"


@dataclass
class Clinic:
    """One clinic of a log, with the HTTP API to look at it."""

    log: EventLog
    pool: db.Pool
    client: httpx.AsyncClient
    signer: Signer
    org_id: UUID = field(default_factory=uuid4)

    async def happened(self, *events: e.Event, org_id: UUID | None = None) -> None:
        """Append the events one by one, each to its stream; a version that is published is also ordered."""
        org_id = org_id or self.org_id
        for event in events:
            if isinstance(event, e.FleetEvent):
                ordered = order_of(event) if isinstance(event, e.BlueprintPublished) else ()
                await say(self.log, event, *ordered)
                continue
            stream = org_stream(org_id) if isinstance(event, e.OrgEvent) else toolset_stream(org_id)
            await self.log.append(AppendRequest(stream, org_id, None, (NewEvent(uuid4(), event),), META))

    async def ask(self, path: str, *, token: str | None = None, **query: str) -> httpx.Response:
        """``GET`` a path with the platform's token, or another."""
        headers = {"Authorization": f"Bearer {token or self.signer.platform_token()}"}
        return await self.client.get(path, headers=headers, params=query)

    async def why(self, **query: str) -> dict[str, Any]:
        """Why the clinic has the tool, or lacks it."""
        answer = await self.ask(f"/v1/orgs/{self.org_id}/tools/{TOOL}/why", **query)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


def tool_args(name: str = TOOL, tool_id: str = "tool-1", version: int = 1) -> tuple[str, str, str, int, str]:
    """What every event of a tool begins with: account, name, id, version and hash."""
    return "platform", name, tool_id, version, HASH


def registered(name: str = TOOL, tool_id: str = "tool-1", version: int = 1) -> e.ToolRegistered:
    """The tool is at Vapi."""
    return e.ToolRegistered(uuid4(), *tool_args(name, tool_id, version), HASH, adopted=False)


def published(number: int = 1, tier: str = "basic", definition_hash: str = HASH) -> e.BlueprintPublished:
    """A version of the tool's definition."""
    return version(TOOL, number, tier, definition_hash, contract=1)
