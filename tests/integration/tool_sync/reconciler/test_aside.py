"""An org that cannot be worked on is left alone for a while, and stops nobody else."""

from typing import Any
from uuid import uuid4

import pytest

from tool_sync.sync.leases import Release
from tool_sync.sync.run import Run

from .world import World


async def test_an_org_whose_run_breaks_is_not_claimed_again_at_once_whatever_arrives(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = uuid4(), uuid4()
    assistant = await world.assistant()
    execute = Run.execute

    async def breaks(self: Any) -> Release:
        if self._claim.org_id == broken:
            raise RuntimeError("a bug of ours")
        return await execute(self)

    monkeypatch.setattr(Run, "execute", breaks)
    await world.save(broken, assistant)
    assert await world.reconciler.run_once()
    await world.reconciler.drain()
    await world.save(broken, assistant)
    await world.save(fine, await world.assistant(), "agent-2")
    await world.sync()
    assert not await world.reconciler.run_once(), "nothing is left to claim"
    assert len(await world.org_tools(fine)) == 1
    left_alone = await world.pool.fetchval("SELECT until > clock_timestamp() FROM leases WHERE org_id = $1", broken)
    assert left_alone
    await world.pool.execute("UPDATE leases SET until = now(), next_due = now() WHERE org_id = $1", broken)
    monkeypatch.setattr(Run, "execute", execute)
    await world.sync()
    assert len(await world.org_tools(broken)) == 1


async def test_a_run_whose_lease_was_gone_before_it_began_leaves_the_save_to_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = uuid4()
    await world.save(org, await world.assistant())
    monkeypatch.setattr(world.reconciler, "_holds", lambda _claim: lambda: False)
    assert await world.reconciler.run_once()
    await world.reconciler.drain()
    assert await world.outcomes(org) == []
    processed_position = await world.pool.fetchval("SELECT processed_position FROM leases WHERE org_id = $1", org)
    assert processed_position == 0, "nothing was looked at"
    monkeypatch.undo()
    await world.sync()
    assert len(await world.outcomes(org)) == 1


async def test_a_database_that_goes_away_inside_of_a_run_is_no_fault_of_ours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = uuid4()
    await world.save(org, await world.assistant())
    execute = Run.execute

    async def goes_away(self: Any) -> Release:
        raise ConnectionResetError("the database is away")

    monkeypatch.setattr(Run, "execute", goes_away)
    assert await world.reconciler.run_once()
    await world.reconciler.drain()
    monkeypatch.setattr(Run, "execute", execute)
    await world.until(lambda: world.outcomes(org), within_seconds=3)
