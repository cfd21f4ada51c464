"""Requests by SQL are shipped like files: what reaches clinics, what is refused, and what a death leaves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Final

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.domain.events import AnsweredContract
from tool_sync.log import AppendRejected, AppendResult, EventLog, LogUnavailable
from tool_sync.log.projections import verify
from tool_sync.publishing.addresses import Address
from tool_sync.publishing.tool_row import lint_row
from tool_sync.rollouts import command as commands
from tool_sync.rollouts import tool_requests, turns
from tool_sync.rollouts.taking import TakingRequests

from ..command import command, result
from .limits import BOOKING, CANCELLING
from .operators import DESCRIBE, INSERT, PUBLIC, Operator, at_terminal, grant, requests, taking
from .world import World

SET: Final = "UPDATE system_tools SET"
OF_BOOKING: Final = f"WHERE name = '{BOOKING}'"


@pytest.fixture
async def maria(world: World) -> AsyncIterator[Operator]:
    async with at_terminal(await grant(world, "maria")) as operator:
        yield operator


async def only(world: World) -> dict[str, Any]:
    """The one request there is."""
    (found,) = await requests(world)
    return found


async def test_an_update_reaches_every_clinic_and_the_row_shows_it(
    world: World, maria: Operator, tool_sync_db: DatabaseUrls
) -> None:
    clinics = await world.clinics(3)
    process = taking(world, own=(clinics[1],))
    assert await maria.types(DESCRIBE) == "UPDATE 1"
    assert await process.run_once()
    request = await only(world)
    assert (request["state"], request["version"], request["problems"]) == ("rolling out", 3, [])
    order = (await world.fleet()).order(request["rollout_id"])
    assert order is not None
    assert [stage.name for stage in order.stages] == ["own", "1 %", "all"]
    assert order.reason == f"UPDATE of system_tools by maria, request {request['id']}"

    await world.rest()
    assert await world.state(request["rollout_id"]) == "completed"
    assert await world.versions() == dict.fromkeys(clinics, 3)
    assert await world.calls() == ["PATCH /tool/{id}"] * 3
    assert (await world.tool_of(clinics[0]))["function"]["description"] == "Says that it is looking."
    shown = await maria.connection.fetchrow(f"SELECT version, enabled, schema FROM system_tools {OF_BOOKING}")  # noqa: S608
    assert shown is not None
    assert (shown["version"], shown["enabled"]) == (3, True)
    assert "Says that it is looking." in shown["schema"]
    assert (await verify(tool_sync_db.owner, "fleet_tools")).is_current
    assert not await process.run_once(), "nothing is left to do"


async def test_a_new_tool_of_another_service_reaches_every_clinic_with_all_that_its_row_says(
    world: World, maria: Operator
) -> None:
    clinics = await world.clinics(2)
    more = """7, '[{"type": "request-start", "content": "One moment."}]', '{"region": "eu"}')"""
    columns = INSERT.replace("webhook_url)", "webhook_url, timeout_seconds, messages, static_parameters)")
    columns = columns.replace("'https://a.example/x')", f"'https://a.example/x', {more}")
    assert await maria.types(columns) == "INSERT 0 1"
    process = taking(world)
    await process.run_once()
    await world.rest()
    assert await world.versions("sendDirections") == dict.fromkeys(clinics, 1)
    made = await world.tool_of(clinics[0], "sendDirections")
    assert (made["server"]["url"], made["server"]["timeoutSeconds"]) == ("https://a.example/x", 7)
    assert made["messages"][0]["content"] == "One moment."
    assert {"key": "region", "value": "eu"} in made["parameters"]

    assert await maria.types(f"{SET} webhook_url = 'https://b.example/x' WHERE name = 'sendDirections'") == "UPDATE 1"
    await process.run_once()
    await world.rest()
    moved = await world.tool_of(clinics[0], "sendDirections")
    assert moved["server"]["url"] == "https://b.example/x"
    assert moved["messages"] == made["messages"], "one column is changed, and the others stay"
    assert await world.versions("sendDirections") == dict.fromkeys(clinics, 2)


async def test_a_switch_takes_a_tool_from_every_clinic_and_gives_it_back(world: World, maria: Operator) -> None:
    (clinic,) = await world.clinics(1)
    process = taking(world)
    for value, linked in (("false", set()), ("true", {BOOKING})):
        await maria.types(f"{SET} enabled = {value} {OF_BOOKING}")
        await process.run_once()
        await world.rest()
        assert await world.linked(clinic) == [linked]
    assert [one["version"] for one in await requests(world)] == [None, 2]
    assert [one["state"] for one in await requests(world)] == ["rolling out"] * 2
    assert await world.positions("BlueprintPublished") == [1, 2, 3], "nothing was published"


async def test_what_is_off_is_published_and_given_to_nobody(world: World, maria: Operator) -> None:
    await world.clinics(1)
    await maria.types(f"{SET} timeout_seconds = 9 WHERE name = '{CANCELLING}'")
    await taking(world).run_once()
    request = await only(world)
    assert (request["state"], request["version"], request["rollout_id"]) == ("published", 3, None)
    assert request["ended_at"] is not None
    assert await world.positions("RolloutPlanned") == []
    await world.rest()
    assert await world.calls() == []


async def test_a_private_address_behind_a_name_is_refused_by_a_name_and_nothing_is_sent(
    world: World, maria: Operator
) -> None:
    await world.clinics(1)
    head = await world.pool.fetchval("SELECT max(position) FROM events")
    assert await maria.types(INSERT) == "INSERT 0 1"
    await taking(world, PUBLIC, ip_address("10.1.2.3")).run_once()
    request = await only(world)
    assert (request["state"], request["problems"]) == (
        "refused",
        ["webhook_url: leads to 10.1.2.3, which is private; write a host whose every address is public"],
    )
    await world.rest()
    assert await world.calls() == []
    assert await world.pool.fetchval("SELECT max(position) FROM events") == head
    assert await maria.types(INSERT) == "INSERT 0 1", "it may be asked again"


async def test_what_only_the_service_knows_is_refused_with_every_reason(world: World, maria: Operator) -> None:
    schema = (
        '{"description": "Books.", "parameters": {"type": "object", "properties": '
        '{"service": {"type": "string", "pattern": "("}}}}'
    )
    insert = f"INSERT INTO system_tools (name, contract, schema) VALUES ('bookClinicApointment', 7, '{schema}')"  # noqa: S608
    await maria.types(insert)
    await taking(world).run_once()
    said = (await only(world))["problems"]
    assert [problem.split(":")[0] for problem in said] == [
        "contract",
        "schema.parameters.properties.service.pattern",
    ]


async def test_a_version_that_cannot_be_ordered_is_published_and_says_so(world: World, maria: Operator) -> None:
    await world.clinics(1)
    await world.answered(AnsweredContract(BOOKING, 1))
    await maria.types(DESCRIBE)
    await taking(world).run_once()
    request = await only(world)
    assert (request["state"], request["version"]) == ("refused", 3)
    assert request["problems"] == [
        "version 3 is published, and no clinic gets it",
        f"version 3 of {BOOKING} has contract 2, which not every assistant-api answers",
    ]


async def test_what_the_newest_version_says_already_is_refused_and_says_how_to_order_it(
    world: World, maria: Operator
) -> None:
    await world.clinics(1)
    await world.publish("Says that it is looking.")
    await maria.types(DESCRIBE)
    await taking(world).run_once()
    (said,) = (await only(world))["problems"]
    assert said.startswith(f"version 3 of {BOOKING} says the same")


async def test_a_row_that_changed_before_the_commit_is_not_overwritten(world: World, maria: Operator) -> None:
    await world.clinics(1)
    async with maria.connection.transaction():
        await maria.types(DESCRIBE)
        await maria.types(INSERT)
        await world.complete(await world.publish("Somebody else's."))
    await taking(world).run_once()
    update, insert = await requests(world)
    assert update["problems"] == [
        f"{BOOKING} has changed since the statement was written: look at its row and write it again"
    ]
    assert insert["state"] == "rolling out"
    assert await world.positions("BlueprintPublished") == [*range(1, 4), *await published_after(world, 3)]


async def test_an_operator_in_an_old_snapshot_overwrites_nothing(world: World, maria: Operator) -> None:
    await world.clinics(1)
    process = taking(world)
    async with at_terminal(await grant(world, "jonas")) as jonas:
        async with maria.connection.transaction(isolation="repeatable_read"):
            await maria.types("SELECT FROM system_tools")
            await jonas.types(DESCRIBE)
            await process.run_once()
            assert await maria.types(f"{SET} tier = 'professional' {OF_BOOKING}") == "UPDATE 1"
        await process.run_once()
    first, second = await requests(world)
    assert second["problems"] == [
        f"rollout {first['rollout_id']} of {BOOKING} is running: complete, abort or roll it back first"
    ]
    assert len(await world.positions("BlueprintPublished")) == 4


async def published_after(world: World, position: int) -> list[int]:
    return [one for one in await world.positions("BlueprintPublished") if one > position]


async def test_what_waited_for_too_long_is_refused(world: World, maria: Operator) -> None:
    await maria.types(DESCRIBE)
    await world.as_owner("UPDATE tool_requests SET at = at - $1::interval", timedelta(hours=2))
    await taking(world).run_once()
    assert (await only(world))["problems"] == ["it waited for more than an hour: write it again"]
    assert len(await world.positions("BlueprintPublished")) == 3


async def test_a_fault_of_ours_in_one_request_stops_no_other_and_ends_in_time(
    world: World, maria: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.clinics(1)
    await maria.types(INSERT)
    await maria.types(DESCRIBE)

    async def faulty(row: Any, *arguments: Any, **more: Any) -> Any:
        if row["name"] == "sendDirections":
            raise ZeroDivisionError
        return await lint_row(row, *arguments, **more)

    monkeypatch.setattr("tool_sync.rollouts.taking.lint_row", faulty)
    process = taking(world)
    with pytest.raises(ZeroDivisionError):
        await process.run_once()
    assert [one["state"] for one in await requests(world)] == ["requested", "rolling out"]
    older = "UPDATE tool_requests SET at = at - interval '2 hours', state = 'checked' WHERE ended_at IS NULL"
    await world.as_owner(older)

    async def published(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(commands, "write_once", published)
    with pytest.raises(ZeroDivisionError):
        await process.run_once()
    assert (await requests(world))[0]["problems"] == ["it could not be done for an hour: ZeroDivisionError"]


class Dying:
    """A log whose process dies at its ``at``-th append: before it, or after it is stored."""

    def __init__(self, log: EventLog, at: int, *, after: bool) -> None:
        self._log, self._left, self._after = log, at, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, request: Any) -> AppendResult:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise LogUnavailable("dies", 0, "before")
        done = await self._log.append(request)
        if self._left == 0:
            raise LogUnavailable("dies", 0, "after")
        return done


async def require_shipped_once(world: World) -> None:
    request = await only(world)
    assert (request["state"], request["version"]) == ("rolling out", 3)
    for kind, number in (("BlueprintPublished", 4), ("RolloutPlanned", 1)):
        assert len(await world.positions(kind)) == number, kind
    started = await world.pool.fetch("SELECT data FROM events WHERE type = 'RolloutStarted' AND stream LIKE '%sql%'")
    assert len(started) == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_process_that_dies_at_an_append_leaves_what_the_next_one_finishes(
    world: World, maria: Operator, at: int, after: bool
) -> None:
    await world.clinics(1)
    await maria.types(DESCRIBE)
    with pytest.raises(LogUnavailable):
        await taking(world, log=Dying(world.log, at, after=after)).run_once()
    await world.free_turns()
    await taking(world).run_once()
    await require_shipped_once(world)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", ["mark_checked", "mark_published", "mark_rolling_out"])
async def test_a_process_that_dies_between_two_states_leaves_what_the_next_one_finishes(
    world: World, maria: Operator, monkeypatch: pytest.MonkeyPatch, at: str, after: bool
) -> None:
    await world.clinics(1)
    await maria.types(DESCRIBE)
    mark: Callable[..., Awaitable[Any]] = getattr(tool_requests, at)

    async def dies(*arguments: Any) -> None:
        if after:
            await mark(*arguments)
        raise OSError("dies")

    with monkeypatch.context() as patched:
        patched.setattr(tool_requests, at, dies)
        with pytest.raises(OSError, match="dies"):
            await taking(world).run_once()
    await world.free_turns()
    await taking(world).run_once()
    await require_shipped_once(world)


async def test_processes_that_all_take_it_for_their_turn_ship_it_once(
    world: World, maria: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.clinics(1)
    await maria.types(DESCRIBE)

    async def always(*_: Any) -> bool:
        return True

    monkeypatch.setattr(turns, "take", always)
    await asyncio.gather(*(taking(world).run_once() for _ in range(4)))
    await require_shipped_once(world)


async def test_a_process_that_slept_while_another_refused_it_writes_nothing(world: World, maria: Operator) -> None:
    await world.clinics(1)
    await maria.types(INSERT)
    asked, wake = asyncio.Event(), asyncio.Event()

    async def sleeps(_host: str) -> tuple[Address, ...]:
        asked.set()
        await wake.wait()
        return (PUBLIC,)

    sleeper: TakingRequests = taking(world)
    sleeper._resolve = sleeps
    sleeping = asyncio.create_task(sleeper.run_once())
    await asked.wait()
    await world.free_turns()
    await taking(world, ip_address("10.0.0.1")).run_once()
    wake.set()
    await sleeping
    assert (await only(world))["state"] == "refused"
    assert len(await world.positions("BlueprintPublished")) == 3


async def test_a_process_that_slept_while_another_found_it_right_refuses_nothing(world: World, maria: Operator) -> None:
    await world.clinics(1)
    await maria.types(INSERT)
    asked, wake = asyncio.Event(), asyncio.Event()

    async def sleeps(_host: str) -> tuple[Address, ...]:
        asked.set()
        await wake.wait()
        return (ip_address("10.0.0.1"),)

    sleeper: TakingRequests = taking(world)
    sleeper._resolve = sleeps
    sleeping = asyncio.create_task(sleeper.run_once())
    await asked.wait()
    await world.free_turns()
    await taking(world).run_once()
    wake.set()
    await sleeping
    request = await only(world)
    assert (request["state"], request["problems"]) == ("rolling out", [])


async def test_while_the_log_may_have_been_set_back_nothing_is_taken(world: World, maria: Operator) -> None:
    await maria.types(DESCRIBE)
    process = taking(world)
    process._suspended = lambda: True
    assert not await process.run_once()
    assert (await only(world))["state"] == "requested"


async def test_a_process_that_loses_its_turn_orders_nothing_in_the_place_of_what_was_asked(
    world: World, maria: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.clinics(1)
    await maria.types(DESCRIBE)
    turn, lost = turns.take, iter((True, True, False))

    async def take(*_: Any) -> bool:
        return next(lost, True)

    with monkeypatch.context() as patched:
        patched.setattr(turns, "take", take)
        await taking(world).run_once()
    assert (await only(world))["state"] == "checked"
    assert await world.positions("RolloutPlanned") == []
    assert turns.take is turn
    await taking(world).run_once()
    await require_shipped_once(world)


async def test_one_process_takes_requests_at_a_time(world: World, maria: Operator) -> None:
    await world.clinics(1)
    first, second = taking(world), taking(world)
    await maria.types(DESCRIBE)
    assert await first.run_once()
    await maria.types(INSERT)
    assert not await second.run_once(), "it is not its turn"
    assert await first.run_once()


async def test_what_the_log_cannot_hold_is_refused_and_not_tried_for_ever(
    world: World, maria: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await maria.types(DESCRIBE)

    async def too_large(*_: Any, **__: Any) -> Any:
        raise AppendRejected("blueprint-x", "23514", "too large")

    monkeypatch.setattr(world.log, "append", too_large)
    await taking(world).run_once()
    assert (await only(world))["problems"] == ["it is too large for the log, which keeps it for ever: too large"]


async def test_requests_are_listed_with_what_became_of_them(world: World, maria: Operator) -> None:
    await world.clinics(1)
    await maria.types(DESCRIBE)
    await maria.types(INSERT)
    await taking(world, ip_address("10.0.0.1")).run_once()
    status, stdout, stderr = await command("blueprint", "requests", database_url=world.url)
    assert (status, stderr) == (0, "")
    lines = stdout.splitlines()
    assert lines[0] == "2 sendDirections refused"
    assert lines[2].startswith("  - webhook_url: leads to 10.0.0.1, which is private")
    assert lines[3] == "      address is public"
    assert lines[4] == f"1 {BOOKING} rolling out"
    assert lines[5].startswith("  asked: UPDATE by maria, 20")
    assert lines[6] == "  version: 3"
    assert lines[7].startswith("  rollout: sql-1-")
    assert lines[7].endswith(", running")
    assert lines[-1] == "2 request(s)"
    as_json = result((await command("blueprint", "requests", "--json", database_url=world.url))[1])
    assert [(one["request"], one["state"]) for one in as_json] == [(2, "refused"), (1, "rolling out")]
