"""The clinics' own accounts, as this process has read them from the table ``vapi_accounts``.

    vapi-accounts.v1 ──► intake/accounts_reader ──► vapi_accounts ──every second, what is new──► rows in memory
                                                                     row ──opened at the first use──► Account

Orgs that have the same key share an :class:`Account`: its client, its connections, its pauses and its rate.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from tool_sync import db
from tool_sync.vapi.accounts.port import AGAIN, Account, Unusable
from tool_sync.vapi.own_credential import OwnCredential
from tool_sync.vapi.rate_limit.table import UNUSABLE, KeyTable
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.loops import Loop
from zerotouch_platform.vapi.envelope import CannotOpen, Envelope, Sealed

READ_SECONDS: Final = 1.0
READ_SECONDS_MIN: Final = 0.1
"""Of reads that somebody asks for beside the loop's: many orgs may ask at once."""
SEALED_FOR: Final = timedelta(seconds=60)
"""A key that does not open needs a person; once a minute is soon enough to notice that somebody came."""
OPEN_SECONDS_MAX: Final = 0.25
"""For so long a claim waits for the command that prints envelope keys; then the clinic waits, and nobody else."""
CLOSED_AFTER_SECONDS: Final = 900.0
"""After nobody has an account any more, its connections are closed: by then every run with them has ended, also one
that reads a long list."""

_CHANGED: Final = """
SELECT org_id, account, sealed_key, key_fingerprint, tool_server_credential_id, requests_per_minute, change
  FROM vapi_accounts WHERE change > $1 ORDER BY change
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OwnKey:
    """What tells one :class:`Account` from another. ``fingerprint`` names the key without telling it."""

    account: str
    fingerprint: str
    credential: OwnCredential
    requests_per_minute: int | None


@dataclass(frozen=True, slots=True)
class _Row:
    own: OwnKey
    sealed: str = field(repr=False)


MakeAccount = Callable[[OwnKey, str], Account]
"""Makes what calls Vapi with a key, which is the second argument."""


class FollowedAccounts:
    """See :class:`~tool_sync.vapi.accounts.port.OwnAccounts`. ``monotonic`` is in seconds."""

    def __init__(
        self,
        pool: db.Pool,
        envelope: Envelope,
        make: MakeAccount,
        *,
        open_seconds_max: float = OPEN_SECONDS_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._envelope, self._make, self._monotonic = pool, envelope, make, monotonic
        self._open_seconds_max = open_seconds_max
        self._rows: dict[UUID, _Row] = {}
        self._accounts: dict[OwnKey, Account] = {}
        # By clinic: one whose own sealed key does not open gets no account by naming another clinic's.
        self._opened: dict[UUID, Account] = {}
        self._leaving: list[tuple[float, Account]] = []
        self._read_to = 0
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._waits: dict[str, datetime] = {}
        self._told: set[str] = set()
        self._opening: asyncio.Task[str] | None = None
        self.loop: Final = Loop(
            self.refresh,
            READ_SECONDS,
            "Accounts of clinics are not read",
            db.WAITED_OUT_ERRORS,
            fault="Accounts of clinics are not read for a fault of ours",
        )

    def name_of(self, org_id: UUID) -> str | None:
        """As of the last second."""
        row = self._rows.get(org_id)
        return None if row is None else row.own.account

    async def of(self, org_id: UUID) -> Account | Unusable | None:
        """Opens the key, the first time that it is asked for."""
        row = self._rows.get(org_id)
        if row is None:
            return None
        return self._opened.get(org_id) or await self._open(org_id, row)

    @property
    def names(self) -> frozenset[str]:
        """Every account that some clinic has, whether it can be used or not."""
        return frozenset(row.own.account for row in self._rows.values())

    async def usable(self) -> Sequence[Account]:
        """With the key of any clinic of each."""
        found: dict[str, Account] = {}
        for org_id, row in list(self._rows.items()):
            if row.own.account not in found and isinstance(account := await self.of(org_id), Account):
                found[account.name] = account
        return tuple(found.values())

    async def refresh(self) -> None:
        """Raises what a database that is away raises: what was read before stays."""
        async with self._reading:
            if self._monotonic() - self._read_at < READ_SECONDS_MIN:
                return
            rows = await self._pool.fetch(_CHANGED, self._read_to)
            self._read_at = self._monotonic()
            for row in rows:
                self._take_in(row["org_id"], _row_of(row))
                self._read_to = row["change"]
        if rows:
            log.info("Accounts of clinics are read", changed=len(rows), clinics=len(self._rows))
            self._told.clear()
            self._let_go()
        await self._close_left()

    async def wait_for(self, unusable: Unusable, now: datetime) -> datetime:
        """Written down where everybody sees it, once in a while for each key. Raises nothing of the database's."""
        if (until := self._waits.get(unusable.key)) is not None and until > now:
            return until
        until = self._waits[unusable.key] = now + unusable.again
        self._waits = {key: at for key, at in self._waits.items() if at > now}
        if unusable.key not in self._told:
            self._told.add(unusable.key)
            log.error(
                "A clinic's account cannot be used",
                account=unusable.account,
                reason=unusable.why,
                alarm=unusable.again > AGAIN,
            )
        table = KeyTable(self._pool, unusable.key, unusable.account)
        try:
            await table.pause(until, UNUSABLE, trial=False, code=unusable.code.value)
        except db.WAITED_OUT_ERRORS as error:
            log.warning("Nobody is told what a clinic waits for", reason=type(error).__name__)
        return until

    async def close(self) -> None:
        """Close all connections."""
        if self._opening is not None:
            self._opening.cancel()
        for account in (*self._accounts.values(), *(account for _, account in self._leaving)):
            await account.vapi.close()

    def _take_in(self, org_id: UUID, row: _Row | None) -> None:
        self._opened.pop(org_id, None)
        if row is None:
            self._rows.pop(org_id, None)
        else:
            self._rows[org_id] = row

    async def _open(self, org_id: UUID, row: _Row) -> Account | Unusable:
        own = row.own
        sealed = Unusable(own.account, own.fingerprint, ErrorCode.VAPI_KEY_SEALED, "its key is being opened")
        if self._opening is not None and not self._opening.done():
            return sealed  # a command that hangs is waited for once
        opening = asyncio.create_task(
            self._envelope.open(Sealed(org_id, own.account, row.sealed, own.fingerprint)), name="open a sealed key"
        )
        opening.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        done, _ = await asyncio.wait({opening}, timeout=self._open_seconds_max)
        if not done:
            self._opening = opening
            return sealed
        try:
            key = opening.result()
        except CannotOpen as reason:
            return replace(sealed, why=str(reason), again=SEALED_FOR)
        # Another run may have opened it meanwhile: two would not know of each other's calls.
        account = self._accounts.get(own) or self._accounts.setdefault(own, self._make(own, key))
        if self._rows.get(org_id) is row:  # and not another one since
            self._opened[org_id] = account
        return account

    def _let_go(self) -> None:
        """Forget the accounts that nobody has any more; runs that have begun with them end by themselves."""
        used = {row.own for row in self._rows.values()}
        for own in self._accounts.keys() - used:
            self._leaving.append((self._monotonic() + CLOSED_AFTER_SECONDS, self._accounts.pop(own)))

    async def _close_left(self) -> None:
        due = [account for at, account in self._leaving if at <= self._monotonic()]
        self._leaving = [(at, account) for at, account in self._leaving if at > self._monotonic()]
        for account in due:
            await account.vapi.close()


def _row_of(row: asyncpg.Record) -> _Row | None:
    if row["account"] is None:
        return None
    credential = OwnCredential(row["tool_server_credential_id"])
    own = OwnKey(row["account"], row["key_fingerprint"], credential, row["requests_per_minute"])
    return _Row(own, row["sealed_key"])
