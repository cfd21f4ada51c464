"""Nobody dies with a due time in its head: what an org still has to do is known to the table of leases."""

from datetime import datetime
from uuid import UUID, uuid4

from tool_sync.domain.events import DriftDetected
from tool_sync.log import Appended, AppendRequest, Meta, NewEvent, event_id, toolset_stream
from tool_sync.sync import leases
from tool_sync.sync.leases import Claim, Release

from .world import World


async def settled(world: World) -> UUID:
    """An org with an assistant that has its tools, and nothing left to do."""
    org = uuid4()
    await world.save(org, await world.assistant())
    await world.sync()
    assert await world.next_due(org) is None
    return org


async def claimed(world: World, lease_seconds: float) -> Claim:
    """The only org that is due, held by a process that does nothing with it."""
    ((claim,), _now) = await leases.claim(world.pool, 10, lease_seconds)
    return claim


async def written(world: World, org: UUID, token: UUID) -> Appended:
    """Something of the toolset stream that a worker wrote under this lease."""
    stream = toolset_stream(org)
    event = DriftDetected("front-desk", "assistant", "hash")
    new = NewEvent(event_id(stream, "/test", str(uuid4()), "DriftDetected", 0), event)
    answer = await world.log.append(
        AppendRequest(stream, org, None, (new,), Meta("cause", "cause", None, "test", "0"), lease_token=token)
    )
    assert isinstance(answer, Appended)
    return answer


async def test_an_org_whose_holder_dies_with_nothing_left_to_settle_is_due_when_the_lease_runs_out(
    world: World,
) -> None:
    org = uuid4()
    await world.save(org, await world.assistant())
    dead = await claimed(world, 0.3)
    await world.pool.execute(
        "UPDATE leases SET processed_position = 1000 WHERE org_id = $1", org
    )  # nothing new for anybody

    async def taken_over() -> bool:
        claims, _now = await leases.claim(world.pool, 10, 5)
        return [claim.org_id for claim in claims] == [org] and claims[0].token != dead.token

    await world.eventually(taken_over)


async def test_what_is_written_without_the_lease_makes_a_free_org_due_at_once(world: World) -> None:
    org = await settled(world)
    await written(world, org, uuid4())
    claims, _now = await leases.claim(world.pool, 10, 5)
    assert [claim.org_id for claim in claims] == [org]


async def test_a_holder_that_has_not_read_what_was_written_without_the_lease_leaves_the_org_due(world: World) -> None:
    org = await settled(world)
    await written(world, org, uuid4())
    holder = await claimed(world, 5)
    foreign = await written(world, org, uuid4())

    await leases.release(world.pool, [Release(holder, foreign.first_position - 1, None)])
    due = await world.next_due(org)
    assert due is not None
    assert due <= await world.now()

    again = await claimed(world, 5)
    await leases.release(world.pool, [Release(again, foreign.first_position, None)])
    assert await world.next_due(org) is None


async def due_after_writing(world: World, org: UUID, lease_seconds: float) -> datetime | None:
    """When the org is due once a holder with this lease has written something itself and given the org back."""
    before = await written(world, org, uuid4())
    holder = await claimed(world, lease_seconds)
    await written(world, org, holder.token)
    await leases.release(world.pool, [Release(holder, before.first_position, None)])
    return await world.next_due(org)


async def test_what_the_holder_writes_itself_makes_nothing_due(world: World) -> None:
    assert await due_after_writing(world, await settled(world), 5) is None


async def test_what_is_written_as_the_lease_runs_out_makes_the_org_due(world: World) -> None:
    """Its transaction may become visible only after the next holder has read the log."""
    due = await due_after_writing(world, await settled(world), 0.4)
    assert due is not None
    assert due <= await world.now()
