"""Room for one more? Decided over all whom a request counts for, and what it takes of each: no I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from zerotouch_platform.limits.policy import Kind, Of, Quota, Rate, Refusal, Standing, whole_seconds
from zerotouch_platform.limits.usage import Bucket, Usage, UsageTable

HELD_RETRY_SECONDS: Final = 1
"""When to ask again for what others of the same key hold: nobody knows when they end."""
LOW_SHARE: Final = 0.5
"""Answers tell what is left from here on down; whoever is far from a limit need not read of it."""
_UNITS: Final = {Kind.BYTES: 1, Kind.WORK: 0.001}
"""Of what headers say: bytes, and milliseconds."""
_DECLARED_BYTES_MAX: Final = 1 << 32
"""More than any route reads; so no number of digits becomes a debt that lasts for days."""


@dataclass(frozen=True, slots=True)
class Key:
    """Whom a request counts for; ``id`` is a hash, so that no token stays in memory for this."""

    of: Of
    id: bytes


@dataclass(frozen=True, slots=True)
class Places:
    """All that a process holds at a time. Only the platform may have the last: others may not hold more than is free.

    So however many are greedy, some places are free: of N greedy ones each gets one part of N + 1.
    """

    in_flight: int
    streams: int


@dataclass(slots=True)
class Admission:
    """A request that goes on. ``low``: the policy of requests that it came closest to, where that is close."""

    held: Sequence[tuple[Quota, Usage]]
    is_stream: bool
    low: Standing | None


class Limiter:
    """One process's limits. Not for threads: every method is one step of the event loop."""

    def __init__(self, quotas: Mapping[Of, Quota], keys_max: int, places: Places) -> None:
        self._quotas, self._places = quotas, places
        self._in_flight = self._streams = 0
        self._tables = {of: UsageTable(keys_max) for of in quotas}

    @property
    def keys_tracked(self) -> int:
        """How many keys are in memory."""
        return sum(map(len, self._tables.values()))

    def admit(
        self, keys: Sequence[Key], now: float, *, is_stream: bool = False, body_bytes: int = 0
    ) -> Admission | Refusal:
        """Take one request for all of ``keys``, or nothing of any of them. End what was admitted by :meth:`release`.

        ``body_bytes``: how long its body says that it is; where it does not say, see :meth:`received`.
        """
        found = [(key.of, self._quotas[key.of], self.usage(key, now)) for key in keys]
        full = [standing for each in found for standing in self._full(*each, now, is_stream=is_stream)]
        if full:
            return Refusal(full)
        low: Standing | None = None
        self._streams += is_stream
        self._in_flight += not is_stream
        for of, quota, usage in found:
            usage.requests.take(1, quota.requests, now)
            if body_bytes:
                usage.bytes.take(min(body_bytes, _DECLARED_BYTES_MAX), quota.bytes, now)
            if is_stream:
                usage.streams += 1
            else:
                usage.in_flight += 1
            standing = _of_requests(of, quota, usage, now)
            if standing.left < standing.quota * LOW_SHARE and (low is None or standing.left < low.left):
                low = standing
        return Admission([(quota, usage) for _, quota, usage in found], is_stream, low)

    def received(self, admission: Admission, body_bytes: int, now: float) -> None:
        """A part of a body came whose length was not said."""
        for quota, usage in admission.held:
            usage.bytes.take(body_bytes, quota.bytes, now)

    def worked(self, admission: Admission, seconds: float, now: float) -> None:
        """So much of the process's time went into it."""
        for quota, usage in admission.held:
            usage.work.take(seconds, quota.work, now)

    def owes_work(self, admission: Admission, now: float) -> bool:
        """Whether one whom it counts for has used more than there was."""
        return any(usage.work.level(quota.work, now) <= 0 for quota, usage in admission.held)

    def release(self, admission: Admission) -> None:
        """It is answered, or its client is gone."""
        self._streams -= admission.is_stream
        self._in_flight -= not admission.is_stream
        for _, usage in admission.held:
            if admission.is_stream:
                usage.streams -= 1
            else:
                usage.in_flight -= 1

    def usage(self, key: Key, now: float) -> Usage:
        """What a key has used."""
        return self._tables[key.of].of(key.id, self._quotas[key.of], now)

    def refusal(self, key: Key, now: float) -> Refusal | None:
        """Why one more of this key would be refused; takes nothing."""
        full = self._full(key.of, self._quotas[key.of], self.usage(key, now), now, is_stream=False)
        return Refusal(full) if full else None

    def _full(self, of: Of, quota: Quota, usage: Usage, now: float, *, is_stream: bool) -> list[Standing]:
        """The policies that have no room for one more request."""
        full = []
        if usage.requests.level(quota.requests, now) < 1:
            full.append(_of_requests(of, quota, usage, now))
        if usage.bytes.level(quota.bytes, now) <= 0:
            full.append(_of_amount(of, Kind.BYTES, usage.bytes, quota.bytes, now))
        if usage.work.level(quota.work, now) <= 0:
            full.append(_of_amount(of, Kind.WORK, usage.work, quota.work, now))
        if is_stream and usage.streams >= _room(of, quota.streams_max, self._places.streams - self._streams):
            full.append(Standing(of, Kind.STREAMS, quota.streams_max, 0, None, HELD_RETRY_SECONDS))
        if not is_stream and usage.in_flight >= _room(
            of, quota.in_flight_max, self._places.in_flight - self._in_flight
        ):
            full.append(Standing(of, Kind.IN_FLIGHT, quota.in_flight_max, 0, None, HELD_RETRY_SECONDS))
        return full


def _of_requests(of: Of, quota: Quota, usage: Usage, now: float) -> Standing:
    rate = quota.requests
    left = max(0, int(usage.requests.level(rate, now)))
    # What is left may be used within the time in which so much comes back: then it is never more than the rate.
    until = left / rate.per_second if left else usage.requests.seconds_until(1, rate, now)
    window = whole_seconds(rate.burst / rate.per_second)
    return Standing(of, Kind.REQUESTS, int(rate.burst), left, window, whole_seconds(until))


def _of_amount(of: Of, kind: Kind, used: Bucket, rate: Rate, now: float) -> Standing:
    """Of what is taken as it comes: nothing is left, and some of it is when the debt is paid."""
    unit = _UNITS[kind]
    until, window = whole_seconds(used.seconds_until(unit, rate, now)), whole_seconds(rate.burst / rate.per_second)
    return Standing(of, kind, int(rate.burst / unit), 0, window, until)


def _room(of: Of, at_most: int, free: int) -> int:
    """How much one may hold now."""
    return at_most if of is Of.PLATFORM else min(at_most, free)
