"""Performing a fault: what each action of a rule does with a request and its connection."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any, assert_never

from vapi_sandbox.answers import INVALID_KEY, Reply, failure, phrase
from vapi_sandbox.calls import Call
from vapi_sandbox.dials import (
    Action,
    Delay,
    Drip,
    ExternalEdit,
    Hang,
    Late,
    Mangle,
    Reset,
    RevokeKey,
    Status,
)
from vapi_sandbox.javascript import from_json, to_json
from vapi_sandbox.journal import Entry
from vapi_sandbox.sandbox import Sandbox
from vapi_sandbox.wire import Wire

HTML_TYPE = b"text/html; charset=utf-8"
HUGE_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """One admitted request on its way. `way_back_seconds` is the latency that its answer still has to wait."""

    sandbox: Sandbox
    call: Call
    entry: Entry
    wire: Wire
    way_back_seconds: float

    def execute(self) -> Reply:
        """Let the operation take place."""
        return self.sandbox.execute(self.call, self.entry)

    async def answer(self, reply: Reply) -> None:
        """Send an answer after the way back."""
        if self.way_back_seconds:
            await asyncio.sleep(self.way_back_seconds)
        await self.wire.answer(reply)


async def perform(action: Action, exchange: Exchange) -> None:
    """Do to a request what a rule says; when this returns, the request is over."""
    match action:
        case Status():
            await _status(action, exchange)
        case Reset():
            reply = exchange.execute() if action.commit else None
            await exchange.wire.cut(reply, action.after_bytes, action.close)
        case Hang():
            await _hang(action, exchange)
        case Drip():
            await exchange.wire.drip(exchange.execute(), action.bytes_per_step, action.step_ms / 1000)
        case Mangle():
            await exchange.answer(mangled(exchange.execute(), action.form))
        case RevokeKey():
            exchange.sandbox.faults.revoke(exchange.call.key)
            await exchange.answer(INVALID_KEY)
        case Late():
            await exchange.answer(await _late(action, exchange))
        case Delay():
            await asyncio.sleep(exchange.sandbox.faults.delay_seconds(action.latency_ms))
            await exchange.answer(exchange.execute())
        case ExternalEdit():
            reply = exchange.execute()
            exchange.sandbox.edit(exchange.call, action)
            await exchange.answer(reply)
        case _:
            assert_never(action)


async def _status(action: Status, exchange: Exchange) -> None:
    if action.commit:
        exchange.execute()
    reply = _body_of(action)
    headers = [(name.lower().encode(), value.encode()) for name, value in action.headers.items()]
    if action.retry_after is not None:
        headers.append((b"retry-after", str(action.retry_after).encode()))
    await exchange.answer(replace(reply, headers=tuple(headers)))


def _body_of(action: Status) -> Reply:
    title = f"{action.status} {phrase(action.status)}"
    match action.body:
        case "html":
            page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
            return Reply(action.status, page.encode(), media_type=HTML_TYPE)
        case "text":
            return Reply(action.status, f"error code: {action.status}".encode(), media_type=b"text/plain")
        case "empty":
            return Reply(action.status, b"")
        case "json":
            if action.json_body is not None:
                return Reply(action.status, to_json(action.json_body))
            return failure(action.status, phrase(action.status))
        case _:
            assert_never(action.body)


async def _hang(action: Hang, exchange: Exchange) -> None:
    reply = exchange.execute() if action.commit else None
    still_there = await exchange.wire.hold(action.hold_ms / 1000)
    if still_there and reply is not None:
        await exchange.wire.answer(reply)
    elif still_there:
        await exchange.wire.cut(None, 0, "fin")


async def _late(action: Late, exchange: Exchange) -> Reply:
    """Execute in a task of its own: the caller's departure must not stop it."""

    async def run() -> Reply:
        await asyncio.sleep(action.delay_ms / 1000)
        return exchange.execute()

    task = asyncio.create_task(run())
    exchange.sandbox.late.add(task)
    task.add_done_callback(exchange.sandbox.late.discard)
    return await asyncio.shield(task)


def mangled(reply: Reply, form: str) -> Reply:
    """Return an answer with its body spoilt in one of the forms of `Mangle`."""
    match form:
        case "truncated":
            return replace(reply, body=reply.body[: len(reply.body) // 2])
        case "garbage":
            return replace(reply, body=b"\x00\xfe not json")
        case "html":
            return replace(reply, body=b"<html><body>Just a moment...</body></html>", media_type=HTML_TYPE)
        case "bom":
            return replace(reply, body=b"\xef\xbb\xbf" + reply.body)
        case "empty":
            return replace(reply, body=b"")
        case "null":
            return replace(reply, body=b"null")
        case "array":
            return replace(reply, body=b"[" + reply.body + b"]")
    document = from_json(reply.body)
    for item in document if isinstance(document, list) else [document]:
        _spoil(item, form)
    # NaN is no JSON, and one of the forms: only this writer writes it.
    return replace(reply, body=json.dumps(document).encode())


def _spoil(item: dict[str, Any], form: str) -> None:
    match form:
        case "no_id":
            item.pop("id", None)
        case "other_name":
            item["name"] = "somebodyElse"
            if isinstance(item.get("function"), dict):
                item["function"]["name"] = "somebodyElse"
        case "nan":
            item["updatedAt"] = float("nan")
        case "huge":
            item["filler"] = "x" * HUGE_BYTES
        case _:
            raise AssertionError(f"no such form: {form}")
