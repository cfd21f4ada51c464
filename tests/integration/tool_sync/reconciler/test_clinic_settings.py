"""A clinic's setting over HTTP, and what its callers meet: unlinked, and linked again by the same id."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from devstack.tokens import Signer
from tool_sync.domain.events import OrgRegistered, ToolReinstated, ToolRetired
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT

from ..tool_settings.desk import Desk, desk_over
from .test_deletion import CANCEL, worker
from .world import World

BOOK = BOOK_CLINIC_APPOINTMENT.name


@pytest.fixture
async def desk(world: World, signer: Signer) -> AsyncIterator[Desk]:
    """The desk of a clinic with one assistant, which has the booking tool."""
    world.reconciler = worker(world, grace=3600)
    await world.order(CANCEL)
    async with desk_over(world.pool, world.log, signer) as desk:
        await world.append(desk.org_id, OrgRegistered("basic"))
        await world.save(desk.org_id, await world.assistant())
        await world.sync()
        assert len(await linked(world)) == 1
        yield desk


async def linked(world: World) -> list[str]:
    """The tool ids on the one assistant, at Vapi."""
    (assistant,) = (await world.http.get("/assistant")).json()
    return list(assistant["model"].get("toolIds") or ())


async def kinds(desk: Desk) -> list[str]:
    """What the clinic's changes say, newest first."""
    return [change["kind"] for change in (await desk.get("changes"))["changes"]]


@pytest.mark.parametrize("back", ["PUT", "DELETE"])
async def test_off_unlinks_at_once_and_on_within_the_grace_links_the_same_id(
    world: World, desk: Desk, back: str
) -> None:
    (tool_id,) = await linked(world)
    assert (await desk.put(False, "closed for renovation")).status_code == 202
    await world.sync()
    assert await linked(world) == []
    (retired,) = await world.events(desk.org_id, ToolRetired)
    assert (retired.reason, retired.vapi_tool_id) == ("setting", tool_id)

    body: dict[str, Any] = {"json": {"enabled": True}} if back == "PUT" else {}
    assert (await desk.ask(back, f"tools/{BOOK}/settings", **body)).status_code == 202
    await world.sync()
    assert await linked(world) == [tool_id]
    assert len(await world.events(desk.org_id, ToolReinstated)) == 1
    assert len(await world.requests("POST", "/tool")) == 1
    assert await world.requests("DELETE", "/tool/{id}") == []
    undone = "switched_on" if back == "PUT" else "setting_removed"
    assert await kinds(desk) == ["reinstated", undone, "retired", "switched_off", "registered"]


async def test_a_setting_that_is_repeated_makes_no_work(world: World, desk: Desk) -> None:
    await desk.put(False)
    await world.sync()
    calls, events = len(await world.writes()), len(await world.history(desk.org_id))
    assert (await desk.put(False)).status_code == 200
    await world.sync()
    assert (len(await world.writes()), len(await world.history(desk.org_id))) == (calls, events)


async def test_on_by_a_setting_does_not_lift_a_tier(world: World, desk: Desk) -> None:
    """A setting takes a tool away; it gives none that the clinic's tier has not."""
    assert (await desk.put(True, tool=CANCEL.name)).status_code == 202
    await world.sync()
    assert len(await linked(world)) == 1
    why = await desk.get(f"tools/{CANCEL.name}/why")
    assert (why["wanted"], why["setting"]["enabled"]) == (False, True)
