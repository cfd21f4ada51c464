"""Recovery, measured in one calm system with the leases and sessions that it is delivered with.

Calls of Vapi may take 5 s here and settle after 6, so that they can be in flight for as long as a second replica needs
to join.
"""

import asyncio
import signal
import time
from typing import Final

from tests.crash import flows
from tests.crash.campaign import judged
from tests.crash.cell import API, KEY, A, Agent, B, Cell, cell, connect, disconnect
from tests.crash.ground import Ground
from tests.crash.probes import (
    PATIENCE_SECONDS,
    REST_SECONDS,
    Measured,
    assistant_id,
    hang,
    journal,
    outcomes,
    published,
    rest,
    settled,
    stopped,
)  # fmt: skip
from tests.crash.rest import all_heard
from tests.faults.times import Times
from tests.support.eventually import eventually

from devstack.ports import HOST, listening

SETTLE_SECONDS: Final = 6.5
CALM: Final = Times(
    send_window=1,
    call_deadline=5,
    settle=SETTLE_SECONDS,
    list_lag=0.5,
    lease=5,
    api_lease=30,
    retry=0.5,
    grace=2,
    surplus_age=8,
)
AS_DELIVERED: Final = {
    "INTAKE_SESSION_SECONDS": "10",
    "INTAKE_HEARTBEAT_SECONDS": "2",
    "RELAY_IDLE_SESSION_SECONDS": "5",
    "RELAY_TOUCH_SECONDS": "1",
}
HANGING: Final = 6
BURST: Final = 150


async def measured(ground: Ground) -> Measured:
    """All runs, one after the other, in one cell; the checker judges it at the end."""
    done = Measured()
    async with cell(ground, "calm", CALM, **AS_DELIVERED) as made:
        try:
            await _all(made, done)
        except AssertionError as error:
            done.violations.append(f"calm: {error}")
        if under_way := await all_heard(made, REST_SECONDS):
            done.violations.append(f"calm: not at rest at the end: {under_way}")
        done.saves = int(await made.api_db.fetchval("SELECT count(*) FROM saves"))
        verdict = await judged(made)
        done.violations += [f"calm: {v.rule}: {v.story} {v.example}" for v in verdict.violations]
    return done


async def _all(made: Cell, done: Measured) -> None:
    agents = flows.new_agents(24)
    await flows.create(made, agents)
    await rest(made, done, agents)
    await _busy(made, done)
    await _killed(made, done, agents)
    await _terminated(made, done)
    await _without_postgres(made, done, agents)
    await _without_kafka(made, done, agents)


async def _busy(made: Cell, done: Measured) -> None:
    """A burst of saves, without any fault: the longest time for which an event loop was blocked."""
    agents = flows.new_agents(BURST)
    await flows.create(made, agents)
    await rest(made, done, agents)
    for name in (A, B, API):
        blocked = made.processes[name].blocked_seconds * 1000
        done.take(f"{name}: event loop blocked in a burst of {BURST} saves", blocked, 100, "ms")


async def _killed(made: Cell, done: Measured, agents: list[Agent]) -> None:
    """kill -9 of one of two replicas, with reads and writes in flight that are its own."""
    await stopped(made, B)
    reading, writing = flows.new_agents(HANGING), flows.new_agents(HANGING)
    await made.dial(
        rules=[
            hang("GET /assistant/{id}", HANGING, {}),
            *(hang("POST /tool", 1, {"body_contains": agent.org_id}) for agent in writing),
        ]
    )
    await flows.create(made, [*reading, *writing])

    async def in_flight() -> bool:
        heard = await journal(made)
        return sum(entry["rule"] is not None and not entry["finished"] for entry in heard) == 2 * HANGING

    await eventually(in_flight, within_seconds=PATIENCE_SECONDS)
    await made.start(B)
    await made.ready(B)
    assert await in_flight(), "the calls did not last until the second replica was ready"
    heard = len(await journal(made))
    killed, started = time.monotonic(), time.time()
    made.ledger.fault("kill -9 of a replica", A)
    await made.processes[A].kill()
    saving = asyncio.create_task(flows.update(made, agents))
    paths = {f"/assistant/{await assistant_id(made, agent)}" for agent in reading}

    async def looked_again() -> bool:
        return paths <= {entry["path"] for entry in (await journal(made))[heard:]}

    await eventually(looked_again, within_seconds=PATIENCE_SECONDS)
    done.take("kill -9: claimed work without a write in flight goes on", time.monotonic() - killed, 5)
    await saving
    saved_at, written_at = await asyncio.gather(settled(made, agents, started), settled(made, writing, 0))
    done.take("kill -9: saves on its partitions have their outcomes", saved_at - killed, 15)
    done.take("kill -9: orgs with a write in flight have their outcomes", written_at - killed, SETTLE_SECONDS + 5)
    await made.dial()
    await made.start(A)
    await made.ready(A)
    await rest(made, done, [*agents, *reading, *writing])


async def _terminated(made: Cell, done: Measured) -> None:
    """SIGTERM in the middle of work, of both services: it ends in time, and nothing is done again."""
    agents = flows.new_agents(24)
    delay = {"kind": "delay", "latency_ms": 250}
    await made.dial(rules=[{"route": route, "action": delay} for route in ("POST /tool", "GET /assistant/{id}")])
    heard = len(await journal(made))
    await flows.create(made, agents)

    async def at_work() -> bool:
        return any(entry["route"] == "POST /tool" for entry in (await journal(made))[heard:])

    await eventually(at_work, within_seconds=PATIENCE_SECONDS)
    for name in (A, API):
        process, asked = made.processes[name], time.monotonic()
        made.ledger.fault("SIGTERM", name)
        process.signal(signal.SIGTERM)
        await process.ended.wait()
        done.take(f"SIGTERM: {name} has stopped", time.monotonic() - asked, 5)
        if process.status != 0:
            done.violations.append(f"SIGTERM: {name} ended with status {process.status}")
    await asyncio.gather(made.start(A), made.start(API))
    await made.ready(A, API)
    await rest(made, done, agents)
    writes = [e for e in (await journal(made))[heard:] if e["method"] != "GET" and e["key"] == KEY]
    done.take("SIGTERM: writes to Vapi for each of the needed", len(writes) / (3 * len(agents)), 1, "")
    await made.dial()


async def _without_postgres(made: Cell, done: Measured, agents: list[Agent]) -> None:
    """kill -9 of PostgreSQL with saves under way; clients go on asking."""
    delay = {"kind": "delay", "latency_ms": 300}
    await made.dial(rules=[{"route": "GET /assistant/{id}", "action": delay}])
    await flows.sql(made, agents[:12])
    head = await outcomes(made)
    made.ledger.fault("kill -9 of PostgreSQL", "postgres")
    await made.ground.postgres.child.kill()
    await disconnect(made)
    saving = asyncio.create_task(flows.update(made, agents[12:]))
    await made.ground.restart_postgres()
    answered = time.monotonic()
    await connect(made)

    async def first_outcome() -> bool:
        return await outcomes(made) > head

    await eventually(first_outcome, within_seconds=PATIENCE_SECONDS)
    done.take("PostgreSQL kill -9: first outcome after it answers again", time.monotonic() - answered, 3)
    await saving
    await made.dial()
    await rest(made, done, agents)


async def _without_kafka(made: Cell, done: Measured, agents: list[Agent]) -> None:
    """kill -9 of the broker; saves go on meanwhile."""
    made.ledger.fault("kill -9 of the broker", "kafka")
    await made.ground.broker.child.kill()
    await flows.update(made, agents)
    before = await published(made)
    port = made.ground.broker.port
    starting = asyncio.create_task(made.ground.restart_broker())

    async def open_again() -> bool:
        return await listening(port, HOST)

    await eventually(open_again, within_seconds=PATIENCE_SECONDS)
    opened = time.monotonic()

    async def first_outcome() -> bool:
        return await published(made) > before

    await eventually(first_outcome, within_seconds=PATIENCE_SECONDS)
    done.take("broker kill -9: first outcome published after its port is open", time.monotonic() - opened, 10)
    await starting
    await rest(made, done, agents)
