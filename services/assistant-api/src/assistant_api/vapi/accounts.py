"""Which key the calls for a clinic go with: the one place where a client is chosen (ADR 76).

    account of the work ── the platform's ──────────────────────► its client, always there
                        ── `vapi-…`, the clinic's own ─► row ─► the sealed key is opened ─► its client
                                                            └── does not open: the clinic's work waits, nobody else's

A name that begins with `vapi-` never gets the platform's key. Clients of own accounts are made at their first use, are
few, have few connections, and are closed when their key is replaced or others are used more.
"""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from assistant_api.db import Database
from assistant_api.settings import Settings
from assistant_api.vapi.account_rows import sealed_of
from assistant_api.vapi.answers import Later
from assistant_api.vapi.client import VapiClient
from assistant_api.vapi.key import VapiKey, platform_fingerprint
from assistant_api.vapi.orphan_lookup import OrphanLookup
from assistant_api.vapi.ownership import Answer, KeyOwner, NotAsked, owner_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.vapi.envelope import CannotOpen, Envelope
from zerotouch_platform.vapi.exchange import Measured

OWN_PREFIX: Final = "vapi-"
"""What the names of clinics' own accounts begin with."""
CONNECTIONS_MAX: Final = 300
"""Of the platform's account."""
SEALED_SECONDS: Final = 60.0
"""After a key did not open, until it is tried again: somebody has to do something first."""

_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Account:
    """One account: its client, and what finds there what creations without an answer made."""

    vapi: VapiClient
    lost: OrphanLookup


@dataclass(slots=True)
class _Open:
    """A client of an own account, and how many work with it now."""

    at: Account
    users: int = 0


class Accounts:
    """Clients by account."""

    def __init__(self, settings: Settings, database: Database, telemetry: Telemetry, measured: Measured) -> None:
        self._settings, self._database, self._telemetry, self._measured = settings, database, telemetry, measured
        self.envelope: Final = Envelope(settings)
        key = VapiKey(settings, database, platform_fingerprint(settings), settings.vapi_requests_per_minute)
        self.platform: Final = self._at(key, settings.vapi_api_key.get_secret_value, CONNECTIONS_MAX)
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._surplus: list[_Open] = []
        self._keys: OrderedDict[str, VapiKey] = OrderedDict()
        self._key_of: dict[UUID, str] = {}
        self._platform_owner: KeyOwner | None = None
        self._sealed_until: dict[UUID, float] = {}

    @property
    def platform_name(self) -> str:
        """What the platform's account is called."""
        return self._settings.vapi_account

    def is_own(self, account: str) -> bool:
        """Whether an account is a clinic's own, by its name."""
        return account.startswith(OWN_PREFIX) and account != self._settings.vapi_account

    @asynccontextmanager
    async def of(self, org_id: UUID, account: str) -> AsyncIterator[Account | Later]:
        """The account's client while the block runs, or for how long the clinic's key is not to be had.

        The latter is nobody's attempt. Raises what the database's absence raises.
        """
        if not self.is_own(account):
            yield self.platform
            return
        found = await self._opened(org_id, account)
        if isinstance(found, Later):
            yield found
            return
        found.users += 1
        try:
            await self._close_unused()
            yield found.at
        finally:
            found.users -= 1
            await self._close_unused()

    def key_of(self, fingerprint: str) -> VapiKey:
        """What this process knows of a key; a key of an own account has no rate until its client is made."""
        if fingerprint == self.platform.vapi.key.fingerprint:
            return self.platform.vapi.key
        if fingerprint not in self._keys:
            self._keys[fingerprint] = VapiKey(self._settings, self._database, fingerprint, None)
        self._keys.move_to_end(fingerprint)
        if len(self._keys) > 2 * self._settings.vapi_accounts_open_max:
            del self._keys[next(name for name in self._keys if name not in self._open)]
        return self._keys[fingerprint]

    @property
    def keys(self) -> Collection[VapiKey]:
        """The keys that this process knows."""
        return [self.platform.vapi.key, *self._keys.values()]

    @property
    def sealed(self) -> Sequence[UUID]:
        """Clinics whose key did not open a moment ago: nothing of theirs is claimed."""
        now = time.monotonic()
        self._sealed_until = {org_id: until for org_id, until in self._sealed_until.items() if now < until}
        return list(self._sealed_until)

    def changed(self, org_id: UUID) -> None:
        """A clinic has another key: it is tried at once."""
        self._sealed_until.pop(org_id, None)

    def own_name(self, vapi_org: str) -> str:
        """What the account is called that Vapi calls so."""
        return OWN_PREFIX + vapi_org.lower()

    async def owner_of(self, api_key: str) -> Answer:
        """Whose account a key is of."""
        settings = self._settings
        return await owner_of(settings.vapi_base_url, lambda: api_key, deadline_seconds=settings.vapi_deadline_seconds)

    async def owner_of_platform(self) -> Answer:
        """Whose the platform's is; asked until it is known, with the key's own pauses and rate."""
        if self._platform_owner is None:
            ticket = await self.platform.vapi.key.admit(save=True)
            if isinstance(ticket, Later):
                return NotAsked(ticket.code)
            answer = await self.owner_of(self._settings.vapi_api_key.get_secret_value())
            if not isinstance(answer, KeyOwner):
                return answer
            self._platform_owner = answer
        return self._platform_owner

    async def close(self) -> None:
        """Close all connections."""
        for at in (self.platform, *(one.at for one in (*self._open.values(), *self._surplus))):
            await at.vapi.close()

    async def _opened(self, org_id: UUID, account: str) -> _Open | Later:
        async with self._database.connection() as connection:
            row = await sealed_of(connection, org_id)
        if row is None or row.sealed.account != account:
            return self._waits(org_id, account, f"the clinic has no key of the account {account}")
        fingerprint = row.sealed.fingerprint
        try:
            api_key = await self.envelope.open(row.sealed)
        except CannotOpen as error:
            return self._waits(org_id, account, str(error))
        self._sealed_until.pop(org_id, None)
        before, self._key_of[org_id] = self._key_of.get(org_id), fingerprint
        found = self._open.get(fingerprint)
        if found is None:
            key = self.key_of(fingerprint)
            at = self._at(key, lambda: api_key, self._settings.vapi_account_connections_max)
            found = self._open[fingerprint] = _Open(at)
        found.at.vapi.key.allow(row.requests_per_minute)
        self._open.move_to_end(fingerprint)
        is_replaced = before is not None and before != fingerprint and before in self._open
        if is_replaced and before not in self._key_of.values():  # nor has another clinic it
            self._surplus.append(self._open.pop(str(before)))
        while len(self._open) > self._settings.vapi_accounts_open_max:
            self._surplus.append(self._open.popitem(last=False)[1])
        return found

    async def _close_unused(self) -> None:
        """Close the clients that are surplus, and that nobody works with any more."""
        unused = [one for one in self._surplus if not one.users]
        self._surplus = [one for one in self._surplus if one.users]
        for one in unused:
            await one.at.vapi.close()

    def _waits(self, org_id: UUID, account: str, why: str) -> Later:
        if org_id not in self._sealed_until:
            _log.error("vapi_key_sealed", org_id=str(org_id), account=account, reason=why, alarm=True)
        self._sealed_until[org_id] = time.monotonic() + SEALED_SECONDS
        return Later(ErrorCode.VAPI_KEY_SEALED, counts_as_attempt=False)

    def _at(self, key: VapiKey, api_key: Callable[[], str], connections_max: int) -> Account:
        vapi = VapiClient(
            self._settings, self._telemetry, key, api_key, connections_max=connections_max, measured=self._measured
        )
        return Account(vapi, OrphanLookup(vapi, self._settings))
