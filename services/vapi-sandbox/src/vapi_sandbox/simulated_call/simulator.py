"""Simulating a call: find the assistant, resolve its tools, deliver their webhooks, report what the model heard."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import httpx

from vapi_sandbox.checks import is_uuid
from vapi_sandbox.javascript import from_json
from vapi_sandbox.records import Resource, build_call
from vapi_sandbox.sandbox import Sandbox
from vapi_sandbox.simulated_call.messenger import Delivery, Messenger
from vapi_sandbox.simulated_call.order import CallOrder
from vapi_sandbox.simulated_call.report import Outcome, ToolCallReport, report
from vapi_sandbox.simulated_call.results import Verdict, judge
from vapi_sandbox.simulated_call.server import TIMEOUT_SECONDS_MAX, Server, server_of
from vapi_sandbox.simulated_call.toolbox import Dangling, merged_arguments, toolbox
from vapi_sandbox.simulated_call.webhook import Conversation, ToolCall, webhook_body


@dataclass(frozen=True, slots=True)
class Refused:
    """The call did not come up; the sentences are in the words of the API where those are known."""

    problems: list[str]


@dataclass(frozen=True, slots=True)
class _Parcel:
    """The tool calls that travel in one webhook: of one server, and either all awaited by the model or none."""

    server: Server
    calls: list[ToolCall]


class Simulator:
    """Simulates calls of one sandbox's assistants. Without a `transport` webhooks go over the network."""

    def __init__(self, sandbox: Sandbox, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._sandbox = sandbox
        self._transport = transport

    async def run(self, order: CallOrder) -> dict[str, Any] | Refused:
        """Simulate one call and return its report; it ends when the last webhook has its answer or has failed."""
        prepared = self._prepare(order)
        self._sandbox.tally.simulated(refused=isinstance(prepared, Refused))
        if isinstance(prepared, Refused):
            return prepared
        call, tool_calls = prepared
        self._keep(call)
        parcels, undelivered = _pack(call, tool_calls)
        async with self._client() as client:
            messenger = Messenger(self._sandbox, client)
            async with asyncio.TaskGroup() as group:
                sent = [group.create_task(self._send(messenger, call, parcel, order.deliveries)) for parcel in parcels]
        reports = undelivered + [entry for task in sent for entry in task.result()]
        by_id = {entry.call.id: entry for entry in reports}
        return report(call, [by_id[tool_call.id] for tool_call in tool_calls])

    def _keep(self, call: Conversation) -> None:
        """Keep the record that `GET` and `DELETE /call/{id}` know; an order may give another kind of id."""
        shelf = self._sandbox.store.shelf(call.vapi_org, "call")
        if is_uuid(call.id) and shelf.get(call.id) is None:
            made_ms = self._sandbox.store.now_ms()
            shelf.put(build_call(call.id, call.vapi_org, call.assistant["id"], created_ms=made_ms))

    def _prepare(self, order: CallOrder) -> tuple[Conversation, list[ToolCall]] | Refused:
        assistant = self._find(order.assistant_id)
        if assistant is None:
            return Refused([f"Couldn't Get Assistant. `assistantId` {order.assistant_id} Does Not Exist."])
        version = self._version(assistant, order)
        if version is None:
            return Refused([f"Couldn't Get Assistant. `assistantVersion` {order.assistant_version} Does Not Exist."])
        document = from_json(version.body)
        tools = self._sandbox.store.shelf(assistant.vapi_org, "tool")
        box = toolbox(document, tools, self._sandbox.dials.same_name)
        if isinstance(box, Dangling):
            return Refused([box.problem])
        names = ", ".join(box) or "none"
        absent = [
            f"toolCalls.{place}.name: the assistant has no function tool {wanted.name!r} (it has: {names})"
            for place, wanted in enumerate(order.tool_calls)
            if wanted.name not in box
        ]
        if absent:
            return Refused(absent)
        call = Conversation(
            id=order.call_id or str(uuid4()),
            vapi_org=assistant.vapi_org,
            assistant=document,
            customer=order.customer,
            started_ms=self._sandbox.clock.wall_ms(),
        )
        return call, [
            ToolCall(
                id=wanted.id or f"call_{uuid4().hex[:24]}",
                name=wanted.name,
                arguments=merged_arguments(box[wanted.name].document, wanted.arguments),
                tool=box[wanted.name].document,
                origin=box[wanted.name].told(),
            )
            for wanted in order.tool_calls
        ]

    def _find(self, assistant_id: str) -> Resource | None:
        store = self._sandbox.store
        shelves = (store.shelf(vapi_org, "assistant") for vapi_org in store.vapi_orgs())
        return next((found for shelf in shelves if (found := shelf.get(assistant_id)) is not None), None)

    def _version(self, assistant: Resource, order: CallOrder) -> Resource | None:
        """Return the version that takes the call: the ordered one, else the split's for this caller, else the newest.

        A caller without a number cannot be known again: each of its calls is a new caller (our choice).
        """
        store = self._sandbox.store
        if order.assistant_version is not None:
            return store.shelf(assistant.vapi_org, "assistant").version(assistant.id, order.assistant_version)
        split = store.splits.latest(assistant.vapi_org, assistant.id)
        if split is None:
            return assistant
        number = order.customer.get("number")
        return split.version_for(number if isinstance(number, str) else order.call_id or str(uuid4())) or assistant

    async def _send(
        self, messenger: Messenger, call: Conversation, parcel: _Parcel, deliveries: int
    ) -> list[ToolCallReport]:
        body = webhook_body(call, parcel.calls, self._sandbox.dials.webhook, self._sandbox.clock.wall_ms())
        # In turn, not at once: a repeated webhook is one whose sender did not believe the first answer.
        made = [await messenger.deliver(parcel.server, body, call.vapi_org) for _ in range(deliveries)]
        judged = [_judge(delivery, parcel.calls) for delivery in made]
        return [
            ToolCallReport(tool_call, tuple(outcomes), server_url=parcel.server.url)
            for tool_call, outcomes in zip(parcel.calls, zip(*judged, strict=True), strict=True)
        ]

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        if self._transport is not None:  # its owner closes it
            yield httpx.AsyncClient(transport=self._transport, trust_env=False, timeout=TIMEOUT_SECONDS_MAX)
            return
        async with httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=TIMEOUT_SECONDS_MAX) as client:
            yield client


def _pack(call: Conversation, tool_calls: Sequence[ToolCall]) -> tuple[list[_Parcel], list[ToolCallReport]]:
    """Sort tool calls into webhooks, and find those that get none."""
    wanted = call.assistant.get("serverMessages")
    parcels: dict[tuple[Server, bool], _Parcel] = {}
    undelivered = []
    for tool_call in tool_calls:
        server = server_of(tool_call.tool, call.assistant)
        if isinstance(wanted, list) and "tool-calls" not in wanted:
            reason = "the assistant's serverMessages leave out tool-calls, so there is no webhook"
            undelivered.append(ToolCallReport(tool_call, undelivered=reason))
        elif server is None:
            reason = "neither the tool nor the assistant has a server.url, so there is no webhook"
            undelivered.append(ToolCallReport(tool_call, undelivered=reason))
        else:
            parcels.setdefault((server, tool_call.is_async), _Parcel(server, [])).calls.append(tool_call)
    return list(parcels.values()), undelivered


def _judge(delivery: Delivery, calls: Sequence[ToolCall]) -> list[Outcome]:
    statuses = tuple(attempt.status for attempt in delivery.attempts)
    answer = delivery.answer
    verdicts = [Verdict(None)] * len(calls) if answer is None else judge(answer.body, answer.content_type, calls)
    return [Outcome(statuses, v.said, (*delivery.problems, *v.problems)) for v in verdicts]


@cache
def _tls() -> ssl.SSLContext:
    """Load the trusted certificates once: a client that loads them itself costs more than the call."""
    return ssl.create_default_context()
