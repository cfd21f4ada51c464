"""What is used of the limits, by key. The clock is an argument, in seconds; memory is bounded whatever is asked.

A bucket holds at most its burst and fills by its rate. It may go below zero: a body is counted as it arrives, work when
it is done, and what is more than was left is a debt that the next requests wait for.
"""

from collections import OrderedDict
from dataclasses import dataclass

from zerotouch_platform.limits.policy import Quota, Rate


@dataclass(slots=True)
class Bucket:
    """What was left of a rate at a moment."""

    left: float
    at: float

    def level(self, rate: Rate, now: float) -> float:
        """What is left now. A clock that went back fills nothing."""
        return min(rate.burst, self.left + max(0.0, now - self.at) * rate.per_second)

    def take(self, amount: float, rate: Rate, now: float) -> None:
        """Take, be it there or not."""
        self.left, self.at = self.level(rate, now) - amount, max(self.at, now)

    def seconds_until(self, level: float, rate: Rate, now: float) -> float:
        """When there is so much; 0 where there is."""
        return max(0.0, level - self.level(rate, now)) / rate.per_second


@dataclass(slots=True)
class Usage:
    """What one key has used, and holds now."""

    requests: Bucket
    bytes: Bucket
    work: Bucket
    in_flight: int = 0
    streams: int = 0
    told_at: float | None = None
    """When its refusal was logged; once in a while is enough."""

    @property
    def holds(self) -> bool:
        """Whether it has something open: then it cannot be forgotten."""
        return self.in_flight > 0 or self.streams > 0


class UsageTable:
    """At most ``keys_max`` keys, and those that hold something. A new one takes the place of the one not seen longest.

    Who is forgotten begins anew with full buckets: no more than who comes for the first time.
    """

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        self._by_key: OrderedDict[bytes, Usage] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def of(self, key: bytes, quota: Quota, now: float) -> Usage:
        """A key's usage; from now on it is the newest."""
        usage = self._by_key.get(key)
        if usage is None:
            self._make_room()
            requests, received, work = (Bucket(rate.burst, now) for rate in (quota.requests, quota.bytes, quota.work))
            usage = Usage(requests, received, work)
            self._by_key[key] = usage
        else:
            self._by_key.move_to_end(key)
        return usage

    def _make_room(self) -> None:
        # What holds something is passed over, and is as many as requests can be served at a time.
        for _ in range(len(self._by_key)):
            if len(self._by_key) < self._keys_max:
                return
            key, oldest = next(iter(self._by_key.items()))
            if oldest.holds:
                self._by_key.move_to_end(key)
            else:
                del self._by_key[key]
