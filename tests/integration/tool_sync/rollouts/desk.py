"""The platform's desk: the HTTP API of a process, over the log and the sandbox of a world."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
from tests.support.jwt_settings import JwtSettings

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.http.app import build
from tool_sync.http.state import HttpState, Installed
from tool_sync.log import EventLog
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

from .limits import BOOKING, HOOKS

WHY: Final[dict[str, Any]] = {"reason": "a test's"}
PER_MINUTE: Final = 720


@dataclass
class PlatformDesk:
    """Asks with a token of the platform. ``state`` may be given another log."""

    client: httpx.AsyncClient
    state: HttpState
    signer: Signer

    @property
    def clinic_headers(self) -> dict[str, str]:
        """Of a clinic's token."""
        return {"Authorization": f"Bearer {self.signer.org_token(str(uuid4()))}"}

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Any answer."""
        headers = {"Authorization": f"Bearer {self.signer.platform_token()}", **more.pop("headers", {})}
        return await self.client.request(method, f"/v1/{path}", headers=headers, **more)

    async def get(self, path: str) -> Any:
        """A body that is there."""
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, status: int = 200, **body: Any) -> Any:
        """The body of an answer with this status."""
        answer = await self.ask("POST", path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()


def file_of(description: str, **more: Any) -> dict[str, Any]:
    """A tool's file that says this."""
    return {"name": BOOKING, "contract": 2, "description": description, **more}


@asynccontextmanager
async def platform_desk(pool: db.Pool, log: EventLog, signer: Signer) -> AsyncIterator[PlatformDesk]:
    """The API, with a rate to forecast by."""
    state = HttpState(TokenVerifier(JwtSettings(signer.public_key)), Health(check_seconds_max=0.2, starting=None), pool)
    state.log, state.installed = log, Installed(HOOKS, calls_per_minute=PER_MINUTE)
    transport = httpx.ASGITransport(build(state, telemetry.off()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tool-sync") as client:
        yield PlatformDesk(client, state, signer)
