"""A look at Vapi for a command: its client, beside the rate and the pauses that the service's key has."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from tool_sync import db
from tool_sync.admin.live import Look
from tool_sync.cli.ending import fail
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.rate_limit import KeyLimits, KeyTable, SharedKey, fingerprint_of
from tool_sync.vapi.rate_limit.tokens import Rate
from zerotouch_platform.postgres.installation import read_installation
from zerotouch_platform.telemetry import off
from zerotouch_platform.vapi.transport import PooledTransport

DEADLINE_SECONDS: Final = 10.0
CONNECTIONS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class At:
    """Vapi, as a command is told of it. ``requests_per_minute`` is tool-sync's share of the key's rate, if set.

    ``patience_seconds``: the longest that one call waits for the rate; at 0 the command stops instead.
    """

    base_url: str
    api_key: str
    account: str
    calls_max: int
    requests_per_minute: int | None = None
    patience_seconds: float = 0.0


def at_vapi(
    base_url: str | None,
    api_key: str | None,
    account: str,
    calls_max: int,
    requests_per_minute: int | None,
    share: float,
    patience_seconds: float = 0.0,
) -> At:
    """From the options of a command; ends it where Vapi or its key is not named."""
    if not base_url or not api_key:
        fail("--live needs VAPI_BASE_URL and VAPI_API_KEY")
    rate = None if requests_per_minute is None else max(1, int(requests_per_minute * share))
    return At(base_url, api_key, account, calls_max, rate, patience_seconds)


@asynccontextmanager
async def client_of(
    base_url: str, api_key: str, account: str, deadline_seconds: float, *, connections_max: int
) -> AsyncIterator[VapiClient]:
    """A command's own client, without spans."""
    vapi = VapiClient(
        base_url,
        lambda: api_key,
        account=account,
        deadline_seconds=deadline_seconds,
        transport=PooledTransport(connections_max),
        telemetry=off(),
    )
    try:
        yield vapi
    finally:
        await vapi.close()


@asynccontextmanager
async def looking(pool: db.Pool, live: At) -> AsyncIterator[Look]:
    """A look that asks as bulk work, and counts its calls."""
    rate = None
    if live.requests_per_minute is not None:
        rate = Rate(live.requests_per_minute, batch=1, saves_share=0.2, late_seconds=1.5, early_seconds=0.5)
    limits = KeyLimits(rate, probe_seconds=DEADLINE_SECONDS + 2)
    key = SharedKey(KeyTable(pool, fingerprint_of(live.api_key)), limits, monotonic=time.monotonic)

    client = client_of(live.base_url, live.api_key, live.account, DEADLINE_SECONDS, connections_max=CONNECTIONS_MAX)
    async with client as vapi:
        installation_id = await read_installation(pool)
        yield Look(vapi, key, installation_id, live.calls_max, live.patience_seconds)
