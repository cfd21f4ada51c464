"""Orders wait for a clinic's change window, as due times: nothing is written, nothing fails, nobody else waits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tool_sync.domain.change_window import ChangeWindow, period
from tool_sync.domain.events import (
    AssistantSynced,
    ChangeWindowRemoved,
    ChangeWindowSet,
    OrgTierChanged,
    ToolDriftSeen,
    ToolOrdered,
    ToolRegistered,
    ToolRetired,
    ToolSettingChanged,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
)
from tool_sync.log import fact, toolset_stream
from tool_sync.queries.as_of import state_as_of
from tool_sync.queries.coverage import cannot_book, coverage_of
from tool_sync.queries.decisions import judge_decisions
from tool_sync.queries.explain_tool import explain_tool
from tool_sync.rollouts.publish import halted, resumed
from tool_sync.sync.context import Clock

from .context import stages
from .limits import BOOKING, CANCELLING
from .world import World

HOUR = timedelta(hours=1)


def hours(begin: int, end: int) -> tuple[str, str]:
    """A window, in UTC, from and to so many hours from now."""
    now = datetime.now(UTC)
    return f"{now + begin * HOUR:%H:%M}", f"{now + end * HOUR:%H:%M}"


CLOSED, OPEN = (6, 10), (-2, 4)


async def keep_to(world: World, when: tuple[int, int], *org_ids: UUID) -> None:
    """These clinics let orders come at these hours only."""
    for org_id in org_ids:
        await world.say(org_id, ChangeWindowSet(*hours(*when)))
    await world.sync()
    await world.begin()


async def later(world: World, by: timedelta) -> None:
    """So much time goes by for everybody: leases fall due by the database's clock, processes decide by their own."""
    clock, offset = world.context.clock, getattr(world.context.clock, "offset", timedelta()) + by
    vars(clock)["offset"] = offset
    vars(clock)["sync"] = lambda now: Clock.sync(clock, now + offset)
    clock.sync(datetime.now(UTC))
    await world.pool.execute("UPDATE leases SET next_due = now() WHERE next_due <= now() + $1::interval", offset)


async def next_due(world: World, org_id: UUID) -> datetime | None:
    found: datetime | None = await world.connection.fetchval("SELECT next_due FROM leases WHERE org_id = $1", org_id)
    return found


async def opening(world: World, org_id: UUID) -> datetime:
    state = (await state_as_of(world.connection, org_id, await world.fleet())).state
    assert state.window is not None
    days = (datetime.now(UTC).date() + timedelta(days=n) for n in range(-1, 2))
    return min(at for day in days if (at := period(state.window, state.time_zone, day)[0]) > datetime.now(UTC))


async def why(world: World, org_id: UUID, tool: str = BOOKING) -> Any:
    return await explain_tool(world.connection, await state_as_of(world.connection, org_id, await world.fleet()), tool)


async def test_an_update_in_place_waits_and_holds_nobody_up(world: World) -> None:
    first, second, third = await world.clinics(3)
    before = (await world.versions())[second]
    await keep_to(world, CLOSED, second)
    version = await world.publish("Says that it is looking.")
    rollout_id = await world.complete(version)

    assert await world.versions() == {first: version, second: before, third: version}
    assert await world.events(second) == []
    assert await world.settled()
    assert await next_due(world, second) == await opening(world, second)
    status = await world.status(rollout_id)
    assert (status.state, status.clinics) == ("completed", 2)
    assert status.windows == f"1 clinic waits for its window, opens {await opening(world, second):%Y-%m-%d %H:%M} UTC"
    told = await why(world, second)
    assert f"opens {await opening(world, second):%Y-%m-%d %H:%M} UTC" in told.rule
    assert told.outlook.at == await opening(world, second)
    assert (await coverage_of(world.connection)).percent == 100

    await world.begin()
    await later(world, 7 * HOUR)
    await world.sync()
    assert await world.calls() == ["PATCH /tool/{id}"]
    assert (await world.versions())[second] == version
    assert [type(one) for one in await world.events(second)] == [ToolUpdateStarted, ToolUpdated]
    await world.rest()
    assert (await world.status(rollout_id)).windows is None


async def test_whoever_was_down_at_the_opening_does_it_while_the_window_is_open_or_the_next_day(world: World) -> None:
    (org_id,) = await world.clinics(1)
    before = (await world.versions())[org_id]
    await keep_to(world, CLOSED, org_id)
    version = await world.publish("Says that it is looking.")
    await world.complete(version)
    await later(world, 11 * HOUR)  # open from 6 to 10
    await world.sync()
    await world.rest()
    assert (await world.versions())[org_id] == before
    await later(world, 22 * HOUR)  # 33 hours: open from 30 to 34
    await world.sync()
    assert (await world.versions())[org_id] == version


async def test_a_tool_to_get_waits_and_is_told_to_every_assistant_when_the_window_opens(world: World) -> None:
    first, second = await world.clinics(2, assistants=2)
    await keep_to(world, CLOSED, second)
    rollout_id = await world.complete(2, CANCELLING)
    assert await world.linked(second) == [{BOOKING}] * 2
    assert await world.linked(first) == [{BOOKING, CANCELLING}] * 2
    assert await world.events(second) == []
    told = await why(world, second, CANCELLING)
    assert not told.wanted
    assert told.outlook.at == await opening(world, second)

    await later(world, 7 * HOUR)
    await world.sync()
    assert await world.linked(second) == [{BOOKING, CANCELLING}] * 2
    assert await world.events(second, ToolOrdered) == [ToolOrdered(CANCELLING, rollout_id)]
    assert [one.cause for one in await world.events(second, AssistantSynced)] == ["rollout"] * 2


async def test_a_tool_to_lose_waits_whether_it_is_ordered_or_rolled_back(world: World) -> None:
    (org_id,) = await world.clinics(1, assistants=2)
    given = await world.complete(2, CANCELLING)
    await keep_to(world, CLOSED, org_id)
    await world.command(given, "rollback")
    await world.complete(None)
    assert await world.events(org_id) == []
    assert await world.linked(org_id) == [{BOOKING, CANCELLING}] * 2
    saved = await world.save(org_id, "another")
    await world.sync()
    assert saved
    assert (await world.linked(org_id))[-1] == {BOOKING, CANCELLING}, "it gets what the clinic has"

    await later(world, 7 * HOUR)
    await world.sync()
    assert await world.linked(org_id) == [set()] * 3
    assert {one.name for one in await world.events(org_id, ToolRetired)} == {BOOKING, CANCELLING}


async def test_a_roll_back_outside_of_the_window_changes_nothing_where_nothing_had_come(world: World) -> None:
    (org_id,) = await world.clinics(1)
    await keep_to(world, CLOSED, org_id)
    rollout_id = await world.complete(await world.publish("Says that it is looking."))
    await world.command(rollout_id, "rollback")
    await world.rest()
    await later(world, 7 * HOUR)
    await world.sync()
    assert await world.events(org_id) == []


async def test_a_clinic_in_its_window_gets_an_order_like_any_other(world: World) -> None:
    clinics = await world.clinics(2)
    await keep_to(world, OPEN, clinics[0])
    version = await world.publish("Says that it is looking.")
    await world.complete(version)
    await world.complete(2, CANCELLING)
    assert set((await world.versions()).values()) == {version}
    assert await world.linked(clinics[0]) == [{BOOKING, CANCELLING}]
    assert len(await world.events(clinics[0], ToolOrdered)) == 1


async def test_signups_and_saves_wait_for_nothing(world: World) -> None:
    await world.clinics(1)
    version = await world.publish("Says that it is looking.")
    await world.complete(version)
    await world.complete(2, CANCELLING)
    org_id = await world.clinic(assistants=0)
    await world.say(org_id, ChangeWindowSet(*hours(*CLOSED)))
    await world.sync()
    newer = await world.publish("Says it in other words.")
    await world.complete(newer)
    await world.save(org_id, "first")
    await world.sync()
    assert await world.linked(org_id) == [{BOOKING, CANCELLING}], "it had no tool at all: all that was ordered by then"
    assert (await world.versions())[org_id] == newer

    await world.complete(await world.publish("Says it in a third way."))
    await world.save(org_id, "second")
    await world.sync()
    assert (await world.versions())[org_id] == newer, "a new assistant gets what its clinic has"
    assert await world.linked(org_id) == [{BOOKING, CANCELLING}] * 2


async def test_a_clinic_without_any_tool_gets_its_first_at_once(world: World) -> None:
    seeded = (await world.fleet()).orders[BOOKING][0].rollout_id
    await world.command(seeded, "rollback")
    (org_id,) = await world.clinics(1)
    await keep_to(world, CLOSED, org_id)
    assert await world.linked(org_id) == [set()]
    await world.complete(2)
    assert await world.linked(org_id) == [{BOOKING}]


async def test_its_own_setting_and_a_halt_are_not_delayed_and_bring_back_what_it_had(world: World) -> None:
    (org_id,) = await world.clinics(1)
    before = (await world.versions())[org_id]
    await world.complete(2, CANCELLING)
    await keep_to(world, CLOSED, org_id)
    version = await world.publish("Says that it is looking.")
    await world.complete(version)
    for off, on in (
        (
            lambda: world.say(org_id, ToolSettingChanged(BOOKING, False)),
            lambda: world.say(org_id, ToolSettingChanged(BOOKING, True)),
        ),
        (
            lambda: world.decide(BOOKING, lambda fleet: halted(fleet, BOOKING, "wrong numbers")),
            lambda: world.decide(BOOKING, lambda fleet: resumed(fleet, BOOKING, "right again")),
        ),
    ):
        await off()
        await world.sync()
        await world.rest()
        assert await world.linked(org_id) == [{CANCELLING}]
        await on()
        await world.sync()
        await world.rest()
        assert await world.linked(org_id) == [{BOOKING, CANCELLING}]
        assert (await world.versions())[org_id] == before
    await later(world, 7 * HOUR)
    await world.sync()
    assert (await world.versions())[org_id] == version


async def test_a_tool_that_its_tier_brings_comes_at_once(world: World) -> None:
    (org_id,) = await world.clinics(1)
    version = await world.publish("Cancels for professionals.", CANCELLING, tier="professional")
    await world.complete(version, CANCELLING)
    await keep_to(world, CLOSED, org_id)
    await world.say(org_id, OrgTierChanged("professional"))
    await world.sync()
    assert await world.linked(org_id) == [{BOOKING, CANCELLING}]
    await world.say(org_id, OrgTierChanged("basic"))
    await world.sync()
    assert await world.linked(org_id) == [{BOOKING}]


async def test_what_somebody_deleted_or_changed_at_vapi_is_mended_as_the_clinic_has_it(world: World) -> None:
    (org_id,) = await world.clinics(1)
    await keep_to(world, CLOSED, org_id)
    await world.complete(await world.publish("Says that it is looking."))
    before = await world.tool_of(org_id)
    for gone in (False, True):
        tool_id = (await world.tool_of(org_id))["id"]
        if gone:
            await world.http.delete(f"/tool/{tool_id}")
        else:
            await world.http.patch(f"/tool/{tool_id}", json={"messages": [{"type": "request-start", "content": "Hm."}]})
        await world.say(org_id, ToolDriftSeen("platform", BOOKING, tool_id, gone))
        await world.sync()
        assert (await world.tool_of(org_id))["function"] == before["function"]
        assert not (await world.tool_of(org_id)).get("messages")
    assert [type(one) for one in await world.events(org_id, ToolUpdated, ToolVanished, ToolRegistered)] == [
        ToolUpdated, ToolVanished, ToolRegistered,
    ]  # fmt: skip
    assert await world.linked(org_id) == [{BOOKING}]


async def test_without_its_window_the_clinic_gets_at_once_what_waited(world: World) -> None:
    (org_id,) = await world.clinics(1)
    await keep_to(world, CLOSED, org_id)
    version = await world.publish("Says that it is looking.")
    await world.complete(version)
    await world.complete(2, CANCELLING)
    assert (await world.versions())[org_id] != version
    await world.say(org_id, ChangeWindowRemoved(None))
    await world.sync()
    assert (await world.versions())[org_id] == version
    assert await world.linked(org_id) == [{BOOKING, CANCELLING}]


async def test_a_stage_whose_clinics_all_wait_has_proved_nothing(world: World) -> None:
    first, second = await world.clinics(2)
    before = (await world.versions())[first]
    await keep_to(world, CLOSED, first)
    version = await world.publish("Says that it is looking.")
    rollout_id = await world.start(version, stages([first]))
    await world.rest()
    status = await world.status(rollout_id)
    assert (status.state, status.stage) == ("running", 1)
    assert status.waits is not None
    assert "it has reached nobody yet: 1 clinics wait for their window" in status.waits
    await world.command(rollout_id, "promote")
    await world.until(rollout_id, "completed")
    assert await world.versions() == {first: before, second: version}


async def test_a_plan_counts_them_with_what_they_get_and_says_that_they_wait(world: World) -> None:
    clinics = await world.clinics(3)
    await keep_to(world, CLOSED, clinics[0])
    planned = await world.plan(await world.publish("Says that it is looking."))
    assert planned.tally.clinics["update"] == 3
    assert planned.tally.windows_closed == 1


async def test_every_write_beside_a_window_is_justified_and_one_outside_of_it_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await world.clinics(2)
    await keep_to(world, CLOSED, first)
    rollout_id = await world.complete(await world.publish("Says that it is looking."))
    gone = (await world.tool_of(first))["id"]
    await world.http.delete(f"/tool/{gone}")
    await world.say(first, ToolDriftSeen("platform", BOOKING, gone, True))
    await world.sync()
    found = await judge_decisions(world.connection, lambda _done, _total: None)
    assert (found.unjustified, found.findings) == (0, [])

    # The clinic has had its window for less than the leeway.
    monkeypatch.setattr("tool_sync.queries.decided_clinics.STALE_MAX", timedelta())
    (done,) = await world.events(second, ToolUpdateStarted)
    version = await world.connection.fetchval(
        "SELECT max(version) FROM events WHERE stream = $1", toolset_stream(first)
    )
    forged = fact(
        toolset_stream(first), first, ToolUpdateStarted(
            uuid4(), done.account, BOOKING, "another", done.definition_version, done.definition_hash, rollout_id,
            done.fleet_position,
        ),
        source="/test", cause=str(uuid4()), actor="test", service_version="0",
    )  # fmt: skip

    await world.log.append(replace(forged, expected_version=version))
    found = await judge_decisions(world.connection, lambda _done, _total: None)
    assert found.unjustified == 1
    assert "window" in found.findings[0].what


async def test_a_clinic_whose_tool_is_to_come_when_it_opens_is_no_failure(world: World) -> None:
    (org_id,) = await world.clinics(1)
    await keep_to(world, CLOSED, org_id)
    await world.complete(2, CANCELLING)
    coverage = await coverage_of(world.connection)
    assert (coverage.assistants, coverage.equipped) == (1, 1)
    assert await cannot_book(world.connection, limit=10) == ()


@pytest.mark.parametrize("window", [ChangeWindow("22:00", "06:00")])
async def test_the_time_zone_of_the_clinic_counts(world: World, window: ChangeWindow) -> None:
    (org_id,) = await world.clinics(1)
    await world.say(org_id, OrgTierChanged("basic", "Asia/Kathmandu"), ChangeWindowSet(window.opens, window.closes))
    row = await world.connection.fetchrow("SELECT * FROM org_change_windows WHERE org_id = $1", org_id)
    assert row is not None
    assert (row["opens"], row["closes"], row["time_zone"]) == ("22:00", "06:00", "Asia/Kathmandu")
    await world.say(org_id, OrgTierChanged("basic"))
    state = (await state_as_of(world.connection, org_id, await world.fleet())).state
    assert (state.time_zone, state.window) == ("Asia/Kathmandu", window)


async def test_what_waited_comes_at_once_where_the_clinic_is_left_without_any_tool(world: World) -> None:
    (org_id,) = await world.clinics(1)
    await world.start(2, name=CANCELLING)
    await world.start(None)
    await world.feeder.run_once()  # both are told; before anything is done the window is closed
    await world.say(org_id, ChangeWindowSet(*hours(*CLOSED)))
    await world.sync()
    assert await world.linked(org_id) == [{CANCELLING}]  # it has nothing left that is not to be changed by day
