"""A clinic's own words reach its tool at Vapi, and no other clinic's; they outlive versions, and are told where not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from tests.support.eventually import eventually

from devstack.tokens import Signer
from tool_sync.domain import events as e
from tool_sync.intake.tool_settings import keep_texts
from tool_sync.publishing.custom_config import parts_of
from tool_sync.publishing.overlay import part_of
from tool_sync.publishing.tool_file import ToolFile
from tool_sync.queries.as_of import state_as_of
from tool_sync.queries.decisions import judge_decisions
from tool_sync.queries.explain_tool import explain_tool
from tool_sync.rollouts.command import Written
from tool_sync.rollouts.publish import published
from tool_sync.sync import texts
from tool_sync.sync.auto_sync.tools import rows_of_orgs, told_of

from ..tool_settings.desk import Desk, desk_over
from .limits import AT, BOOKING, tool
from .world import World

OPEN = ("description_suffix", "messages", "static_parameters.greeting")
SAYS = "Books an appointment."
SUFFIX = "Ask whether the caller was here before."
MESSAGES = [{"type": "request-start", "content": "Einen Moment, ich schaue nach."}]
WORDS = {"description_suffix": SUFFIX, "messages": MESSAGES, "static_parameters": {"greeting": "Moin"}}


def open_tool(description: str = SAYS, open_: tuple[str, ...] = OPEN) -> ToolFile:
    return replace(tool(description), static_parameters={"greeting": "Hello", "region": "eu"}, open=open_)


async def publish(world: World, description: str = SAYS, open_: tuple[str, ...] = OPEN) -> int:
    done = await world.decide(BOOKING, lambda fleet: published(fleet, open_tool(description, open_), AT))
    assert isinstance(done, Written), done
    assert isinstance(done.event, e.BlueprintPublished)
    return done.event.version


@pytest.fixture
async def desk(world: World, signer: Signer) -> AsyncIterator[Desk]:
    async with desk_over(world.pool, world.log, signer) as made:
        yield made


async def put(desk: Desk, org_id: UUID, config: Any, *, enabled: bool = True, status: int = 202) -> dict[str, Any]:
    """With the clinic's own token."""
    token = desk.signer.org_token(str(org_id))
    body = {"enabled": enabled} | ({} if config is None else {"custom_config": config})
    answer = await desk.ask("PUT", f"tools/{BOOKING}/settings", org_id=org_id, token=token, json=body)
    assert answer.status_code == status, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def shown(desk: Desk, org_id: UUID) -> dict[str, str]:
    """What the setting says of each part."""
    token = desk.signer.org_token(str(org_id))
    said = await desk.get(f"tools/{BOOKING}/settings", org_id=org_id, token=token)
    return {one["part"]: one["state"] for one in said["custom_state"]}


async def heard(world: World, org_id: UUID) -> tuple[str, list[Any], Any]:
    """What Vapi has of the clinic's tool: description, messages and greeting."""
    found = await world.tool_of(org_id)
    (greeting,) = [item["value"] for item in found["parameters"] if item["key"] == "greeting"]
    return found["function"]["description"], found.get("messages") or [], greeting


async def justified(world: World) -> None:
    found = await judge_decisions(world.connection, lambda _done, _total: None)
    assert (found.unjustified, found.findings) == (0, [])


async def test_words_reach_the_clinics_tool_by_one_call_and_no_other_clinics(world: World, desk: Desk) -> None:
    mine, other = await world.clinics(2)
    await world.complete(await publish(world))
    before = await world.tool_of(other)
    await world.begin()

    said = await put(desk, mine, WORDS)
    assert said["custom_config"] == WORDS
    assert await shown(desk, mine) == dict.fromkeys(OPEN, "in_use")
    await world.sync()

    assert await world.calls() == ["PATCH /tool/{id}"]
    assert await heard(world, mine) == (f"{SAYS}\n{SUFFIX}", MESSAGES, "Moin")
    assert await world.tool_of(other) == before
    started, updated = await world.events(mine, e.ToolUpdateStarted, e.ToolUpdated)
    assert started.overlay == updated.overlay
    assert [part.part for part in started.overlay] == sorted(OPEN)
    assert (started.cause, started.version_before) == ("setting", started.definition_version)
    await justified(world)

    assert await put(desk, mine, WORDS, status=200) == said  # the same again
    assert await put(desk, mine, None, status=200) == said  # nothing is said of the words: they stay
    texts = await world.connection.fetchval(
        "SELECT count(*) FROM events WHERE data::text LIKE '%Einen Moment%' OR data::text LIKE '%caller was here%'"
    )
    assert texts == 0


async def test_off_and_on_keeps_the_words_and_an_empty_config_takes_them_away(world: World, desk: Desk) -> None:
    (mine,) = await world.clinics(1)
    await world.complete(await publish(world))
    await put(desk, mine, WORDS)
    await world.sync()
    made = await world.tool_of(mine)
    await world.begin()
    await put(desk, mine, None, enabled=False)
    await world.sync()
    assert await world.linked(mine) == [set()]
    await put(desk, mine, None)
    await world.sync()
    assert await world.tool_of(mine) == made
    assert "PATCH /tool/{id}" not in await world.calls()

    await put(desk, mine, {})
    await world.sync()
    assert await heard(world, mine) == (SAYS, [], "Hello")
    assert await shown(desk, mine) == {}
    await justified(world)


async def test_a_rollout_keeps_the_words_and_a_roll_back_restores_exactly(world: World, desk: Desk) -> None:
    mine, other = await world.clinics(2)
    await world.complete(await publish(world))
    await put(desk, mine, WORDS)
    await world.sync()
    before = {org_id: await heard(world, org_id) for org_id in (mine, other)}
    await world.begin()

    rollout_id = await world.complete(await publish(world, "Books it now."))
    assert await world.calls() == ["PATCH /tool/{id}"] * 2  # and the read-back has found both as ordered
    assert await heard(world, mine) == (f"Books it now.\n{SUFFIX}", MESSAGES, "Moin")
    assert await heard(world, other) == ("Books it now.", [], "Hello")

    await world.begin()
    await world.command(rollout_id, "rollback")
    await world.rest()
    assert await world.calls() == ["PATCH /tool/{id}"] * 2
    assert {org_id: await heard(world, org_id) for org_id in (mine, other)} == before
    await justified(world)


async def test_a_version_that_closes_a_part_ignores_it_says_so_and_a_later_one_takes_it_again(
    world: World, desk: Desk
) -> None:
    (mine,) = await world.clinics(1)
    await world.complete(await publish(world))
    await put(desk, mine, WORDS)
    await world.sync()

    closing = await publish(world, "Books it now.", ("messages",))
    plan = await world.plan(closing)
    assert plan.document(None)["words_not_open"] == {"description_suffix": 1, "static_parameters.greeting": 1}
    await world.complete(closing)
    assert await heard(world, mine) == ("Books it now.", MESSAGES, "Hello")
    assert await shown(desk, mine) == {
        "description_suffix": "not_open",
        "messages": "in_use",
        "static_parameters.greeting": "not_open",
    }
    fleet = await world.fleet()
    why = await explain_tool(world.connection, await state_as_of(world.connection, mine, fleet), BOOKING)
    assert {one.part: one.state for one in why.custom} == await shown(desk, mine)

    await world.complete(await publish(world, "d" * 970))
    assert (await shown(desk, mine))["description_suffix"] == "too_long"
    assert (await heard(world, mine))[0] == "d" * 970

    await world.complete(await publish(world, "Books again."))
    assert await heard(world, mine) == (f"Books again.\n{SUFFIX}", MESSAGES, "Moin")
    await justified(world)


async def test_a_lost_update_is_judged_by_the_words_that_were_sent(world: World, desk: Desk) -> None:
    (mine,) = await world.clinics(1)
    await world.complete(await publish(world))
    await world.dials(rules=[{"route": "PATCH /tool/{id}", "times": 1, "action": {"kind": "reset", "commit": True}}])
    await put(desk, mine, WORDS)
    await world.begin()
    await world.sync()
    await put(desk, mine, WORDS | {"description_suffix": "Quite other words."})  # before anybody has looked
    (started,) = await world.events(mine, e.ToolUpdateStarted)

    async def answered() -> bool:
        await world.sync()
        return len(await world.events(mine, e.ToolUpdated)) == 2

    await eventually(answered, within_seconds=10)
    first, _ = await world.events(mine, e.ToolUpdated)
    assert (first.attempt_id, first.overlay) == (started.attempt_id, started.overlay)
    assert await world.calls() == ["PATCH /tool/{id}"] * 2
    assert (await heard(world, mine))[0] == f"{SAYS}\nQuite other words."
    await justified(world)


async def test_a_text_that_is_lost_costs_its_part_alone_until_it_is_set_again(world: World, desk: Desk) -> None:
    (mine,) = await world.clinics(1)
    await world.complete(await publish(world))
    await put(desk, mine, WORDS)
    await world.as_owner("DELETE FROM org_tool_texts WHERE text = to_jsonb($1::text)", SUFFIX)
    await world.sync()

    assert await heard(world, mine) == (SAYS, MESSAGES, "Moin")
    (lost,) = await world.events(mine, e.ToolTextLost)
    assert len(lost.hashes) == 1
    assert (await shown(desk, mine))["description_suffix"] == "lost"
    await put(desk, mine, WORDS)
    await world.sync()
    assert await heard(world, mine) == (f"{SAYS}\n{SUFFIX}", MESSAGES, "Moin")
    assert await shown(desk, mine) == dict.fromkeys(OPEN, "in_use")
    await justified(world)


async def test_words_that_are_set_again_while_a_run_misses_them_are_in_use(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mine,) = await world.clinics(1)
    await world.complete(await publish(world))
    await put(desk, mine, WORDS)
    await world.as_owner("DELETE FROM org_tool_texts")
    read = texts.read

    async def read_and_set_again(*asked: Any) -> Any:
        found = await read(*asked)
        monkeypatch.setattr(texts, "read", read)
        await put(desk, mine, WORDS)
        return found

    monkeypatch.setattr(texts, "read", read_and_set_again)
    await world.sync()
    await world.sync()
    assert await heard(world, mine) == (f"{SAYS}\n{SUFFIX}", MESSAGES, "Moin")
    assert await shown(desk, mine) == dict.fromkeys(OPEN, "in_use")
    assert len(await world.events(mine, e.ToolTextLost)) == 1  # by who had not heard of it
    await justified(world)


async def test_with_the_clinic_its_texts_go_and_come_back_with_nothing(world: World, desk: Desk) -> None:
    mine, other = await world.clinics(2)
    await world.complete(await publish(world))
    await put(desk, mine, WORDS)
    await put(desk, other, WORDS)
    await world.sync()
    owners = "SELECT array_agg(DISTINCT org_id) FROM org_tool_texts"
    assert set(await world.as_owner(owners)) == {mine, other}
    await world.say(mine, e.OrgClosed())
    assert await world.as_owner(owners) == [other]
    kept = "SELECT keep_tool_texts($1, ARRAY['h'], ARRAY['1'])"
    assert await world.as_owner(kept, mine) is False  # a text that comes too late is not stored
    assert await put(desk, mine, WORDS, status=409)
    assert await world.as_owner(owners) == [other]
    await world.sync()

    await world.say(mine, e.OrgRegistered("basic"))
    await world.save(mine, "agent-0")
    await world.sync()
    assert await heard(world, mine) == (SAYS, [], "Hello")
    assert await shown(desk, mine) == {}
    assert await heard(world, other) == (f"{SAYS}\n{SUFFIX}", MESSAGES, "Moin")
    await justified(world)


async def test_a_clinics_token_reads_no_other_clinics_texts(world: World, desk: Desk) -> None:
    mine, other = await world.clinics(2)
    await world.complete(await publish(world))
    await put(desk, other, WORDS)
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE tool_sync_tenant")
        await connection.execute("SELECT set_config('app.org_id', $1, true)", str(mine))
        assert await connection.fetchval("SELECT count(*) FROM org_tool_texts") == 0
    token = desk.signer.org_token(str(mine))
    foreign = await desk.ask("GET", f"tools/{BOOKING}/settings", org_id=other, token=token)
    assert foreign.status_code == 404
    platform = await desk.ask("GET", f"tools/{BOOKING}/settings", org_id=other, token=desk.signer.platform_token())
    assert platform.json()["custom_config"] == WORDS


async def test_bad_words_are_refused_with_every_reason_and_nothing_is_stored(world: World, desk: Desk) -> None:
    (mine,) = await world.clinics(1)
    await world.complete(await publish(world))
    config = {
        "description_suffix": "x" * 999,
        "messages": [{"type": "request-begin", "content": "a"}, {"type": "request-start", "content": "{{ name }}"}],
        "static_parameters": {"greeting": 7, "region": "us", "organization_id": str(mine)},
        "server": {"url": "https://elsewhere.example"},
        "voice": "x",
    }
    detail = (await put(desk, mine, config, enabled=True, status=422))["detail"]
    for words in (
        f"custom_config.description_suffix: does not fit behind the description; write text of 1 to {998 - len(SAYS)}",
        "custom_config.messages[0].type: is none that Vapi has",
        "custom_config.messages[1].content: holds {{",
        "custom_config.static_parameters.greeting: is no text",
        "custom_config.static_parameters.region: is not open",
        "custom_config.static_parameters.organization_id: belongs to the tool's identity",
        "custom_config.server: belongs to the tool's identity",
        "custom_config.voice: is not open to clinics",
    ):
        assert words in detail, (words, detail)
    wrongs: tuple[dict[str, Any], ...] = ({"description_suffix": " "}, {"messages": "hi"}, {"static_parameters": []})
    for wrong in wrongs:
        await put(desk, mine, wrong, status=422)
    assert await world.as_owner("SELECT count(*) FROM org_tool_texts") == 0
    assert await world.events(mine, e.ToolCustomized) == []


async def test_who_dies_between_text_and_event_has_changed_nothing(world: World, desk: Desk) -> None:
    (mine,) = await world.clinics(1)
    await world.complete(await publish(world))
    texts = {part_of(mine, part, text).hash: text for part, text in parts_of(WORDS).items()}
    assert await keep_texts(world.pool, mine, texts)
    await world.sync()
    assert await heard(world, mine) == (SAYS, [], "Hello")
    await put(desk, mine, WORDS)
    await world.sync()
    assert await heard(world, mine) == (f"{SAYS}\n{SUFFIX}", MESSAGES, "Moin")
    assert await world.as_owner("SELECT count(*) FROM org_tool_texts") == len(texts)


async def test_what_somebody_changes_at_vapi_is_put_right_to_the_clinics_words(world: World, desk: Desk) -> None:
    (mine,) = await world.clinics(1)
    await world.complete(await publish(world))
    await put(desk, mine, WORDS)
    await world.sync()
    (row,) = await rows_of_orgs(world.pool, [mine])
    assert told_of(world.context, row, await world.tool_of(mine)) is None  # the words are no drift
    made = await world.tool_of(mine)
    await world.http.patch(f"/tool/{made['id']}", json={"messages": []})
    seen = told_of(world.context, row, await world.tool_of(mine))
    assert isinstance(seen, e.ToolDriftSeen)
    assert seen.differs == ("messages",)
    await world.say(mine, seen)
    await world.sync()
    assert await heard(world, mine) == (f"{SAYS}\n{SUFFIX}", MESSAGES, "Moin")
