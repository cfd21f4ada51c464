"""Where a clinic's notices go, as HTTP and the command line answer it, and as a sentence for a page and a terminal."""

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from tool_sync.notices.endpoints import Endpoint, State
from tool_sync.queries.plain_words import clock_at


@dataclass(frozen=True, slots=True)
class NoticesShown:
    """Where a clinic's notices go, and how sending them goes.

    `failing`: the oldest was not taken and is tried again, with growing pauses, for a day. `disabled`: nothing is sent
    until it is replayed, or set anew; what happens meanwhile waits, for 30 days.
    """

    org_id: UUID
    url: str
    state: State
    why: str | None
    failing_since: datetime | None
    next_try_at: datetime | None
    disabled_at: datetime | None
    waiting: int
    last_try_at: datetime | None
    last_problem: str | None
    delivered_at: datetime | None
    secret_made_at: datetime
    old_secret_until: datetime | None
    set_at: datetime
    set_by: str
    secret: str | None = None


def shown(endpoint: Endpoint, secret: str | None = None) -> NoticesShown:
    """What the endpoint says, by the same names."""
    said_by = {field.name: getattr(endpoint, field.name) for field in fields(NoticesShown) if field.name != "secret"}
    return NoticesShown(**said_by, secret=secret)


def said(endpoint: Endpoint | None, now: datetime) -> str:
    """How sending goes, as a sentence without a full stop, to follow "Notices:"; times are UTC."""
    if endpoint is None:
        return "none are sent: no webhook is set"
    if endpoint.disabled_at is not None:
        since = clock_at(endpoint.disabled_at, now)
        return f"none are sent since {since} UTC: {endpoint.why}; {endpoint.waiting:,} wait for a replay"
    if endpoint.failing_since is not None:
        since = clock_at(endpoint.failing_since, now)
        again = f", we try again at {clock_at(endpoint.next_try_at, now)} UTC" if endpoint.next_try_at else ""
        return f"the webhook takes none since {since} UTC ({endpoint.why}); {endpoint.waiting:,} wait{again}"
    last = f", last at {clock_at(endpoint.delivered_at, now)} UTC" if endpoint.delivered_at else ""
    on_their_way = f"; {endpoint.waiting:,} on their way" if endpoint.waiting else ""
    return f"sent to a webhook that works{last}{on_their_way}"
