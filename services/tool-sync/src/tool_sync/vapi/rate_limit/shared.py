"""One key of any number of replicas.

    works ──429──────────────► paused until Retry-After, or the next UTC minute ──► works
          ──401, 402, 403────► paused for a minute ────────┐
          ──calls keep ──────► paused, 1 s doubling to 60 s ┴─► half-open: one call over all replicas ──answer──► works
            breaking (open breaker)                  ▲                                  │
                                                     └───────────────── no answer ──────┘

The row is read when this process's copy is a second old, and only when a call is about to be made: while nothing is
paused and no rate is set, no call costs a statement.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from tool_sync import db
from tool_sync.vapi.rate_limit.borrowing import Borrower, Lend
from tool_sync.vapi.rate_limit.durations import opening_ends, rate_limit_ends, refusal_ends
from tool_sync.vapi.rate_limit.port import Answer, CallLane, KnownKey
from tool_sync.vapi.rate_limit.table import KeyRow, KeyTable
from tool_sync.vapi.rate_limit.tokens import Rate, Tokens

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """Named limits; the reasons are in the settings."""

    rate: Rate | None
    probe_seconds: float
    refused_seconds: float = 60.0
    breaker_failures: int = 20
    breaker_seconds_base: float = 1.0
    breaker_seconds_max: float = 60.0
    read_seconds: float = 1.0
    held_seconds: float = 2.0
    """How long somebody else's probe holds up an org, at a time."""
    proven_seconds: float = 60.0
    """For so long after an answer calls go out side by side; after that one goes first, or all find a key revoked."""
    first_seconds_max: float = 1.0


class SharedKey:
    """See :class:`~tool_sync.vapi.rate_limit.port.Key`. ``monotonic`` is in seconds."""

    def __init__(self, table: KeyTable, limits: KeyLimits, *, monotonic: Callable[[], float]) -> None:
        self._table = table
        self._limits = limits
        self._monotonic = monotonic
        self._tokens = Tokens(table, limits.rate) if limits.rate else None
        self._row = KeyRow()
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._proven_at = float("-inf")
        self._first: asyncio.Event | None = None
        self._broken = 0
        self._probe_until: datetime | None = None
        self._is_open = False

    @property
    def fingerprint(self) -> str:
        """Names the key."""
        return self._table.key

    @property
    def known(self) -> KnownKey:
        """As read last."""
        return KnownKey(self._row.pauses, self._row.lifted_at)

    def borrower(self, lend: Lend, now: Callable[[], datetime]) -> Borrower | None:
        """What borrows for this process; None where no rate is set."""
        return None if self._tokens is None else Borrower(self._table, self._tokens, lend, now)

    async def open(self) -> None:
        """Raises what a database that is away raises."""
        await self._table.open()
        self._is_open = True

    async def admit(self, now: datetime, lane: CallLane) -> datetime | None:
        """Raises what a database that is away raises. A key of a clinic's own is opened by its first use."""
        if not self._is_open and self._table.account is not None:
            await self.open()
        await self._read(now)
        if (until := self._held(now)) is not None:
            return until
        if not self._row.half_open:
            await self._let_one_go_first()
            if (until := self._held(now)) is not None:
                return until
        if self._tokens is not None and (until := await self._tokens.take(now, lane)) is not None:
            return until
        return await self._probe(now) if self._row.half_open else None

    async def unused(self) -> None:
        """The probe, if it was that, is somebody else's."""
        self._end_first()
        probe, self._probe_until = self._probe_until, None
        if probe is not None:
            await self._told(self._table.abandon(probe))

    async def note(
        self,
        answer: Answer,
        now: datetime,
        jitter: float,
        retry_after_seconds: float | None = None,
        code: str | None = None,
    ) -> datetime | None:
        """Where the database is away, only this process knows, until it reads the row again."""
        limits = self._limits
        try:
            match answer:
                case "answered":
                    self._broken, self._proven_at = 0, self._monotonic()
                    if self._row.half_open and self._held_by_pause(now) is None:
                        await self._lift(now)
                    return None
                case "rate_limited":
                    if self._tokens is not None:
                        await self._told(self._tokens.lower(now))
                    return await self._pause(answer, now, rate_limit_ends(now, jitter, retry_after_seconds), code)
                case "refused":
                    return await self._pause(answer, now, refusal_ends(now, limits.refused_seconds, jitter), code)
                case "broken":
                    self._broken += 1
                    if not self._row.half_open and self._broken < limits.breaker_failures:
                        return None
                    until = opening_ends(
                        now, self._row.openings, limits.breaker_seconds_base, limits.breaker_seconds_max
                    )
                    return await self._pause(answer, now, until, code)
        finally:
            self._end_first()

    def _held_by_pause(self, now: datetime) -> datetime | None:
        paused_until = self._row.paused_until
        return paused_until if paused_until is not None and paused_until > now else None

    def _held(self, now: datetime) -> datetime | None:
        """Until when nothing may be sent, as far as this process knows."""
        if (paused_until := self._held_by_pause(now)) is not None:
            return paused_until
        probe_until = self._row.probe_until
        if self._row.half_open and probe_until is not None and probe_until > now:
            return min(probe_until, now + timedelta(seconds=self._limits.held_seconds))
        return None

    async def _read(self, now: datetime, *, anew: bool = False) -> None:
        if not anew and self._monotonic() - self._read_at < self._limits.read_seconds:
            return
        async with self._reading:
            at = self._monotonic()
            if anew or at - self._read_at >= self._limits.read_seconds:
                before = self._row
                row = await self._table.read(now)
                if self._row is before:  # what an answer has said meanwhile is newer: a key that works, or does not
                    self._row = row
                self._read_at = at

    async def _let_one_go_first(self) -> None:
        """Nobody knows whether the key still works: one call finds out, the others wait for it, not for long."""
        if self._monotonic() - self._proven_at < self._limits.proven_seconds:
            return
        if self._first is None:
            self._first = asyncio.Event()
            return
        first = self._first
        try:
            async with asyncio.timeout(self._limits.first_seconds_max):
                await first.wait()
        except TimeoutError:
            if self._first is first:
                self._end_first()

    def _end_first(self) -> None:
        if self._first is not None:
            self._first.set()
            self._first = None

    async def _probe(self, now: datetime) -> datetime | None:
        """The one call of a half-open key, if nobody makes it yet."""
        mine = await self._table.probe(self._limits.probe_seconds)
        if mine is not None:
            self._probe_until = mine
            self._row = replace(self._row, probe_until=mine)
            return None
        await self._read(now, anew=True)
        if not self._row.half_open:
            return None
        return self._held(now) or now + timedelta(seconds=self._limits.held_seconds)

    async def _pause(self, answer: Answer, now: datetime, until: datetime, code: str | None) -> datetime:
        paused_until = self._held_by_pause(now)
        if paused_until is not None and (answer != "rate_limited" or paused_until >= until - timedelta(seconds=1)):
            return paused_until  # calls that were out together say the same thing
        trial = answer != "rate_limited"
        openings = self._row.openings + (answer == "broken")
        self._broken, self._probe_until = 0, None
        self._row = replace(
            self._row,
            paused_until=until, half_open=self._row.half_open or trial, openings=openings, probe_until=None,
        )  # fmt: skip
        log.warning(
            "Vapi key paused", reason=answer, code=code, until=until.isoformat(), key=self.fingerprint, alarm=trial
        )
        await self._told(self._table.pause(until, answer, trial=trial, code=code))
        return until

    async def _lift(self, now: datetime) -> None:
        self._probe_until = None
        self._row = replace(
            self._row, paused_until=None, half_open=False, probe_until=None, openings=0, lifted_at=now
        )  # fmt: skip
        log.info("Vapi key works again", key=self.fingerprint)
        await self._told(self._table.lift())

    async def _told(self, statement: Awaitable[None]) -> None:
        """What an answer said must not keep the answer itself from the log."""
        try:
            await statement
        except db.WAITED_OUT_ERRORS as error:
            log.warning("Vapi key: other replicas are not told", reason=type(error).__name__)
