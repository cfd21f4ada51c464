"""tool-sync, wrong in how it writes to Vapi. Each function breaks the process that it runs in, in one way."""

import dataclasses
import importlib
from contextlib import suppress
from datetime import timedelta
from typing import Any

from tests.checker.selftest.ports import port, put


def no_fence() -> None:
    """A write is announced only when it is over."""
    from tool_sync.sync.write_guard import WriteGuard
    from tool_sync.vapi.failures import VapiFailure

    original = port(WriteGuard, "send")

    async def send(self: Any, start: Any, subject: str, call: Any, *more: Any, **named: Any) -> Any:
        answer: Any = None
        failed: VapiFailure | None = None
        try:
            answer = await call()
        except VapiFailure as failure:
            failed = failure

        async def done() -> Any:
            if failed is not None:
                raise failed
            return answer

        return await original(self, start, subject, done, *more, **named)

    put(WriteGuard, "send", send)


def no_settle_time() -> None:
    """A lost answer is looked for at once, when it may still land."""
    from tool_sync.app import dependencies as parts

    original = port(parts, "policy_of")
    put(parts, "policy_of", lambda settings: dataclasses.replace(original(settings), settle=timedelta(0)))


def no_adoption() -> None:
    """A tool whose answer was lost is never found again."""
    from tool_sync.vapi.client import VapiClient

    async def nothing(self: Any, *_: Any) -> Any:
        return
        yield

    put(VapiClient, "tools_created_since", nothing)


def forks_without_looking() -> None:
    """What Vapi made after the backup is not looked for before a tool is made."""
    # The package gives its function of the same name, so the module is asked for by its path.
    register = importlib.import_module("tool_sync.sync.effects.register")

    async def nothing(*_: Any) -> None:
        """Nothing was lost."""

    put(register, "adopt", nothing)


def looks_in_its_own_time() -> None:
    """A lost creation is looked for by our clock, whatever Vapi's shows."""
    from tool_sync.sync.context import Context

    put(Context, "vapi_time_before", lambda _self, at: at)


def no_send_window() -> None:
    """What was announced is sent, however long ago that was and whoever holds the lease by now."""
    from tool_sync.sync.write_guard import WriteGuard

    original = port(WriteGuard, "send")

    async def send(self: Any, *more: Any, **named: Any) -> Any:
        limits = dataclasses.replace(self.context.limits, send_window_seconds=float("inf"))
        context = dataclasses.replace(self.context, limits=limits)
        return await original(dataclasses.replace(self, context=context, holds_lease=lambda: True), *more, **named)

    put(WriteGuard, "send", send)


def no_lease() -> None:
    """Every replica claims every org that is due."""
    from tool_sync.sync import leases
    from tool_sync.sync.loop import Reconciler

    condition = "(l.until IS NULL OR l.until <= clock_timestamp())"
    claim = leases.CLAIM.replace(condition, "true").replace("l.until IS NULL OR l.until <= clock_timestamp()", "true")
    assert claim != leases.CLAIM, "the claim has no such condition"
    put(leases, "CLAIM", claim)
    put(Reconciler, "_holds", lambda self, claim: lambda: True)


def blind_retry() -> None:
    """A POST is sent again after any failure, as Vapi's own SDK does."""
    from tool_sync.vapi.client import VapiClient
    from tool_sync.vapi.failures import VapiFailure

    original = port(VapiClient, "create_tool")

    async def create_tool(self: Any, payload: Any) -> Any:
        for _ in range(2):
            with suppress(VapiFailure):
                return await original(self, payload)
        return await original(self, payload)

    put(VapiClient, "create_tool", create_tool)


def list_limit_100() -> None:
    """Only Vapi's default page of a list is looked through."""
    from tool_sync.vapi.client import VapiClient

    original = port(VapiClient, "tools_created_since")

    async def first_page(self: Any, *arguments: Any) -> Any:
        seen = 0
        async for tool in original(self, *arguments):
            if (seen := seen + 1) > 100:
                return
            yield tool

    put(VapiClient, "tools_created_since", first_page)


def patch_known_fields_only() -> None:
    """An assistant's model is written back through a class that knows four of its fields."""
    from tool_sync.vapi.client import VapiClient

    original = port(VapiClient, "update_assistant")

    async def update_assistant(self: Any, assistant_id: str, changes: Any) -> Any:
        known = {name: changes["model"].get(name) for name in ("provider", "model", "messages", "toolIds")}
        return await original(self, assistant_id, {**changes, "model": known})

    put(VapiClient, "update_assistant", update_assistant)


def replace_tool_ids() -> None:
    """Linking writes our own tools instead of adding them."""
    from tool_sync.vapi.client import VapiClient

    create, update = port(VapiClient, "create_tool"), port(VapiClient, "update_assistant")
    own: set[str] = set()

    async def create_tool(self: Any, payload: Any) -> Any:
        answer = await create(self, payload)
        own.add(answer["id"])
        return answer

    async def update_assistant(self: Any, assistant_id: str, changes: Any) -> Any:
        model = changes["model"]
        only_own = [tool for tool in model["toolIds"] if tool in own]
        return await update(self, assistant_id, {**changes, "model": {**model, "toolIds": only_own}})

    put(VapiClient, "create_tool", create_tool)
    put(VapiClient, "update_assistant", update_assistant)


def cross_tenant_marker() -> None:
    """Every tool carries the marker of the first organization that got one."""
    from tool_sync.vapi.client import VapiClient

    original = port(VapiClient, "create_tool")
    first: list[str] = []

    async def create_tool(self: Any, payload: Any) -> Any:
        own = _marker(payload)["value"]
        first.append(own)
        answer = await original(self, {**payload, "parameters": _marked(payload, first[0])})
        return {**answer, "parameters": _marked(answer, own)}

    put(VapiClient, "create_tool", create_tool)


def _marker(tool: Any) -> Any:
    return next(item for item in tool["parameters"] if item["key"] == "organization_id")


def _marked(tool: Any, org: str) -> list[Any]:
    marker = _marker(tool)
    return [{**item, "value": org} if item is marker else item for item in tool["parameters"]]
