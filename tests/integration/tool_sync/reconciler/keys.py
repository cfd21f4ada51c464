"""A world whose reconcilers share a real key, and what its tests look at."""

import time
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from tool_sync.domain.plan.situation import Policy
from tool_sync.sync.context import Clock
from tool_sync.sync.loop import Reconciler
from tool_sync.vapi.rate_limit import KeyLimits, KeyTable, SharedKey
from tool_sync.vapi.rate_limit.tokens import Rate

from .world import World

LIMITS = KeyLimits(
    rate=None,
    probe_seconds=1.0,
    refused_seconds=0.6,
    breaker_failures=5,
    breaker_seconds_base=0.3,
    breaker_seconds_max=0.6,
    read_seconds=0.05,
    held_seconds=0.1,
)


def shared_key(world: World, *, name: str = "key-1", **limits: Any) -> SharedKey:
    """The key as one process has it."""
    return SharedKey(KeyTable(world.pool, name), replace(LIMITS, **limits), monotonic=time.monotonic)


def replica(world: World, *, name: str = "key-1", policy: Policy | None = None, **limits: Any) -> Reconciler:
    """A process that shares the key with all others of that name."""
    key = shared_key(world, name=name, **limits)
    short = replace(world.context.limits, read_retry_seconds=0.01)
    context = replace(world.context, key=key, clock=Clock(), policy=policy or world.context.policy, limits=short)
    return Reconciler(context)


def rate(per_minute: int, **fields: Any) -> Rate:
    """A rate whose minutes turn without a guard, unless told otherwise."""
    return Rate(
        **{
            "per_minute": per_minute, "batch": 20, "saves_share": 0.2, "late_seconds": 0.0, "early_seconds": 0.0,
            **fields,
        }
    )  # fmt: skip


async def saved_orgs(world: World, count: int) -> list[UUID]:
    """So many orgs with one save each."""
    assistant = await world.assistant()
    orgs = [uuid4() for _ in range(count)]
    for org in orgs:
        await world.save(org, assistant, f"agent-{org}")
    return orgs


async def calls(world: World) -> list[dict[str, Any]]:
    """Every request that the reconcilers made, in order: all but the test's own, which make assistants."""
    entries = (await world.http.get("/__sandbox/journal", params={"limit": 10_000})).json()["entries"]
    return [e for e in entries if (e["method"], e["path"]) != ("POST", "/assistant")]


def at(call: dict[str, Any]) -> datetime:
    """When a call arrived."""
    return datetime.fromisoformat(call["at"])
