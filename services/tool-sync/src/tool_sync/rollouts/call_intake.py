"""Calls of tools, as ``tool-calls.v1`` says them: each is counted for its clinic, and is evidence for a gate that asks.

    record ─► is it ours? ─► tool_call_counts, by clinic, day and result (intake/call_counts.py)
           ─► is it of a tool whose order waits for calls, since its stage opened, and not of the future?
           ─► who called: does the order give the clinic its version, or does another one?
           ─► gate_calls, by the message's id

Anything else is passed over: too little evidence keeps a gate shut, and gates are not asked while none waits. A batch
that comes again, a message that is published twice and a topic that is read from its beginning change nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from tool_sync.db import Pool
from tool_sync.domain.fleet import Fleet, Order, decide_tool
from tool_sync.domain.fleet.work import ClinicFacts
from tool_sync.intake.call_counts import CountedCall, count_calls
from tool_sync.rollouts import gate_calls
from tool_sync.rollouts.command import fleet_events
from tool_sync.rollouts.facts import facts_of
from tool_sync.rollouts.gate_calls import GateCall
from tool_sync.sync.context import Context
from zerotouch_contracts.envelope import SOURCE_ASSISTANT_API, Headers, UndecodableRecord, from_record
from zerotouch_contracts.events import ToolCallHandled
from zerotouch_platform.cooperative import ITEMS_AT_ONCE, yielding_every
from zerotouch_platform.kafka.consumer import Batch

CLOCK_MARGIN: Final = timedelta(seconds=5)
"""assistant-api's database stamps calls, and ours the stages: a call that may be older than its stage is not counted,
nor one of the future."""

WORKED: Final = frozenset(
    {"booked", "cancelled", "rescheduled", "taken", "closed", "in_the_past", "too_far_ahead", "not_a_slot",
     "no_such_time", "unknown_service", "no_number", "no_appointment"}
)  # fmt: skip
"""The handler did its work: a wish that cannot be granted is an answer, too."""
FAILED: Final = frozenset({"invalid_arguments", "unknown_version"})
"""The version is at fault: the model was asked for something else than the handler takes, or nobody knows it. Of codes
that this release does not know, nothing is counted."""

Said = tuple[ToolCallHandled, datetime, UUID]
"""A call, when it came, and its message's id."""

log = structlog.get_logger(__name__)


class CallIntake:
    """Handles batches of the topic, one at a time."""

    def __init__(self, context: Context, pool: Pool) -> None:
        self._context, self._pool = context, pool
        self._forgotten = 0

    async def handle(self, batch: Batch) -> None:
        """Count what counts. Raises what the database and the log raise; then the batch comes again."""
        said = [
            read
            async for record in yielding_every(ITEMS_AT_ONCE, batch)
            if (read := read_call(record.key, record.value, record.headers)) is not None
        ]
        counted = [
            CountedCall(message_id, at, message.org_id, message.code, message.assistant_id, message.tool)
            for message, at, message_id in said
        ]
        await count_calls(self._pool, counted)
        view = self._context.fleet
        fleet = view.take_in(await fleet_events(self._context.log, view.position))
        await self._forget(fleet)
        asking = asking_orders(fleet)
        if not asking:
            return
        found: dict[str, list[Said]] = {}
        now = self._context.clock.now()
        for call in said:
            message, at, _ = call
            order = asking.get(message.tool)
            if order is not None and message.code in WORKED | FAILED and is_newer(order, at, now):
                found.setdefault(order.tool, []).append(call)
        for tool, calls in found.items():
            await self._count(fleet, asking[tool], calls)

    async def _count(self, fleet: Fleet, order: Order, calls: Sequence[Said]) -> None:
        callers = {message.org_id for message, _, _ in calls}
        facts = await facts_of(self._pool, order.tool, callers, self._context.clock.now())
        clinics = {UUID(one.clinic.org_id): one for one in facts}
        counting = [kept for call in calls if (kept := _as_evidence(fleet, order, call, clinics)) is not None]
        if counting:
            await gate_calls.keep(self._pool, order.judged_position, counting)

    async def _forget(self, fleet: Fleet) -> None:
        """Rows of gates that are over. What a newer event opened, which this process has not read, is left alone."""
        if fleet.position == self._forgotten:
            return
        kept = [order.judged_position for name in fleet.names if (order := fleet.open_order(name)) is not None]
        await gate_calls.forget(self._pool, fleet.position, kept)
        self._forgotten = fleet.position


def asking_orders(fleet: Fleet) -> Mapping[str, Order]:
    """By tool, the orders whose newest open stage has a gate on calls."""
    orders = (fleet.open_order(name) for name in fleet.names)
    return {order.tool: order for order in orders if order is not None and asks_for_calls(order)}


def asks_for_calls(order: Order) -> bool:
    """Whether the gate of its newest open stage judges calls now."""
    if order.state != "running" or order.version is None or order.open_stage < 0:
        return False
    return order.stages[order.open_stage].gate_calls > 0


def is_newer(order: Order, at: datetime, now: datetime) -> bool:
    """Whether a call came since the order's gate began to look, as far as two clocks can tell."""
    return order.judged_from is not None and order.judged_from + CLOCK_MARGIN <= at <= now + CLOCK_MARGIN


def read_call(key: bytes | None, value: bytes | None, headers: Headers) -> Said | None:
    """A record as a call, when it came, and its message's id; None where it is not one of ours."""
    try:
        message, attributes = from_record(key, value, headers)
        message_id = UUID(attributes.id)
    except (UndecodableRecord, ValueError):
        return None
    if not isinstance(message, ToolCallHandled) or attributes.source != SOURCE_ASSISTANT_API:
        return None
    return message, attributes.time, message_id


def _as_evidence(fleet: Fleet, order: Order, call: Said, clinics: Mapping[UUID, ClinicFacts]) -> GateCall | None:
    """What a call says for or against the order's version; None where it says nothing of it.

    A call whose version nobody knows is of the version that the clinic has.
    """
    message, _, message_id = call
    facts = clinics.get(message.org_id)
    if facts is None or facts.clinic.closed:
        return None
    made = decide_tool(facts.clinic, fleet, order.tool)
    is_held = made.order is not None and made.order.rollout_id == order.rollout_id
    version = message.definition_version
    if version is None and facts.definition_hash is not None:
        known = fleet.hashes.get((order.tool, facts.definition_hash))
        version = None if known is None else known.version
    if version is None or is_held != (version == order.version):
        return None  # also a canary's own call of the version that it had until just now
    return GateCall(message_id, is_held, message.code in FAILED)
