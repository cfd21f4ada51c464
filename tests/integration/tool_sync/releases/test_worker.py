"""A worker that meets an event of a newer release leaves that org alone, says which event, and works for the others."""

from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from tool_sync.log.codec import Encoded
from tool_sync.log.statement import EncodedRequest

from ..reconciler.world import World
from ..reconciler.world import world as world  # the fixture
from .newer_release import META_TEXT, newer_release, stored, write


@pytest.mark.parametrize(
    ("type_name", "schema", "data"),
    [("Unheard", 1, "{}"), ("OrgTierChanged", 2, '{"level": "PROFESSIONAL"}')],
    ids=["unknown type", "newer schema"],
)
async def test_the_org_is_put_aside_and_the_others_go_on(world: World, type_name: str, schema: int, data: str) -> None:
    strange, plain = uuid4(), uuid4()
    await world.save(strange, await world.assistant(), "agent-1")
    await write(world.pool, stored(strange, type_name, schema, data))
    await world.save(plain, await world.assistant(), "agent-2")
    with capture_logs() as logged:
        await world.sync()
    assert len(await world.org_tools(plain)) == 1
    assert len(await world.outcomes(plain)) == 1
    assert await world.org_tools(strange) == []
    assert any(
        f"{type_name} schema {schema}" in str(entry) for entry in logged if entry["log_level"] in ("error", "critical")
    )
    aside = await world.pool.fetchval("SELECT until > clock_timestamp() FROM leases WHERE org_id = $1", strange)
    assert aside
    pending = await world.pool.fetchval(
        "SELECT bool_and(requested > settled) FROM pending_syncs WHERE org_id = $1 AND agent_id = 'agent-1'", strange
    )
    assert pending, "the save is still to be done"


async def test_the_newer_release_takes_the_org_up_and_its_save_gets_its_outcome(world: World) -> None:
    org = uuid4()
    await world.save(org, await world.assistant(), "agent-1")
    await write(world.pool, stored(org, "OrgTierChanged", 2, '{"level": "PROFESSIONAL"}'))
    await world.sync()
    assert await world.org_tools(org) == []
    await world.expire_leases()
    with newer_release():
        await world.sync()
        assert len(await world.outcomes(org)) == 1
        assert len(await world.org_tools(org)) == 1


async def test_an_order_that_this_release_cannot_read_stops_every_clinic_before_a_call(world: World) -> None:
    """What it says of a tool is not known: it may be that the tool is to go."""
    orgs = [uuid4(), uuid4()]
    for number, org in enumerate(orgs):
        await world.save(org, await world.assistant(), f"agent-{number}")
    unheard = Encoded("RolloutUnheardOf", 1, "{}")
    await write(world.pool, EncodedRequest("rollout-r-1", None, None, META_TEXT, (uuid4(),), (unheard,)))
    with capture_logs() as logged:
        await world.sync()
    assert await world.tools() == []
    assert [await world.outcomes(org) for org in orgs] == [[], []]
    assert any("RolloutUnheardOf schema 1" in str(entry) for entry in logged if entry["log_level"] != "info")
    aside = await world.pool.fetch("SELECT org_id FROM leases WHERE until > clock_timestamp()")
    assert {row["org_id"] for row in aside} == set(orgs)
