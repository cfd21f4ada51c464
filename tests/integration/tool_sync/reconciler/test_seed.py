"""The first start publishes and orders what a log lacks; every other start leaves it as it is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain.events import BlueprintPublished, FleetEvent, RolloutCompleted, RolloutRolledBack, RolloutStarted
from tool_sync.log import EventLog, StoredEvent, UnknownEvent
from tool_sync.log.codec import Encoded
from tool_sync.log.projections import verify
from tool_sync.log.statement import EncodedRequest, execute
from tool_sync.sync.blueprint import EVERYBODY, OFFERED, Blueprint, definitions_with, seed
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT, BOOK_CLINIC_APPOINTMENT_V2, DEFINITIONS

from .. import ordering
from .world import HOOKS, INSTALLATION

BOOK = BOOK_CLINIC_APPOINTMENT.name
BLUEPRINT = Blueprint(DEFINITIONS, HOOKS, INSTALLATION, None, OFFERED)
FIRST_ONLY = replace(BLUEPRINT, definitions=definitions_with(1), offered=())


async def stored(log: EventLog) -> Sequence[StoredEvent]:
    """Everything in the log."""
    return (await log.read(0, 1000)).events


async def happened(log: EventLog) -> list[FleetEvent]:
    """What the log says of the booking tool."""
    events = [one.event for one in await stored(log)]
    return [event for event in events if isinstance(event, FleetEvent) and BOOK in str(event)]


async def shown(pool: db.Pool) -> dict[str, tuple[int, bool]]:
    """Of each tool, the version that a new clinic gets, and whether it gets it."""
    return {row["name"]: (row["version"], row["enabled"]) for row in await pool.fetch("SELECT * FROM system_tools")}


async def test_a_new_log_gets_each_tool_once_however_many_replicas_start(log: EventLog, pool: db.Pool) -> None:
    await asyncio.gather(*(seed(log, BLUEPRINT, "test") for _ in range(5)))
    published, started, completed = await happened(log)
    assert (published, started, completed) == (
        BLUEPRINT.published(BOOK_CLINIC_APPOINTMENT_V2),
        RolloutStarted(f"seed-{BOOK}", BOOK, 2, (EVERYBODY,), "the tool's first order", None, fleet_sequence=1),
        RolloutCompleted(f"seed-{BOOK}", BOOK, "seeded", fleet_sequence=2),
    )
    offered = {definition.name: (definition.version, False) for definition in OFFERED}
    assert await shown(pool) == {BOOK: (2, True), **offered}, "what is offered is published and ordered for nobody"
    before = await stored(log)
    await seed(log, BLUEPRINT, "test")
    assert await stored(log) == before


async def test_another_release_changes_nothing_of_a_tool_that_the_log_has(log: EventLog, pool: db.Pool) -> None:
    await seed(log, FIRST_ONLY, "first")
    before = await happened(log)
    await seed(log, BLUEPRINT, "second")
    assert await happened(log) == before
    assert (await shown(pool))[BOOK] == (1, True)


async def test_of_two_releases_that_start_at_once_the_first_to_publish_is_followed(
    log: EventLog, pool: db.Pool
) -> None:
    await asyncio.gather(seed(log, FIRST_ONLY, "first"), seed(log, BLUEPRINT, "second"))
    published, started, _ = await happened(log)
    assert isinstance(published, BlueprintPublished)
    assert isinstance(started, RolloutStarted)
    assert published.version == started.version
    assert (await shown(pool))[BOOK] == (published.version, True)


async def test_what_was_published_before_there_were_orders_is_ordered_as_it_was_published_last(
    log: EventLog, pool: db.Pool, tool_sync_db: DatabaseUrls
) -> None:
    """The newest by its place in the log: that is what every clinic was given."""
    of_before = [
        replace(BLUEPRINT.published(definition), contract=None)
        for definition in (BOOK_CLINIC_APPOINTMENT_V2, BOOK_CLINIC_APPOINTMENT)
    ]
    await ordering.say(log, *of_before)
    assert await shown(pool) == {BOOK: (1, False)}
    await seed(log, replace(BLUEPRINT, offered=()), "test")
    assert (await happened(log))[:2] == of_before
    assert await shown(pool) == {BOOK: (1, True)}
    assert (await verify(tool_sync_db.owner, "fleet_tools")).holds


async def test_what_was_published_without_a_document_is_published_with_it(log: EventLog, pool: db.Pool) -> None:
    await ordering.say(log, BlueprintPublished(BOOK, 1, "basic", True, "a" * 64))
    await seed(log, BLUEPRINT, "test")
    _, published, started, _ = await happened(log)
    assert published == BLUEPRINT.published(BOOK_CLINIC_APPOINTMENT_V2)
    assert isinstance(started, RolloutStarted)
    assert (started.version, (await shown(pool))[BOOK]) == (2, (2, True))


async def test_a_first_order_that_was_taken_back_is_not_made_again(log: EventLog, pool: db.Pool) -> None:
    await seed(log, BLUEPRINT, "test")
    await ordering.say(log, RolloutRolledBack(f"seed-{BOOK}", BOOK, "nobody is to have it"))
    await seed(log, BLUEPRINT, "test")
    assert (await shown(pool))[BOOK] == (2, False)


async def test_a_log_whose_orders_this_release_cannot_read_is_left_alone(log: EventLog, pool: db.Pool) -> None:
    unheard = Encoded("RolloutUnheardOf", 1, "{}")
    async with pool.acquire() as connection:
        await execute(connection, [EncodedRequest("rollout-r-1", None, None, "{}", (uuid4(),), (unheard,))])
    with pytest.raises(UnknownEvent, match="RolloutUnheardOf"):
        await seed(log, BLUEPRINT, "test")
    assert await pool.fetchval("SELECT count(*) FROM events") == 1
