"""What the routes work with; filled by the composition root, the pool only once the database answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from fastapi import Request

from tool_sync.db import Pool
from tool_sync.http.problems import Problem
from tool_sync.log import EventLog
from tool_sync.notices.signing import SecretBox
from tool_sync.outcomes.feed import Tail
from tool_sync.publishing.resolving import Resolve
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health
from zerotouch_platform.limits.middleware import Limits
from zerotouch_platform.turns import Turns

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Installed:
    """What goes with every tool that is published, and what a forecast reckons with.

    ``calls_per_minute`` is tool-sync's share of the key's rate; None where none is set. ``own_orgs``: the clinics of
    the first stage.
    """

    server_url: str
    credential_id: str | None = None
    loopback_allowed: bool = False
    calls_per_minute: int | None = None
    own_orgs: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsoleDoor:
    """How a link signs in at the console. ``url``: where browsers find it, None where nobody has said.

    ``seal`` gives what is kept of a token for a link with a code; None where no browser would keep it.
    ``frame_ancestors``: the sites that may show a clinic's status in a frame; without one nothing can be embedded.
    """

    url: str | None
    seal: Callable[[str, bytes], str | None]
    frame_ancestors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoticesDoor:
    """What a clinic's notices are set with: what seals its secret, and where its host's addresses are asked for."""

    box: SecretBox
    resolve: Resolve


@dataclass(slots=True)
class HttpState:
    """Held by the app for its routes. What is None is so until the database has answered; ``console``: where none is.

    Without ``limits`` nothing is limited: only tests build an app like that.
    """

    verifier: TokenVerifier
    health: Health
    pool: "Pool | None" = None
    tail: Tail | None = None
    log_id: UUID | None = None
    log: EventLog | None = None
    installed: Installed | None = None
    console: ConsoleDoor | None = None
    notices: NoticesDoor | None = None
    limits: Limits | None = None
    turns: Turns = field(default_factory=lambda: Turns.of_connections(5))
    """Of connections, among HTTP's callers: half of the pool's, as the others are the log's, and of whoever syncs."""


def state_of(request: Request) -> HttpState:
    """The state of the app that serves this request."""
    state = request.app.state.http
    assert isinstance(state, HttpState)
    return state


def ready(part: T | None) -> T:
    """A part of the state that is there once the database has answered. Raises a 503 problem until then."""
    if part is None:
        raise Problem(503, ErrorCode.NOT_READY)
    return part
