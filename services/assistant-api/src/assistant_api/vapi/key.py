"""What Vapi allows a key: nothing while it is paused, so many requests a UTC minute otherwise; for all replicas.

    works ──429──────────────► paused until Retry-After, or the next UTC minute ──► works
          ──401, 402, 403────► paused for a minute ─────────┐
          ──calls keep ──────► paused, 1 s doubling to 60 s ┴► half-open: one step over all replicas ──answer──► works
            breaking

A pause is nobody's attempt: while it lasts nothing is claimed of those whose key it is (`claims.py`). Vapi counts
requests by the UTC minute and says nothing about when it starts anew (`OrgApiLimits` of its SDK 3.0.0, read 2026-11).
Without a rate no call costs a statement.
"""

import hashlib
import random
import time
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

import structlog

from assistant_api.db import DATABASE_AWAY, Connection, Database
from assistant_api.settings import Settings
from assistant_api.vapi.answers import Later
from assistant_api.vapi.minutes import Minutes
from assistant_api.vapi.pause import CODES
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.loops import in_one_line

Item = TypeVar("Item")
Trouble = Literal["rate_limited", "refused", "unpaid", "broken"]

SPREAD_SECONDS: Final = 2.0

_PAUSE: Final = """
INSERT INTO vapi_keys AS k (key, paused_until, reason, half_open, openings)
VALUES ($1, CASE WHEN $2::float8 IS NULL
                 THEN date_trunc('minute', now()) + interval '1 minute' + make_interval(secs => $3)
                 ELSE now() + make_interval(secs => $2) END, $4, $4 <> 'rate_limited', ($4 = 'broken')::integer)
ON CONFLICT (key) DO UPDATE
SET paused_until = CASE WHEN k.half_open THEN excluded.paused_until
                        ELSE greatest(k.paused_until, excluded.paused_until) END,
    reason = excluded.reason, half_open = k.half_open OR excluded.half_open, openings = k.openings + excluded.openings
RETURNING extract(epoch FROM paused_until - now())::float8
"""
_OPENINGS: Final = "SELECT openings FROM vapi_keys WHERE key = $1"
_LIFT: Final = "DELETE FROM vapi_keys WHERE key = $1"
_REFUSED: Final = """
UPDATE key_minutes SET refused = true WHERE key = $1 AND minute = floor(extract(epoch FROM now()) / 60)
"""

_log: Final = structlog.get_logger()
_uniform: Final = random.uniform


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to make one request, until ``valid_until`` by the monotonic clock: its last minute ends then."""

    valid_until: float = float("inf")


class VapiKey:
    """Asked before each call and told after it."""

    def __init__(
        self, settings: Settings, database: Database, fingerprint: str, requests_per_minute: int | None
    ) -> None:
        self._settings, self._database = settings, database
        self.fingerprint: Final = fingerprint
        self._rate: int | None = None
        self._minutes: Minutes | None = None
        self.allow(requests_per_minute)
        self._closed_until = float("-inf")
        self._closed_for: Trouble = "broken"
        self._told = True
        self._half_open = False
        self._broken = 0

    @property
    def waits_untold(self) -> bool:
        """Whether the key is paused, and only this process knows it."""
        return not self._told and self._closed()

    def works(self) -> None:
        """The table says that it does."""
        if not self.waits_untold:
            self._open(half_open=False)

    def waits(self, seconds: float, reason: str) -> None:
        """The table says that it is paused, and why."""
        if not self._half_open:  # else it is our own step that the others wait for
            self._close(seconds, _trouble(reason))

    def is_tried(self) -> None:
        """It is half-open, and one step of ours finds out whether it works."""
        self._open(half_open=True)

    def allow(self, requests_per_minute: int | None) -> None:
        """What Vapi allows it; None: what its 429 does."""
        if requests_per_minute == self._rate:
            return
        settings, self._rate = self._settings, requests_per_minute
        share = None if self._rate is None else share_of(settings, self._rate)
        self._minutes = (
            None if share is None else Minutes(settings, self._database, self.fingerprint, share, time.monotonic)
        )

    async def admit(self, *, save: bool) -> Ticket | Later:
        """Leave for one request, or for how long there is none; that is nobody's attempt."""
        if self._closed():
            return self._paused()
        if self._minutes is None:
            return Ticket()
        taken, at = await self._minutes.take(save=save)
        if taken:
            return Ticket(at)
        wait_seconds = max(0.0, at - time.monotonic()) + _uniform(0, SPREAD_SECONDS / 4)
        return Later(ErrorCode.VAPI_RATE_LIMITED, wait_seconds, counts_as_attempt=False)

    def stale(self, ticket: Ticket) -> Later | None:
        """Looked at right before the call: why ``ticket`` does not allow it any more, None where it does."""
        if self._closed():
            return self._paused()
        if time.monotonic() >= ticket.valid_until:
            return Later(ErrorCode.VAPI_RATE_LIMITED, counts_as_attempt=False)
        return None

    async def answered(self) -> None:
        """Vapi answered, and not against the key: it works."""
        self._broken = 0
        if self._half_open:
            self._open(half_open=False)
            _log.info("vapi_key_works_again", key=self.fingerprint)
            try:
                async with self._database.connection() as connection:
                    await connection.execute(_LIFT, self.fingerprint)
            except DATABASE_AWAY as error:  # the answer itself must not be lost with it
                _log.warning("vapi_key_pause_untold", reason=in_one_line(error))

    async def troubled(self, trouble: Trouble, retry_after_seconds: float | None = None) -> None:
        """Vapi spoke against the key, or did not speak: pause where that says something of the key."""
        if trouble == "broken":
            self._broken += 1
            if self._broken < self._settings.breaker_failures and not self._half_open:
                return
        if self._closed():  # calls that were out together say the same thing
            return
        self._broken = 0
        self._close(self._settings.breaker_seconds_base, trouble)  # at once, before the statement
        try:
            async with self._database.connection() as connection:
                seconds = await self._seconds(connection, trouble, retry_after_seconds)
                spread = _uniform(0.25, SPREAD_SECONDS)
                left = await connection.fetchval(_PAUSE, self.fingerprint, seconds, spread, trouble)
                if trouble == "rate_limited" and self._minutes is not None:
                    await connection.execute(_REFUSED, self.fingerprint)
            self._told, self._half_open = True, False
            self._close(left, trouble)
        except DATABASE_AWAY as error:
            self._told = False  # only this process knows
            refused = trouble in {"refused", "unpaid"}
            left = self._settings.key_refused_seconds if refused else self._settings.breaker_seconds_base
            self._close(left, trouble)
            _log.warning("vapi_key_pause_untold", reason=in_one_line(error))
        _log.warning("vapi_key_paused", reason=trouble, seconds=round(left, 1), alarm=trouble != "rate_limited")

    async def _seconds(
        self, connection: Connection, trouble: Trouble, retry_after_seconds: float | None
    ) -> float | None:
        match trouble:
            case "rate_limited":  # None: until the next UTC minute
                return None if retry_after_seconds is None else max(0.1, retry_after_seconds) + _uniform(0, 0.2)
            case "refused" | "unpaid":
                return self._settings.key_refused_seconds * _uniform(1, 1.05)
            case "broken":
                openings = await connection.fetchval(_OPENINGS, self.fingerprint) or 0
                base, most = self._settings.breaker_seconds_base, self._settings.breaker_seconds_max
                return float(min(most, base * 2 ** min(openings, 30)))

    def _closed(self) -> bool:
        return time.monotonic() < self._closed_until

    def _close(self, seconds: float, trouble: Trouble) -> None:
        self._closed_until, self._closed_for = time.monotonic() + seconds, trouble

    def _open(self, *, half_open: bool) -> None:
        self._closed_until, self._half_open = float("-inf"), half_open

    def _paused(self) -> Later:
        # What the table does not know is claimed all the same, so that who has it has to wait.
        left_seconds = 0.0 if self._told else self._closed_until - time.monotonic()
        return Later(CODES[self._closed_for], max(0.0, left_seconds), counts_as_attempt=False)


def platform_fingerprint(settings: Settings) -> str:
    """Names the platform's key, which is told from the same key at another address."""
    return fingerprint_of(settings.vapi_base_url, settings.vapi_api_key.get_secret_value())


def share_of(settings: Settings, requests_per_minute: int) -> int:
    """This service's part of what Vapi allows a key."""
    return max(1, int(requests_per_minute * settings.vapi_rate_share))


def _trouble(reason: str) -> Trouble:
    """Why another replica paused the key; one of a newer release may have a word that is not known here."""
    return next((known for known in get_args(Trouble) if known == reason), "broken")


def fingerprint_of(base_url: str, api_key: str) -> str:
    """Names a key in rows and logs; nobody learns the key from it."""
    return hashlib.sha256(f"zerotouch vapi key {base_url} {api_key}".encode()).hexdigest()[:32]
