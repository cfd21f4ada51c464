"""The limits as an ASGI middleware: outside of everything but the server, so that a refusal costs next to nothing."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.limits.answer import rate_limit_headers, too_many
from zerotouch_platform.limits.identity import Identities
from zerotouch_platform.limits.limiter import Admission, Key, Limiter, Places
from zerotouch_platform.limits.metered import Metered, spent_now
from zerotouch_platform.limits.policy import Of, Refusal
from zerotouch_platform.limits.refusals import Refusals
from zerotouch_platform.limits.settings import LimitSettings, networks_of, quotas_of
from zerotouch_platform.turns import owner_now

HEALTH: Final = frozenset({"/livez", "/readyz"})
"""Whoever asks whether the process lives must always be told."""
TELL_SECONDS: Final = 60.0
"""Between two lines of the log about one key."""
PACED_SECONDS: Final = 1.0
"""Between two pages of a stream whose clinic has no work left: shorter than what heartbeats and a stop wait for."""
_DIGITS_MAX: Final = 12

_log: Final = structlog.get_logger()


class Limits:
    """What one process allows, and to whom; ``refusals`` counts. ``requests_max`` are all that it answers at a time.

    ``unlimited`` are the paths that nobody is refused at. ``is_stream``: whether a request is a stream or a long poll,
    which are counted apart, as they last.
    """

    def __init__(
        self,
        settings: LimitSettings,
        verifier: TokenVerifier,
        refusals: Refusals,
        *,
        requests_max: int,
        unlimited: frozenset[str] = HEALTH,
        is_stream: Callable[[Scope], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        places = Places(requests_max, settings.limit_streams_in_all)
        self.limiter = Limiter(quotas_of(settings), settings.limit_keys_max, places)
        self.identities = Identities(
            verifier, self.limiter, networks_of(settings.trusted_proxies), settings.limit_keys_max
        )
        self.refusals, self.unlimited, self.is_stream, self.clock = refusals, unlimited, is_stream, clock


class Limited:
    """ASGI middleware: 429 to what is beyond a limit, before anything of the application runs."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        limits = self._limits
        if scope["type"] != "http" or scope["path"] in limits.unlimited:
            await self._app(scope, receive, send)
            return
        now = limits.clock()
        keys = limits.identities.of(scope, now)
        if isinstance(keys, Refusal):
            await self._refuse(keys, (), scope, receive, send)
            return
        length = _declared(scope)
        admitted = limits.limiter.admit(keys, now, is_stream=limits.is_stream(scope), body_bytes=length or 0)
        if isinstance(admitted, Refusal):
            await self._refuse(admitted, keys, scope, receive, send)
            return
        owner_now.set(keys[-1])  # this and the next are of this request's task alone, and of those that it begins
        if admitted.low is not None:
            send = _telling(admitted, send)
        if admitted.is_stream:
            send = self._paced(admitted, send)

        def spent(seconds: float) -> None:
            limits.limiter.worked(admitted, seconds, limits.clock())

        spent_now.set(spent)
        serving = self._app(scope, receive if length is not None else self._counting(admitted, receive), send)
        try:
            await Metered(serving, spent)
        finally:
            limits.limiter.release(admitted)

    async def _refuse(self, refusal: Refusal, keys: Sequence[Key], scope: Scope, receive: Receive, send: Send) -> None:
        self._limits.refusals.add(refusal)
        self._tell(refusal, keys)
        await too_many(refusal)(scope, receive, send)

    def _tell(self, refusal: Refusal, keys: Sequence[Key]) -> None:
        """For an operator: which clinic, and not for each of a thousand."""
        if not keys:
            return
        now = self._limits.clock()
        usage = self._limits.limiter.usage(keys[-1], now)
        if usage.told_at is None or now - usage.told_at >= TELL_SECONDS:
            usage.told_at = now
            org_id = next((str(UUID(bytes=key.id)) for key in keys if key.of is Of.ORG), None)
            _log.warning("limit_reached", limits=[each.name for each in refusal.standings], org_id=org_id)

    def _counting(self, admitted: Admission, receive: Receive) -> Receive:
        """Counts a body that does not say how long it is, as it comes."""

        async def counted() -> Message:
            message = await receive()
            if message["type"] == "http.request" and (body := message.get("body")):
                self._limits.limiter.received(admitted, len(body), self._limits.clock())
            return message

        return counted

    def _paced(self, admitted: Admission, send: Send) -> Send:
        """Slows a stream of whom has used up its work: a request would be refused, but this one has begun.

        What happens meanwhile is read at once afterwards, which is cheaper than one by one.
        """

        async def paced(message: Message) -> None:
            await send(message)
            if message.get("more_body") and self._limits.limiter.owes_work(admitted, self._limits.clock()):
                await asyncio.sleep(PACED_SECONDS)

        return paced


def _telling(admitted: Admission, send: Send) -> Send:
    """Says how little is left."""
    assert admitted.low is not None
    told = [(name.lower().encode(), value.encode()) for name, value in rate_limit_headers(admitted.low).items()]

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *told]
        await send(message)

    return telling


def _declared(scope: Scope) -> int | None:
    """How long the body says that it is; 0 where there is none, None where it comes in pieces."""
    length = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length" and value.isdigit():
            length = int(value[:_DIGITS_MAX])
    return length
