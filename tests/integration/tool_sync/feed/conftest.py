"""The app over a real database, with its tail running, and a client."""

from collections.abc import AsyncIterator

import httpx
import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.http.app import build
from tool_sync.http.state import HttpState
from tool_sync.outcomes.feed import Tail
from tool_sync.settings import Settings
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health


@pytest.fixture
async def state(settings: Settings, pool: db.Pool, tail: Tail) -> HttpState:
    """What the routes work with."""
    async with pool.acquire() as connection:
        log_id = await db.read_log_id(connection)
    return HttpState(TokenVerifier(settings), Health(check_seconds_max=0.2, starting=None), pool, tail, log_id)


@pytest.fixture
async def client(state: HttpState, signer: Signer) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the platform's token."""
    transport = httpx.ASGITransport(build(state, telemetry.off()), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {signer.platform_token()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://tool-sync", headers=headers) as client:
        yield client
