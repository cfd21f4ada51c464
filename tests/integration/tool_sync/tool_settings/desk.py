"""A clinic's desk: its token, and what it may set over HTTP, against a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
from tests.support.jwt_settings import JwtSettings

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.http.app import build
from tool_sync.http.state import HttpState
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

from ..ordering import order_of, say

META = Meta("cause", "correlation", None, "test", "1")
BOOK, CANCEL = "bookClinicAppointment", "cancelAppointment"
HASH = "a" * 64
SETTINGS = ("ToolSettingChanged", "ToolSettingRemoved")


@dataclass
class Desk:
    """One clinic, and the HTTP API over its log. ``state`` may be given another log."""

    pool: db.Pool
    log: EventLog
    state: HttpState
    client: httpx.AsyncClient
    signer: Signer
    org_id: UUID = field(default_factory=uuid4)

    def path(self, what: str, org_id: UUID | None = None) -> str:
        """Of one of the clinic's resources, or of another's."""
        return f"/v1/orgs/{org_id or self.org_id}/{what}"

    async def ask(
        self, method: str, what: str, *, org_id: UUID | None = None, token: str | None = None, **more: Any
    ) -> httpx.Response:
        """With the clinic's own token, or another."""
        token = token or self.signer.org_token(str(self.org_id))
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return await self.client.request(method, self.path(what, org_id), headers=headers, **more)

    async def put(self, enabled: bool, reason: str | None = None, tool: str = BOOK, **more: Any) -> httpx.Response:
        """Set one of its tools."""
        body = {"enabled": enabled} | ({} if reason is None else {"reason": reason})
        return await self.ask("PUT", f"tools/{tool}/settings", json=body, **more)

    async def get(self, what: str = f"tools/{BOOK}/settings", **more: Any) -> Any:
        """A body that is there."""
        answer = await self.ask("GET", what, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def happened(self, *events: e.Event, org_id: UUID | None = None) -> None:
        """Append the events one by one, each to its stream; a version that is published is also ordered."""
        for event in events:
            if isinstance(event, e.FleetEvent):
                await say(self.log, event, *(order_of(event) if isinstance(event, e.BlueprintPublished) else ()))
                continue
            owner = org_id or self.org_id
            stream = org_stream(owner) if isinstance(event, e.OrgEvent) else toolset_stream(owner)
            await self.log.append(AppendRequest(stream, owner, None, (NewEvent(uuid4(), event),), META))

    async def stored(self) -> list[dict[str, Any]]:
        """The settings that the log holds of any clinic: type, data and actor, in their order."""
        query = "SELECT type, data, meta ->> 'actor' AS actor FROM events WHERE type = ANY($1) ORDER BY position"
        return [dict(row) for row in await self.pool.fetch(query, list(SETTINGS))]


@asynccontextmanager
async def desk_over(pool: db.Pool, log: EventLog, signer: Signer) -> AsyncIterator[Desk]:
    """A clinic without events."""
    state = HttpState(TokenVerifier(JwtSettings(signer.public_key)), Health(check_seconds_max=0.2, starting=None), pool)
    state.log = log
    transport = httpx.ASGITransport(build(state, telemetry.off()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tool-sync") as client:
        yield Desk(pool, log, state, client, signer)
