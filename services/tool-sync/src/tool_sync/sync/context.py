"""What every part of the reconciler is given: settings, ports, and where time, ids and chance come from."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid4

from tool_sync.domain.events import OrgEvent
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.plan.situation import Policy
from tool_sync.log import AppendRequest, Log, StoredEvent, fact, org_stream
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.sync.blueprint import Blueprint, document_for
from tool_sync.sync.concurrency import ConcurrencyLimiter
from tool_sync.sync.store import Store
from tool_sync.vapi.accounts import NOBODYS_OWN, Account, OwnAccounts, ReadsAhead, Unusable
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.own_credential import OwnCredential
from tool_sync.vapi.rate_limit import Key
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.vapi.paging import created_at


class Clock:
    """The database's time, carried on by the monotonic clock: due times in the log are the database's, and a process
    whose own clock is wrong must not send too early."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._at = monotonic()
        self._now = datetime.now(UTC)

    def sync(self, now: datetime) -> None:
        """Take over the database's time, just read."""
        self._at, self._now = self.monotonic(), now

    def now(self) -> datetime:
        """The database's time, about."""
        return self._now + timedelta(seconds=self.monotonic() - self._at)


@dataclass(frozen=True, slots=True)
class Limits:
    """Named limits of the loop; the reasons are in the settings."""

    send_window_seconds: float
    lease_seconds: float
    lease_renew_seconds: float
    claim_batch_max: int
    steps_per_org_max: int
    poll_seconds_max: float
    snapshot_after_events: int
    adoption_margin_seconds: float = 600.0
    """How long before an attempt, in Vapi's time, the search for its tool begins: its servers' clocks differ too."""
    read_tries_max: int = 3
    read_retry_seconds: float = 0.2


class FleetView:
    """The fleet as this process has read it. Each load reads what came since, together with the orgs."""

    def __init__(self) -> None:
        self.now = empty_fleet()
        """As of the newest load."""

    @property
    def position(self) -> int:
        """Of the newest event of the fleet that was read."""
        return self.now.position

    def take_in(self, events: Sequence[StoredEvent]) -> Fleet:
        """The fleet with these events; those that another load has taken in meanwhile change nothing."""
        self.now = with_events(self.now, events)
        return self.now


@dataclass(frozen=True, slots=True)
class Context:
    """Built once by the composition root, passed down.

    ``vapi``, ``key`` and ``credential`` are one account's: the platform's, until :meth:`of` is asked for a clinic's.
    Whatever asks Vapi for a clinic asks it with that clinic's context, and nothing else here differs by account.
    """

    log: Log
    store: Store
    vapi: VapiClient
    blueprint: Blueprint
    fleet: FleetView
    policy: Policy
    limits: Limits
    telemetry: Telemetry
    service_version: str
    concurrency: ConcurrencyLimiter
    key: Key
    clock: Clock = field(default_factory=Clock)
    credential: OwnCredential | None = None
    """None: as the published version says, which is the platform's."""
    reads_ahead: ReadsAhead = field(default_factory=ReadsAhead)
    accounts: OwnAccounts = NOBODYS_OWN
    new_id: Callable[[], UUID] = uuid4
    jitter: Callable[[], float] = random.random
    writes_suspended: Callable[[], bool] = lambda: False
    """True while nothing may be written to Vapi, as the log may have been set back."""
    on_settled: Callable[[UUID], None] = lambda _org_id: None
    """Told of an org whose save was settled as synced."""
    measured: Callable[[str, float], None] = lambda _outcome, _seconds: None
    """Told of each save's outcome, `synced` or `failed`, and of the seconds since its record came into the log."""

    async def of(self, org_id: UUID) -> "Context | Unusable":
        """This, for the work of one clinic: in its own account, where it has one. Asked of the platform's context."""
        own = await self.accounts.of(org_id)
        if own is None or isinstance(own, Unusable):
            return own or self
        return self.at(own)

    def at(self, own: Account) -> "Context":
        """This, for work in an account of a clinic's own."""
        return replace(self, vapi=own.vapi, key=own.key, credential=own.credential, reads_ahead=own.reads_ahead)

    @property
    def own_account(self) -> str | None:
        """Whose account of its own this is of; None: it is the platform's."""
        return None if self.credential is None else self.vapi.account

    def is_home_of(self, org_id: UUID) -> bool:
        """Whether the clinic's work is done in this account."""
        return self.accounts.name_of(org_id) == self.own_account

    def account_of(self, org_id: UUID) -> str:
        """What the clinic's account is called. Asked of the platform's context."""
        return self.accounts.name_of(org_id) or self.vapi.account

    def document_for(self, document: Mapping[str, Any], org_id: UUID) -> dict[str, Any]:
        """What is registered for an org in this account, from the document of a published definition."""
        return document_for(document, org_id, self.credential)

    def fact(self, org_id: UUID, event: OrgEvent, *, source: str, cause: str | None = None) -> AppendRequest:
        """An append of what tool-sync itself has seen of an org. ``cause``: seen again, it is a duplicate."""
        return fact(
            org_stream(org_id), org_id, event, source=source, cause=cause or str(self.new_id()), actor="tool-sync",
            service_version=self.service_version,
        )  # fmt: skip

    def vapi_time_before(self, at: datetime) -> datetime:
        """Vapi's time of a moment of the database's, and a margin before: nothing made after it is older."""
        age_seconds = (self.clock.now() - at).total_seconds()
        return self.vapi.clock.around(age_seconds, timedelta(seconds=self.limits.adoption_margin_seconds))[0]

    def made_at(self, document: object) -> datetime | None:
        """When an object of Vapi's was made, in the database's time; None where either clock is not known."""
        at = created_at(document)
        age = None if at is None else self.vapi.clock.age_of(at)
        return None if age is None else self.clock.now() - age
