"""A look at Vapi for a command: its client, beside the rate and the pauses that the service's key has."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from tool_sync import db
from tool_sync.admin.live import Look
from tool_sync.cli.exits import fail
from tool_sync.vapi.accounts import Account, FollowedAccounts, OwnKey
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.rate_limit import KeyLimits, KeyTable, SharedKey, fingerprint_of
from tool_sync.vapi.rate_limit.tokens import Rate, share_of_rate
from zerotouch_platform.postgres.installation import read_installation
from zerotouch_platform.settings import CONFIG
from zerotouch_platform.telemetry import off
from zerotouch_platform.vapi.envelope import COMMAND_SECONDS_MAX, Envelope
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
    share: float = 1.0


class _EnvelopeOfCommand(BaseSettings):
    """The two of the service's settings that open clinics' own keys, for a command that is given no others."""

    model_config = CONFIG
    vapi_key_envelope_keys: SecretStr | None = None
    vapi_key_envelope_command: SecretStr | None = None


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
    rate = None if requests_per_minute is None else share_of_rate(requests_per_minute, share)
    return At(base_url, api_key, account, calls_max, rate, patience_seconds, share)


@asynccontextmanager
async def client_of(
    base_url: str, api_key: str, account: str, deadline_seconds: float, *, connections_max: int
) -> AsyncIterator[VapiClient]:
    """A command's own client, without spans."""
    vapi = _client(base_url, api_key, account, deadline_seconds, connections_max)
    try:
        yield vapi
    finally:
        await vapi.close()


def _client(base_url: str, api_key: str, account: str, deadline_seconds: float, connections_max: int) -> VapiClient:
    return VapiClient(
        base_url,
        lambda: api_key,
        account=account,
        deadline_seconds=deadline_seconds,
        transport=PooledTransport(connections_max),
        telemetry=off(),
    )


@asynccontextmanager
async def looking(pool: db.Pool, live: At) -> AsyncIterator[Look]:
    """A look that asks as bulk work, and counts its calls; in clinics' own accounts, as the environment opens them."""
    key = _key(KeyTable(pool, fingerprint_of(live.api_key)), live.requests_per_minute)
    client = client_of(live.base_url, live.api_key, live.account, DEADLINE_SECONDS, connections_max=CONNECTIONS_MAX)
    async with client as vapi, own_accounts(pool, live.base_url, DEADLINE_SECONDS, live.share) as accounts:
        installation_id = await read_installation(pool)
        yield Look(vapi, key, installation_id, live.calls_max, live.patience_seconds, accounts)


@asynccontextmanager
async def own_accounts(
    pool: db.Pool, base_url: str, deadline_seconds: float, share: float = 1.0
) -> AsyncIterator[FollowedAccounts]:
    """The clinics' own accounts, as they are now; their keys are opened with what the environment has."""

    def make(own: OwnKey, api_key: str) -> Account:
        rate = None if own.requests_per_minute is None else share_of_rate(own.requests_per_minute, share)
        vapi = _client(base_url, api_key, own.account, deadline_seconds, CONNECTIONS_MAX)
        return Account(vapi, _key(KeyTable(pool, own.fingerprint, own.account), rate), own.credential)

    accounts = FollowedAccounts(pool, Envelope(_EnvelopeOfCommand()), make, open_seconds_max=COMMAND_SECONDS_MAX)
    try:
        await accounts.refresh()
        yield accounts
    finally:
        await accounts.close()


def _key(table: KeyTable, requests_per_minute: int | None) -> SharedKey:
    rate = None
    if requests_per_minute is not None:
        rate = Rate(requests_per_minute, batch=1, saves_share=0.2, late_seconds=1.5, early_seconds=0.5)
    return SharedKey(table, KeyLimits(rate, probe_seconds=DEADLINE_SECONDS + 2), monotonic=time.monotonic)
