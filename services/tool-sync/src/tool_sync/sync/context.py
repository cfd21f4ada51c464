"""What every part of the reconciler is given: settings, ports, and where time, ids and chance come from."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid4

from tool_sync.domain.fleet import Fleet
from tool_sync.domain.plan.situation import Policy
from tool_sync.log import StoredEvent
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.sync.blueprint import Blueprint
from tool_sync.sync.concurrency import ConcurrencyLimiter
from tool_sync.sync.store import Log, Store
from tool_sync.vapi.client import VapiClient
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


@dataclass(slots=True)
class ReadsAhead:
    """``late_at``: when an assistant was last read too early to serve its link, on the monotonic clock."""

    late_at: float = float("-inf")


class FleetView:
    """The fleet as this process has read it. Each load reads what came since, together with the orgs."""

    def __init__(self) -> None:
        self._fleet = empty_fleet()

    @property
    def position(self) -> int:
        """Of the newest event of the fleet that was read."""
        return self._fleet.position

    @property
    def now(self) -> Fleet:
        """As of the newest load."""
        return self._fleet

    def take_in(self, events: Sequence[StoredEvent]) -> Fleet:
        """The fleet with these events; those that another load has taken in meanwhile change nothing."""
        self._fleet = with_events(self._fleet, events)
        return self._fleet


@dataclass(frozen=True, slots=True)
class Context:
    """Built once by the composition root, passed down."""

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
    reads_ahead: ReadsAhead = field(default_factory=ReadsAhead)
    new_id: Callable[[], UUID] = uuid4
    jitter: Callable[[], float] = random.random
    writes_suspended: Callable[[], bool] = lambda: False
    """True while nothing may be written to Vapi, as the log may have been set back."""
    on_settled: Callable[[UUID], None] = lambda _org_id: None
    """Told of an org whose save was settled as synced."""

    def vapi_time_before(self, at: datetime) -> datetime:
        """Vapi's time of a moment of the database's, and a margin before: nothing made after it is older."""
        age_seconds = (self.clock.now() - at).total_seconds()
        return self.vapi.clock.around(age_seconds, timedelta(seconds=self.limits.adoption_margin_seconds))[0]

    def made_at(self, document: object) -> datetime | None:
        """When an object of Vapi's was made, in the database's time; None where either clock is not known."""
        at = created_at(document)
        age = None if at is None else self.vapi.clock.age_of(at)
        return None if age is None else self.clock.now() - age
