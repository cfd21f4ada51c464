"""What is limited, for whom, and how much: values, and how HTTP says them.

The header fields are those of draft-ietf-httpapi-ratelimit-headers-11 (23 May 2026; read 2026-11-30).
`RateLimit-Policy` says what holds, `RateLimit` what is left of it; units other than requests are named by `qu`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    IN_FLIGHT = "in_flight"
    STREAMS = "streams"
    BYTES = "bytes"
    WORK = "work"
    SAVES_WAITING = "saves_waiting"
    AGENTS = "agents"


class Of(StrEnum):
    """For whom it is counted."""

    ADDRESS = "address"
    """Who has shown no valid token."""
    TOKEN = "token"  # noqa: S105 - a name
    ORG = "org"
    PLATFORM = "platform"
    """A token of the platform's; it has no organization."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So much a second on average, and at most ``burst`` at once."""

    per_second: float
    burst: float


@dataclass(frozen=True, slots=True)
class Quota:
    """All that one of a kind may have of a process. ``bytes`` are those of bodies, ``work`` seconds of its time."""

    requests: Rate
    bytes: Rate
    work: Rate
    in_flight_max: int
    streams_max: int

    def share(self, part: float) -> "Quota":
        """A part of everything, and one of each at least."""
        return Quota(
            Rate(self.requests.per_second * part, max(1.0, self.requests.burst * part)),
            Rate(self.bytes.per_second * part, max(1.0, self.bytes.burst * part)),
            Rate(self.work.per_second * part, self.work.burst * part),
            max(1, int(self.in_flight_max * part)),
            max(1, int(self.streams_max * part)),
        )


_UNITS = {
    Kind.IN_FLIGHT: ';qu="concurrent-requests"',
    Kind.STREAMS: ';qu="concurrent-requests"',
    Kind.BYTES: ';qu="content-bytes"',
    Kind.WORK: ';qu="milliseconds"',
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one policy stands for a caller. ``window_seconds``: in which ``quota`` comes back; None for what is held."""

    of: Of
    kind: Kind
    quota: int
    left: int
    window_seconds: int | None
    until_seconds: int
    """In which no more than ``left`` should be used; where nothing is left, when it is worth asking again."""

    @property
    def name(self) -> str:
        """What the policy is called in headers and problems."""
        return f"{self.of}-{self.kind}".replace("_", "-")

    def policy_item(self) -> str:
        """Its item of ``RateLimit-Policy``."""
        window = "" if self.window_seconds is None else f";w={self.window_seconds}"
        return f'"{self.name}";q={self.quota}{_UNITS.get(self.kind, "")}{window}'

    def limit_item(self) -> str:
        """Its item of ``RateLimit``."""
        return f'"{self.name}";r={self.left};t={self.until_seconds}'


@dataclass(frozen=True, slots=True)
class Refusal:
    """There is no room for one more. ``standings`` are those policies that have none, one at least."""

    standings: Sequence[Standing]

    @property
    def retry_after_seconds(self) -> int:
        """When the last of them has room again, as far as that is known."""
        return max(standing.until_seconds for standing in self.standings)


def whole_seconds(seconds: float) -> int:
    """As headers have it: rounded up, and 1 at least, as 0 asks for a loop."""
    return max(1, math.ceil(seconds))
