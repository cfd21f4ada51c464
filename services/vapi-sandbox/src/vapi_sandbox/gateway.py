"""The API itself as one ASGI app: read, admit, execute or go wrong, answer, journal.

A bare ASGI app and not a set of endpoints: the sandbox shares its cores with the system that is measured against it.
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from vapi_sandbox.answers import INVALID_KEY, MISSING_KEY, Reply, conflict, failure, no_route
from vapi_sandbox.calls import Call, find_route
from vapi_sandbox.faults import rule_name
from vapi_sandbox.injection import Exchange, perform
from vapi_sandbox.journal import Entry
from vapi_sandbox.rate_limit import too_many
from vapi_sandbox.sandbox import Sandbox
from vapi_sandbox.wire import DateHeader, Wire


class Gateway:
    """Serves every path that is not the control plane's."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._date = DateHeader()
        # Tools with a PATCH or DELETE under way, for the dial `tool_write_conflict`.
        self._writing: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        assert scope["type"] == "http", f"the API has no {scope['type']}"
        wire = Wire(scope, receive, send, self._date.at(self._sandbox.now_seconds()))
        body = await _read(receive, self._sandbox.settings.body_bytes_max)
        if body is None:
            return  # the caller left in the middle of its request
        query = scope["query_string"].decode("latin-1")
        entry = self._sandbox.journal.open(scope["method"], scope["path"], query, body)
        try:
            await self._serve(scope, body, query, entry, wire)
        finally:
            entry.status, entry.delivered, entry.finished = wire.sent, wire.delivered, True
            self._sandbox.tally.answered(entry.route, entry.status)

    async def _serve(self, scope: Scope, body: bytes, query: str, entry: Entry, wire: Wire) -> None:
        sandbox = self._sandbox
        dials = sandbox.dials
        # Half of the latency is the way there and half the way back, so that an answer is as old as a real one.
        half_seconds = sandbox.faults.delay_seconds(dials.latency_ms) / 2 if dials.latency_ms else 0.0
        call = self._admit(scope, body, query, entry)
        if isinstance(call, Reply):
            if half_seconds:
                await asyncio.sleep(2 * half_seconds)
            await wire.answer(call)
            return
        exchange = Exchange(sandbox, call, entry, wire, half_seconds)
        if not (dials.tool_write_conflict and call.route.kind == "tool" and call.route.operation in _WRITES):
            await self._run(exchange, half_seconds)
        elif call.id in self._writing:
            await exchange.answer(conflict("tool_write_conflict", f"Tool {call.id} is being written; try again"))
        else:
            self._writing.add(call.id)
            try:
                await self._run(exchange, half_seconds)
            finally:
                self._writing.discard(call.id)

    async def _run(self, exchange: Exchange, way_there_seconds: float) -> None:
        rule = self._sandbox.faults.pick(exchange.call, self._sandbox.store)
        if way_there_seconds:
            await asyncio.sleep(way_there_seconds)
        if rule is None:
            await exchange.answer(exchange.execute())
            return
        exchange.entry.rule = rule_name(rule)
        await perform(rule.action, exchange)

    def _admit(self, scope: Scope, body: bytes, query: str, entry: Entry) -> Call | Reply:
        """Find the route, know the caller, count the request; a Reply is the refusal."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _HEADERS}
        found = find_route(scope["method"], scope["path"])
        if found is None:
            return no_route(scope["method"], scope["path"])
        route, resource_id = found
        entry.route = route.name
        authorization = headers.get(b"authorization")
        if not authorization:
            return MISSING_KEY
        scheme, _, key = authorization.partition(" ")
        vapi_org = self._sandbox.settings.keys.get(key.strip()) if scheme.lower() == "bearer" else None
        if vapi_org is None:
            return INVALID_KEY
        entry.key, entry.vapi_org = key, vapi_org
        if self._sandbox.faults.is_revoked(key):
            return INVALID_KEY
        dials, now_seconds = self._sandbox.dials, self._sandbox.clock.wall()
        if not self._sandbox.windows.take(vapi_org, now_seconds, dials.rate_limit_per_minute):
            return too_many(now_seconds, dials.rate_limit_retry_after)
        if len(body) > self._sandbox.settings.body_bytes_max:
            return failure(413, "request entity too large")
        return Call(route, resource_id, key, vapi_org, query, headers.get(b"content-type", ""), body)


_WRITES = ("update", "delete")
_HEADERS = (b"authorization", b"content-type")


async def _read(receive: Receive, bytes_max: int) -> bytes | None:
    """Read the body, at most a little over the limit; None where the caller left before it was complete."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        return message.get("body", b"")  # type: ignore[no-any-return]  # ASGI messages are untyped
    pieces, size = [], 0
    while message["type"] == "http.request":
        piece = message.get("body", b"")
        if size <= bytes_max:
            pieces.append(piece)
        size += len(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)
        message = await receive()
    return None
