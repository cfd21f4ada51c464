"""A contract may leave the code when no clinic had it for 30 days: what a clinic has, had, or may get keeps it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tests.support.unfolded import unfolded

from tool_sync.cli import blueprint_contracts
from tool_sync.cli.blueprint_contracts import show_contract, show_contracts
from tool_sync.domain.events import AnsweredContract, BlueprintPublished, ToolUpdateStarted
from tool_sync.domain.fleet import Fleet
from tool_sync.log import fact
from tool_sync.publishing.contract_rules import ANSWERED_CONTRACTS
from tool_sync.publishing.tool_file import ToolFile
from tool_sync.queries import contract_use
from tool_sync.queries.contract_use import ContractsUsed, ContractUse, contracts_used
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.rollouts.command import Written
from tool_sync.rollouts.publish import published
from tool_sync.rollouts.unanswered import UnansweredContracts

from .context import stages
from .limits import AT, BOOKING, CANCELLING
from .world import World

DAYS = 30


async def publish_of(world: World, contract: int, description: str) -> int:
    """The number of a new version of the booking tool with this contract."""
    file = ToolFile(BOOKING, contract, description)
    done = await world.decide(BOOKING, lambda fleet: published(fleet, file, AT))
    assert isinstance(done, Written)
    assert isinstance(done.event, BlueprintPublished)
    return done.event.version


async def overwrite(world: World, statement: str) -> None:
    """Change what nobody may change, as a test of other times must."""
    await world.as_owner(f"DO $$ BEGIN SET session_replication_role = replica; {statement}; END $$")


async def age(world: World, days: float) -> None:
    """Everything in the log was recorded so many days earlier."""
    await overwrite(world, f"UPDATE events SET recorded_at = recorded_at - interval '{days} days'")  # noqa: S608


async def used(world: World) -> ContractsUsed:
    return await contracts_used(world.connection, DAYS)


async def use_of(world: World, contract: int, name: str = BOOKING) -> ContractUse | None:
    found = (await used(world)).of(name, contract)
    return found[0] if found else None


async def test_what_clinics_have_and_what_an_order_gives_keeps_a_contract(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    clinics = await world.clinics(3)
    use = await use_of(world, 2)
    assert use is not None
    assert (use.clinics, use.now, use.until, use.orders) == (3, 3, None, (f"seed-{BOOKING}",))
    assert set(use.org_ids) == set(clinics)
    assert await use_of(world, 1) is None
    assert await use_of(world, 2, CANCELLING) is None, "it is published, and nobody can get it"

    assert await show_contract(world.connection, BOOKING, 2, DAYS, as_json=False) == 1
    said = unfolded(capsys.readouterr().out)
    assert f"3 clinics have, rollout seed-{BOOKING} may give" in said
    assert f"contract 2 of {BOOKING} must stay in the code" in said
    assert await show_contract(world.connection, BOOKING, 1, DAYS, as_json=False) == 0
    said = unfolded(capsys.readouterr().out)
    assert "no clinic had contract 1 of bookClinicAppointment within 30 days, and no rollout gives it" in said
    assert "not looked at: Vapi itself" in said


async def test_a_contract_that_clinics_were_updated_away_from_stays_for_its_days(world: World) -> None:
    await world.clinics(2)
    await world.complete(await publish_of(world, 1, "As first specified."))
    await age(world, 40)
    await world.complete(await publish_of(world, 2, "Wait for its answer."))
    before = datetime.now(UTC)

    use = await use_of(world, 1)
    assert use is not None
    assert (use.clinics, use.now, use.orders) == (2, 0, ())
    assert use.until is not None
    assert abs(before - use.until) < timedelta(minutes=5)

    await age(world, DAYS - 1)
    assert await use_of(world, 1) is not None
    await age(world, 1.1)
    assert await use_of(world, 1) is None
    assert (await used(world)).since is None, "the log is older"


async def test_a_clinic_that_lost_the_tool_had_it_until_it_was_deleted(world: World) -> None:
    (clinic,) = await world.clinics(1)
    await world.complete(None)
    retired = await use_of(world, 2)
    assert retired is not None
    assert (retired.clinics, retired.now) == (1, 1), "it is at Vapi until the grace is over"
    assert retired.org_ids == (clinic,)
    await age(world, DAYS + 1)
    assert await use_of(world, 2) is not None, "and for as long as it is"


async def test_a_write_that_was_announced_may_have_landed(world: World) -> None:
    (clinic,) = await world.clinics(1)
    await publish_of(world, 1, "As first specified.")
    assert await use_of(world, 1) is None
    fleet: Fleet = await world.fleet()
    version = fleet.versions[BOOKING][3]
    started = ToolUpdateStarted(UUID(int=1), "platform", BOOKING, "t", 3, version.definition_hash, "r", fleet.position)
    await world.log.append(
        fact(f"toolset-{clinic}", clinic, started, source="/t", cause="c", actor="t", service_version="0")
    )
    use = await use_of(world, 1)
    assert use is not None
    assert (use.clinics, use.now) == (1, 0)


async def test_an_order_that_stands_keeps_the_contract_before_any_clinic_has_it(world: World) -> None:
    (clinic,) = await world.clinics(1)
    number = await publish_of(world, 1, "As first specified.")
    rollout = await world.start(number, stages([UUID(int=7), clinic]))
    use = await use_of(world, 1)
    assert use is not None
    assert (use.clinics, use.orders) == (0, (rollout,))
    await world.command(rollout, "abort")
    assert await use_of(world, 1) is None


async def test_a_definition_of_which_the_log_says_nothing_is_no_all_clear(world: World) -> None:
    await world.clinics(1)
    await overwrite(world, "UPDATE org_tools SET definition_hash = 'x', definition_version = 77")
    use = await use_of(world, 1)
    assert use is not None
    assert (use.contract, use.clinics) == (None, 1)
    assert await show_contract(world.connection, BOOKING, 1, DAYS, as_json=True) == 1


async def test_a_definition_from_before_documents_is_known_by_its_version(world: World) -> None:
    await world.clinics(1)
    await overwrite(world, "UPDATE org_tools SET definition_hash = 'x', definition_version = 1")
    use = await use_of(world, 1)
    assert use is not None
    assert (use.contract, use.clinics) == (1, 1)


async def test_a_release_that_lacks_a_contract_is_told_of_it_and_by_whom_it_is_needed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.clinics(2)
    assert await show_contracts(world.connection, DAYS, as_json=False) == 0
    assert "this release has every contract that clinics had within 30 days" in unfolded(capsys.readouterr().out)
    without = {key: value for key, value in ANSWERED_CONTRACTS.items() if key != (BOOKING, 2)}
    monkeypatch.setattr(blueprint_contracts, "ANSWERED_CONTRACTS", without)
    assert await show_contracts(world.connection, DAYS, as_json=False) == 1
    assert f"this release lacks contract 2 of {BOOKING}, which 2 clinics have" in unfolded(capsys.readouterr().out)
    assert await show_contracts(world.connection, DAYS, as_json=True) == 1


async def test_a_tool_that_nobody_published_is_a_wrong_question(world: World) -> None:
    with pytest.raises(UnknownTool):
        await show_contract(world.connection, "bookClinic", 1, DAYS, as_json=False)


@pytest.mark.parametrize("days", [1, 10, 1000])
async def test_the_first_of_the_days_is_found_whatever_the_logs_length(world: World, days: int) -> None:
    await world.clinics(1)
    bounds = await world.connection.fetchrow("SELECT min(position) AS low, max(position) AS high FROM events")
    await overwrite(world, "UPDATE events SET recorded_at = now() - make_interval(days => 20) WHERE position <= 7")
    at = datetime.now(UTC) - timedelta(days=days)
    assert bounds is not None
    found = await contract_use._first_after(world.connection, bounds["low"], bounds["high"], at)
    assert found == (1 if days == 1000 else 8)


async def test_a_contract_that_is_answered_no_more_is_noticed_and_told_once(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.clinics(2)
    look = UnansweredContracts(world.pool, world.log)
    await look.run_once()
    assert not look.found

    await world.answered(AnsweredContract(BOOKING, 1))
    await look.run_once()
    await look.run_once()
    assert [(one.tool, one.contract, one.clinics) for one in look.found] == [(BOOKING, 2, 2)]
    assert capsys.readouterr().out.count("A contract that clinics have is not answered") == 1
