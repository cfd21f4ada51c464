"""A gate on calls: it opens for what was shown, waits for what was not, and pauses what is worse, once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tool_sync.domain.fleet.gate import Verdict
from tool_sync.rollouts import call_intake, gate_calls, gate_keeper
from tool_sync.rollouts.call_intake import CallIntake

from .calling import Calls, judged
from .limits import BOOKING, CANCELLING
from .world import World

SAYS = "Says that it is looking."


@pytest.fixture
def calls(world: World, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Both clocks are one here, and the gate looks at every turn."""
    monkeypatch.setattr(call_intake, "CLOCK_MARGIN", timedelta())
    monkeypatch.setattr(gate_keeper, "CALLS_SECONDS", 0.0)
    made = Calls(world, CallIntake(world.context, world.pool))
    world.gated = True
    world.feeder = made.feeder()
    return made


@pytest.fixture
async def begun(world: World, calls: Calls) -> tuple[str, list[UUID], int]:
    """A rollout whose first clinic has the version, and waits for calls; the clinics, and the version."""
    clinics = await world.clinics(3)
    version = await world.publish(SAYS)
    rollout_id = await world.start(version, judged(clinics[:1]))
    await world.rest()
    assert (await world.versions())[clinics[0]] == version
    return rollout_id, clinics, version


Begun = tuple[str, list[UUID], int]


async def test_without_calls_the_gate_waits_and_says_for_how_many(world: World, begun: Begun) -> None:
    rollout_id, _, version = begun
    status = await world.status(rollout_id)
    assert (status.state, status.stage) == ("running", 1)
    assert status.waits == (
        f"v{version}: 0 of 0 calls failed, v{version - 1}: 0 of 0: not enough yet (40 calls or 12 h)"
    )


async def test_enough_calls_that_work_open_it_and_the_event_has_the_numbers(
    world: World, calls: Calls, begun: Begun
) -> None:
    rollout_id, clinics, version = begun
    await calls.hear(clinics[1], version - 1, count=30)
    await calls.hear(clinics[2], version - 1, "invalid_arguments")
    await calls.hear(clinics[0], version, "taken", count=39)
    await world.rest()
    assert (await world.status(rollout_id)).waits == (
        f"v{version}: 0 of 39 calls failed, v{version - 1}: 1 of 31: not enough yet (40 calls or 12 h)"
    )
    await calls.hear(clinics[0], version, count=30)
    await world.until(rollout_id, "completed")
    opened = await calls.last("RolloutStageOpened")
    assert (opened["stage"], opened["cause"]) == (1, "gate")
    assert opened["evidence"] == {
        "calls": "not worse", "new_calls": 69, "new_failed": 0, "old_calls": 31, "old_failed": 1,
        "dry_run": "passed", "dry_runs": 2,
    }  # fmt: skip


async def test_a_version_that_is_worse_is_paused_by_tool_sync_with_the_numbers(
    world: World, calls: Calls, begun: Begun
) -> None:
    rollout_id, clinics, version = begun
    await calls.hear(clinics[1], version - 1, count=100)
    await calls.hear(clinics[0], version, "invalid_arguments", count=12)
    await world.until(rollout_id, "paused")
    paused = await calls.last("RolloutPaused")
    numbers = f"v{version}: 12 of 12 calls failed, v{version - 1}: 0 of 100: worse (sequential test, 5 %)"
    assert (paused["reason"], paused["evidence"]["calls"]) == (numbers, "worse")
    actor = "SELECT meta->>'actor' FROM events WHERE type = 'RolloutPaused'"
    assert await world.connection.fetchval(actor) == "tool-sync"
    assert set((await world.versions()).values()) == {version, version - 1}, "nobody else got it"


async def test_a_person_s_resume_counts_and_evidence_begins_anew(world: World, calls: Calls, begun: Begun) -> None:
    rollout_id, clinics, version = begun
    await calls.hear(clinics[1], version - 1, count=100)
    await calls.hear(clinics[0], version, "invalid_arguments", count=12)
    await world.until(rollout_id, "paused")
    await world.command(rollout_id, "resume")
    await world.rest()
    assert await calls.counted(rollout_id) == (0, 0, 0, 0)

    await calls.hear(clinics[1], version - 1, count=100)
    await calls.hear(clinics[0], version, "invalid_arguments", count=12)
    await world.rest()
    status = await world.status(rollout_id)
    assert (status.state, status.stage) == ("running", 1), "it is paused once in a stage, and shut all the same"
    assert status.waits is not None
    assert status.waits.endswith("worse; it was resumed all the same, so promote it or roll it back")

    await world.command(rollout_id, "promote")
    await world.until(rollout_id, "completed")
    assert len(await world.positions("RolloutPaused")) == 1


async def test_time_opens_it_on_thin_evidence_where_the_calls_were_read(
    world: World, calls: Calls, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout_id, clinics, version = begun
    await calls.hear(clinics[0], version, count=3)
    calls.behind_seconds = float("inf")
    later = world.context.clock.now() + timedelta(hours=12, seconds=1)
    monkeypatch.setattr(world.context.clock, "now", lambda: later)
    await world.rest()
    status = await world.status(rollout_id)
    assert status.waits is not None
    assert status.waits.endswith("not enough yet, and calls are not read to the end")

    calls.behind_seconds = 1.0
    await world.until(rollout_id, "completed")
    assert (await calls.last("RolloutStageOpened"))["evidence"]["calls"] == "thin"


# --- what counts, and what must not ---------------------------------------------------------------------------------


async def test_only_calls_of_the_version_by_its_clinics_and_of_others_by_the_others_count(
    world: World, calls: Calls, begun: Begun
) -> None:
    rollout_id, clinics, version = begun
    await calls.hear(clinics[0], version)
    await calls.hear(clinics[1], version - 1, "no_number")
    assert await calls.counted(rollout_id) == (1, 0, 1, 0)

    await calls.hear(clinics[0], version - 1, "invalid_arguments")  # had it until just now
    await calls.hear(clinics[1], version)  # of an order that does not hold it
    await calls.hear(uuid4(), version)  # nobody's
    await calls.hear(clinics[0], version, tool=CANCELLING)
    await calls.hear(clinics[0], version, tool="nobodysTool")
    await calls.hear(clinics[0], version, "insurance_missing")
    assert await calls.counted(rollout_id) == (1, 0, 1, 0)

    await calls.hear(clinics[0], None, "unknown_version")  # of what it has
    await calls.hear(clinics[1], None, "unknown_version")
    assert await calls.counted(rollout_id) == (2, 1, 2, 1)


async def test_calls_from_before_the_stage_and_of_the_future_count_for_nothing(
    world: World, calls: Calls, begun: Begun
) -> None:
    rollout_id, clinics, version = begun
    await calls.hear(clinics[0], version, count=60, at=calls.now(timedelta(hours=1)))
    await calls.hear(clinics[0], version, count=60, at=calls.now(timedelta(hours=-1)))
    assert await calls.counted(rollout_id) == (0, 0, 0, 0)


async def test_a_batch_again_a_message_again_and_the_whole_topic_again_count_once(
    world: World, calls: Calls, begun: Begun
) -> None:
    rollout_id, clinics, version = begun
    batch = [calls.call(clinics[0], version) for _ in range(3)]
    again = calls.call(clinics[0], version, message_id=UUID(dict(batch[0].headers)["ce_id"].decode()))
    await calls.intake.handle([*batch, again])
    await CallIntake(world.context, world.pool).handle(calls.records[::-1])
    assert await calls.counted(rollout_id) == (3, 0, 0, 0)


async def test_rows_go_with_their_gate(world: World, calls: Calls, begun: Begun) -> None:
    rollout_id, clinics, version = begun
    await calls.hear(clinics[0], version, count=5)
    await world.command(rollout_id, "rollback")
    await calls.hear(clinics[0], version)
    assert await world.connection.fetchval("SELECT count(*) FROM gate_calls") == 0


async def test_more_calls_than_are_kept_change_nothing(
    world: World, calls: Calls, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_calls, "CALLS_MAX", 4)
    rollout_id, clinics, version = begun
    for _ in range(3):
        await calls.hear(clinics[0], version, count=3)
        await calls.hear(clinics[1], version - 1)
    assert (await calls.counted(rollout_id))[0] < 9
    assert (await calls.counted(rollout_id))[2] == 3


# --- is a mistake in any of this found? -----------------------------------------------------------------------------


def _older_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(call_intake, "is_newer", lambda *_: True)


def _repeats_count(patch: pytest.MonkeyPatch) -> None:
    keep = gate_calls._KEEP.replace("u.id, u.is_new", "gen_random_uuid(), u.is_new", 1)
    patch.setattr(gate_calls, "_KEEP", keep)


def _strangers_count(patch: pytest.MonkeyPatch) -> None:
    def as_evidence(_fleet: Any, order: Any, call: Any, _clinics: Any) -> gate_calls.GateCall:
        message, _, message_id = call
        return gate_calls.GateCall(
            message_id, message.definition_version == order.version, message.code in call_intake.FAILED
        )

    patch.setattr(call_intake, "_as_evidence", as_evidence)


def _not_enough_is_good(patch: pytest.MonkeyPatch) -> None:
    from tool_sync.domain.fleet import gate

    compare = gate.compare

    def mutated(new: Any, old: Any) -> Verdict:
        verdict = compare(new, old)
        return "not worse" if verdict == "not enough" else verdict

    patch.setattr(gate, "compare", mutated)


def _calls_are_not_asked_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate_keeper, "asks_for_calls", lambda _order: False)


async def _tempted(world: World, calls: Calls, begun: Begun) -> bool:
    """Whether the gate opened for calls that show nothing."""
    rollout_id, clinics, version = begun
    await calls.hear(clinics[1], version - 1, count=100)
    await calls.hear(clinics[0], version, count=60, at=calls.now(timedelta(hours=1)))
    await calls.hear(uuid4(), version, count=60)
    again = uuid4()
    for _ in range(20):
        await calls.hear(clinics[0], version, count=3, message_id=again)
    await calls.hear(clinics[0], version, count=38)
    await calls.hear(clinics[0], version, "invalid_arguments", count=2)
    await world.rest()
    return (await world.status(rollout_id)).stage > 1


async def test_calls_that_show_nothing_open_no_gate(world: World, calls: Calls, begun: Begun) -> None:
    assert not await _tempted(world, calls, begun)
    assert await calls.counted(begun[0]) == (41, 2, 100, 0)


@pytest.mark.parametrize(
    "mutate",
    [_older_counts, _repeats_count, _strangers_count, _not_enough_is_good, _calls_are_not_asked_for],
)
async def test_each_mistake_would_open_it(
    world: World,
    calls: Calls,
    begun: Begun,
    monkeypatch: pytest.MonkeyPatch,
    mutate: Callable[[pytest.MonkeyPatch], None],
) -> None:
    mutate(monkeypatch)
    await _tempted(world, calls, begun)
    status = await world.status(begun[0])
    found = await calls.counted(begun[0])
    assert status.stage > 1 or found != (41, 2, 100, 0), f"{mutate.__name__}: nothing showed it"


async def test_the_tool_s_other_orders_are_named(world: World, calls: Calls) -> None:
    clinics = await world.clinics(2)
    rollout_id = await world.start(await world.publish("new", CANCELLING), judged(clinics[:1]), CANCELLING)
    await world.rest()
    status = await world.status(rollout_id)
    assert status.waits is not None
    assert status.waits.endswith("failed, 5% may: not enough yet (40 calls or 12 h)"), BOOKING
