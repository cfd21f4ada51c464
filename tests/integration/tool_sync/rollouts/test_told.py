"""What clinics are told of their tools while orders are carried out, and that `/changes` says the same."""

from collections import defaultdict
from dataclasses import replace
from typing import Any
from uuid import UUID

from tool_sync.domain.events import BlueprintPublished, ToolSettingChanged
from tool_sync.log.head import read_head
from tool_sync.outcomes.filters import Filter
from tool_sync.outcomes.pages import Published, read_page
from tool_sync.outcomes.published import FLEET, OUTCOMES, PublishedTopic
from tool_sync.queries.changes import ToolChange, changes_of
from tool_sync.rollouts.command import Written
from tool_sync.rollouts.publish import halted, published, resumed
from zerotouch_contracts.envelope import subject_of
from zerotouch_contracts.fleet import RolloutEnded, RolloutStarted, ToolChangeAnnounced, ToolRetired, ToolUpdated

from .context import stages
from .limits import AT, BOOKING, tool
from .world import World


async def said(world: World, topic: PublishedTopic = FLEET, org_id: UUID | None = None) -> list[Published]:
    """What is published on a topic since the world began, in the log's order."""
    head = await read_head(world.connection)
    page = await read_page(
        world.connection, after=world.since, head=head, wanted=Filter.of((), org_id, topic), limit=10_000
    )
    assert page.stopped_by is None
    return list(page.events)


async def messages(world: World, org_id: UUID | None = None) -> list[Any]:
    return [one.message for one in await said(world, org_id=org_id)]


async def with_note(world: World, description: str, note: str) -> int:
    """A version that its owner says something of."""
    file = replace(tool(description), note=note)
    done = await world.decide(BOOKING, lambda fleet: published(fleet, file, AT))
    assert isinstance(done, Written)
    assert isinstance(done.event, BlueprintPublished)
    return done.event.version


async def test_an_update_in_place_is_told_twice_to_each_clinic_and_in_no_outcome(world: World) -> None:
    clinics = await world.clinics(12)
    version = await with_note(world, "Says that it is looking.", "callers hear that it looks")
    rollout_id = await world.complete(version)
    for org_id in clinics:
        announced, updated = await messages(world, org_id)
        assert isinstance(announced, ToolChangeAnnounced)
        assert isinstance(updated, ToolUpdated)
        assert (announced.change_id, announced.sequence + 1) == (updated.change_id, updated.sequence)
        for message in (announced, updated):
            assert (message.tool, message.change, message.cause) == (BOOKING, "updated", "rollout")
            assert (message.version_before, message.version, message.rollout) == (version - 1, version, rollout_id)
            assert message.note == "callers hear that it looks"
    assert await said(world, OUTCOMES) == []
    started, ended = [m for m in await messages(world) if isinstance(m, RolloutStarted | RolloutEnded)]
    assert isinstance(started, RolloutStarted)
    assert isinstance(ended, RolloutEnded)
    assert (started.version, started.reason) == (version, "a test's")
    assert (ended.how, ended.cause) == ("completed", "gate")


async def test_a_clinics_first_tool_is_told_as_made_by_the_save_that_needs_it(world: World) -> None:
    org_id = await world.clinic()
    await world.sync()
    announced, made = [m for m in await messages(world, org_id) if m.tool == BOOKING]
    assert (type(announced), announced.vapi_tool_id) == (ToolChangeAnnounced, None)
    assert (type(made), made.change, made.version_before, made.cause) == (ToolUpdated, "registered", None, "save")
    assert [m.sequence for m in await messages(world, org_id)] == list(range(1, 1 + len(await messages(world, org_id))))


async def test_a_halt_takes_the_tool_and_its_end_gives_the_same_one_back(world: World) -> None:
    (org_id,) = await world.clinics(1)
    await world.decide(BOOKING, lambda fleet: halted(fleet, BOOKING, "books at night"))
    await world.rest()
    await world.decide(BOOKING, lambda fleet: resumed(fleet, BOOKING, "mended"))
    await world.rest()
    gone, again = await messages(world, org_id)
    assert (type(gone), gone.cause) == (ToolRetired, "halt")
    assert (type(again), again.change, again.cause) == (ToolUpdated, "reinstated", "rollout")
    assert again.vapi_tool_id == gone.vapi_tool_id


async def test_a_refused_update_is_announced_and_never_told_as_done(world: World) -> None:
    taken, refused = await world.clinics(2)
    await world.refuse(refused)
    await world.start(await world.publish("Says that it is looking."))
    await world.rest()
    assert [type(m) for m in await messages(world, taken)] == [ToolChangeAnnounced, ToolUpdated]
    assert [type(m) for m in await messages(world, refused)] == [ToolChangeAnnounced]


async def test_a_rollout_that_is_rolled_back_after_it_was_completed_ends_twice(world: World) -> None:
    (org_id,) = await world.clinics(1)
    version = await world.publish("Says that it is looking.")
    rollout_id = await world.complete(version)
    await world.command(rollout_id, "rollback")
    await world.rest()
    of_rollout = [m for m in await messages(world) if isinstance(m, RolloutStarted | RolloutEnded)]
    assert [(m.rollout_id, m.sequence) for m in of_rollout] == [(rollout_id, 1), (rollout_id, 2), (rollout_id, 3)]
    assert [m.how for m in of_rollout if isinstance(m, RolloutEnded)] == ["completed", "rolled_back"]
    assert [(m.version_before, m.version) for m in await messages(world, org_id) if isinstance(m, ToolUpdated)] == [
        (version - 1, version), (version, version - 1),
    ]  # fmt: skip


async def lived(world: World) -> list[UUID]:
    """Clinics with all that can become of a tool."""
    clinics = await world.clinics(4)
    await world.say(clinics[0], ToolSettingChanged(BOOKING, enabled=False, reason="we do it ourselves"))
    await world.sync()
    await world.start(await with_note(world, "Looks.", "it looks"), stages(tuple(clinics[:2])))
    await world.rest()
    await world.say(clinics[0], ToolSettingChanged(BOOKING, enabled=True))
    await world.sync()
    second = await world.complete(await world.publish("Says that it is looking."))
    await world.command(second, "rollback")
    await world.rest()
    await world.decide(BOOKING, lambda fleet: halted(fleet, BOOKING, "books at night"))
    await world.rest()
    return clinics


async def test_numbers_have_no_hole_per_clinic_and_per_rollout_whatever_became_of_tools(world: World) -> None:
    await lived(world)
    world.since = 0
    numbers: dict[str, list[int]] = defaultdict(list)
    for one in await said(world):
        numbers[subject_of(one.message)[1]].append(one.message.sequence)
    assert numbers
    assert all(mine == list(range(1, len(mine) + 1)) for mine in numbers.values())


_OF_TOPIC = ("registered", "updated", "reinstated", "retired")


def _as_change(one: Published) -> tuple[Any, ...]:
    message: Any = one.message
    kind = "retired" if isinstance(message, ToolRetired) else message.change
    note = getattr(message, "note", "") or None
    before = getattr(message, "version_before", None)
    return one.position, message.tool, kind, before, message.version, message.rollout, message.cause, note


def _as_told(change: ToolChange) -> tuple[Any, ...]:
    return (
        change.position, change.tool, change.kind, change.version_before, change.version, change.rollout, change.cause,
        change.note,
    )  # fmt: skip


async def test_the_list_of_changes_says_what_the_topic_says_in_its_words(world: World) -> None:
    clinics = await lived(world)
    world.since = 0
    seen = set()
    for org_id in clinics:
        told = [one for one in await said(world, org_id=org_id) if isinstance(one.message, ToolUpdated | ToolRetired)]
        listed = await changes_of(world.connection, org_id, before=2**62, limit=500)
        assert listed is not None
        changes = [change for change in reversed(listed.changes) if change.kind in _OF_TOPIC]
        assert [_as_told(change) for change in changes] == [_as_change(one) for one in told]
        seen |= {change.kind for change in changes}
    assert seen == set(_OF_TOPIC)


async def test_nothing_of_a_clinics_setting_but_its_effect_is_told(world: World) -> None:
    (org_id,) = await world.clinics(1)
    await world.say(org_id, ToolSettingChanged(BOOKING, enabled=False, reason="Dr Smith is ill"))
    await world.sync()
    (gone,) = await messages(world, org_id)
    assert (type(gone), gone.cause) == (ToolRetired, "setting")
    assert "Smith" not in gone.model_dump_json()
