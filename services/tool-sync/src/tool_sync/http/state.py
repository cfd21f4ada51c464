"""What the routes work with; filled by the composition root, the pool only once the database answers."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import Request

from tool_sync.db import Pool
from tool_sync.log import EventLog
from tool_sync.outcomes.feed import Tail
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health


@dataclass(slots=True)
class HttpState:
    """Held by the app for its routes. What is None is so until the database has answered."""

    verifier: TokenVerifier
    health: Health
    pool: "Pool | None" = None
    tail: Tail | None = None
    log_id: UUID | None = None
    log: EventLog | None = None


def state_of(request: Request) -> HttpState:
    """The state of the app that serves this request."""
    state = request.app.state.http
    assert isinstance(state, HttpState)
    return state
