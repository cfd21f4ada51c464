"""A second account at Vapi beside a world's: another sandbox, which knows another key, and clinics that have it."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import count
from types import SimpleNamespace
from typing import Any, Final, cast
from uuid import UUID, uuid4

import httpx
from pydantic import SecretStr
from tests.support.over_httpx import OverHttpx

from tool_sync.intake.accounts_reader import keep
from tool_sync.sync.context import Clock, Context, FleetView
from tool_sync.sync.loop import Reconciler
from tool_sync.vapi.accounts import Account, FollowedAccounts, OwnKey
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.rate_limit import KeyTable, SharedKey
from vapi_sandbox import SandboxSettings, create_app
from zerotouch_contracts.accounts import AccountSaid, VapiAccount
from zerotouch_platform.postgres.leader import Candidate
from zerotouch_platform.vapi.envelope import Envelope, EnvelopeKeys

from .keys import LIMITS
from .world import World

ACCOUNT: Final = "vapi-7c1d0a5e-0000-4000-8000-000000000002"
API_KEY: Final = "canary-own-key-6f0e2b"
ENVELOPE: Final = "one:" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
ANOTHER_ENVELOPE: Final = "one:" + "NTQzMjEwWllYV1ZVVFNSUVBPTk1MS0pJSEdGRURDQkE="
LOG_ID: Final = uuid4()


def envelope(keys: str | None = ENVELOPE, *, command: str | None = None) -> Envelope:
    """What a process has that is given these envelope keys, or a command that prints them, or nothing."""
    settings: Any = SimpleNamespace(
        vapi_key_envelope_keys=None if keys is None else SecretStr(keys),
        vapi_key_envelope_command=None if command is None else SecretStr(command),
    )
    return Envelope(settings)


@dataclass
class Own:
    """The account, and what a process of ours knows of it."""

    world: World
    http: httpx.AsyncClient
    transport: httpx.ASGITransport
    context: Context
    accounts: FollowedAccounts
    reconciler: Reconciler
    revision: int = 0

    async def give(
        self,
        org_id: UUID,
        *,
        api_key: str = API_KEY,
        account: str = ACCOUNT,
        credential_id: str | None = "own-credential",
        per_minute: int | None = None,
        sealed_for: UUID | None = None,
    ) -> None:
        """The clinic's record is read into the table: it has this account from now on."""
        self.revision += 1
        sealed = EnvelopeKeys.parse(ENVELOPE).seal(api_key, sealed_for or org_id, account)
        message = VapiAccount(
            org_id=org_id,
            account=account,
            sealed_key=sealed.text,
            key_fingerprint=sealed.fingerprint,
            tool_server_credential_id=credential_id,
            requests_per_minute=per_minute,
            revision=self.revision,
        )
        await self.said(AccountSaid(org_id, message, LOG_ID))

    async def take(self, org_id: UUID) -> None:
        """The clinic has none of its own any more."""
        await self.said(AccountSaid(org_id, None, LOG_ID))

    async def said(self, record: AccountSaid) -> None:
        await keep(cast(Candidate, self.world.pool), [record])

    async def known(self) -> None:
        """Every process has read what was said by now."""
        await self.accounts.refresh()

    async def assistant(self, **fields: Any) -> dict[str, Any]:
        """Make an assistant in this account."""
        body = {"name": "Front desk", "model": {"provider": "openai", "model": "gpt-4o"}, **fields}
        answer = await self.http.post("/assistant", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def clinic(self, agent_id: str = "agent-1", *, account: str = ACCOUNT) -> UUID:
        """A clinic that has the account, with a save that is open."""
        org_id = uuid4()
        await self.give(org_id, account=account)
        await self.known()
        await self.world.save(org_id, await self.assistant(), agent_id, account=account)
        return org_id

    async def turn(self, **dials: Any) -> None:
        """Set this account's dials; the platform's Vapi stays as it is."""
        assert (await self.http.put("/__sandbox/dials", json=dials)).status_code == 200

    async def calls(self) -> list[dict[str, Any]]:
        """Every request that came to this account, but those that made assistants."""
        return await calls_of(self.http)

    def another(self, keys: str | None) -> "Own":
        """Another process, with other envelope keys or none."""
        return process_with(self.world, self.http, self.transport, envelope(keys))


async def calls_of(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    entries = (await http.get("/__sandbox/journal", params={"limit": 10_000})).json()["entries"]
    return [e for e in entries if (e["method"], e["path"]) != ("POST", "/assistant")]


def process_with(world: World, http: httpx.AsyncClient, transport: httpx.ASGITransport, opens: Envelope) -> Own:
    """A process of ours that may open sealed keys."""

    def make(own: OwnKey, api_key: str) -> Account:
        vapi = VapiClient(
            "http://own",
            lambda: api_key,
            account=own.account,
            deadline_seconds=0.3,
            transport=OverHttpx(transport),
            telemetry=world.context.telemetry,
        )
        table = KeyTable(world.pool, own.fingerprint, own.account)
        return Account(vapi, SharedKey(table, LIMITS, monotonic=time.monotonic), own.credential)

    # Its clock runs on at each look, so that no read is left out for having been made just now.
    accounts = FollowedAccounts(world.pool, opens, make, monotonic=count().__next__)
    platform = SharedKey(KeyTable(world.pool, "platform-key"), LIMITS, monotonic=time.monotonic)
    short = replace(world.context.limits, read_retry_seconds=0.01)
    context = replace(world.context, accounts=accounts, key=platform, fleet=FleetView(), clock=Clock(), limits=short)
    return Own(world, http, transport, context, accounts, Reconciler(context))


@contextlib.asynccontextmanager
async def own_account(world: World) -> AsyncIterator[Own]:
    """The account beside the platform's; the world's own reconciler knows of it from now on."""
    transport = httpx.ASGITransport(create_app(SandboxSettings(keys={API_KEY: ACCOUNT.removeprefix("vapi-")})))
    http = httpx.AsyncClient(transport=transport, base_url="http://own", headers={"authorization": f"Bearer {API_KEY}"})
    async with http:
        made = process_with(world, http, transport, envelope())
        world.context, world.reconciler = made.context, made.reconciler
        yield made
