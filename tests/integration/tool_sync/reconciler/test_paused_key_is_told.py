"""A key that Vapi refuses is seen where operators look, not in the log only: since when, why, who acts, what waits."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.queries.waiting import waiting
from tool_sync.vapi.rate_limit import PausedKey, paused_keys

from ..command import command, result
from .keys import replica, saved_orgs, shared_key
from .test_key_pauses import status, work
from .world import World


async def paused(world: World) -> tuple[PausedKey, ...]:
    async with world.pool.acquire() as connection:
        return await paused_keys(connection)


async def refuse(world: World, name: str = "key-1", code: str | None = "TS-201", answer: Any = "refused") -> None:
    await shared_key(world, name=name, refused_seconds=60).note(answer, datetime.now(UTC), 0.5, None, code)


async def start_with(world: World, name: str) -> None:
    await shared_key(world, name=name).open()


async def test_a_refused_key_is_named_with_what_waits_behind_it(world: World, tool_sync_db: DatabaseUrls) -> None:
    orgs = await saved_orgs(world, 3)
    await world.turn(rules=status(401))
    await work(world, replica(world, refused_seconds=60))

    (key,) = await paused(world)
    assert (key.fingerprint, key.reason, key.code, key.who_acts) == ("key-1", "refused", "TS-201", "platform operator")
    assert key.since is not None
    async with world.pool.acquire() as connection:
        behind = await waiting(connection)
    assert (behind.requests, behind.organizations) == (3, 3)
    first = min([(await world.history(org))[0].recorded_at for org in orgs])
    assert behind.oldest == first

    code, text, _ = await command("failures", "list", database_url=tool_sync_db.service)
    assert code == 0
    assert "VAPI KEY PAUSED since" in text
    assert "TS-201 Vapi key refused" in text
    assert "platform operator" in text
    assert "3 save(s) of 3 organization(s), the oldest since" in text
    _, text, _ = await command("failures", "list", "--json", database_url=tool_sync_db.service)
    (row,) = result(text)
    assert (row["org_id"], row["code"], row["account"]["waiting"]["requests"]) == (None, "TS-201", 3)


@pytest.mark.parametrize(("answer", "code"), [(401, "TS-201"), (402, "TS-202"), (403, "TS-201")])
async def test_what_vapi_answered_says_what_to_do_about_the_key(world: World, answer: int, code: str) -> None:
    await saved_orgs(world, 1)
    await world.turn(rules=status(answer))
    await work(world, replica(world, refused_seconds=60))
    assert [key.code for key in await paused(world)] == [code]


async def test_a_key_that_works_is_not_mentioned(world: World, tool_sync_db: DatabaseUrls) -> None:
    await saved_orgs(world, 1)
    await work(world, replica(world))
    assert await paused(world) == ()
    _, text, _ = await command("failures", "list", "--json", database_url=tool_sync_db.service)
    assert result(text) == []
    _, text, _ = await command("failures", "list", database_url=tool_sync_db.service)
    assert "no assistant's newest outcome is a failure; not looked at: who was never synced" in text


@pytest.mark.parametrize(
    ("answer", "code", "shown", "who"),
    [
        ("refused", "TS-202", "TS-202", "platform operator"),
        ("refused", None, "TS-201", "platform operator"),
        ("rate_limited", "TS-103", "TS-103", "nobody"),
        ("refused", "TS-777", "TS-777", "platform operator"),  # of a newer release
    ],
)
async def test_the_code_says_whether_the_key_or_the_bill_is_to_be_seen_to(
    world: World, answer: str, code: str | None, shown: str, who: str
) -> None:
    await refuse(world, code=code, answer=answer)
    (key,) = await paused(world)
    assert (key.code, key.who_acts) == (shown, who)


async def test_a_rate_limit_does_not_hide_that_the_key_was_refused(world: World) -> None:
    key = shared_key(world, refused_seconds=0)
    await key.note("refused", datetime.now(UTC), 0.5, None, "TS-202")
    since = (await paused(world))[0].since
    await shared_key(world).note("rate_limited", datetime.now(UTC), 0.5, None, "TS-103")
    (told,) = await paused(world)
    assert (told.code, told.since) == ("TS-202", since)


async def test_a_key_that_was_replaced_is_forgotten_and_one_still_in_use_is_not(world: World) -> None:
    await start_with(world, "old")
    await refuse(world, "old")
    await start_with(world, "new")
    assert [key.fingerprint for key in await paused(world)] == ["old"], "a process may still use it"
    await world.pool.execute("UPDATE vapi_keys SET paused_until = clock_timestamp() - interval '11 min'")
    assert await paused(world) == ()
    await start_with(world, "old")  # the operator went back to it
    assert [key.fingerprint for key in await paused(world)] == ["old"]
    await refuse(world, "new")
    assert {key.fingerprint for key in await paused(world)} == {"old", "new"}


async def test_a_key_on_trial_that_nobody_has_tried_since_is_still_told(world: World) -> None:
    await start_with(world, "key-1")
    await refuse(world)
    since = (await paused(world))[0].since
    await world.pool.execute("UPDATE vapi_keys SET paused_until = clock_timestamp() - interval '3 h'")
    (key,) = await paused(world)
    assert key.since == since


async def test_an_answer_ends_the_pause_and_what_was_told_of_it(world: World) -> None:
    orgs = await saved_orgs(world, 1)
    await world.turn(rules=status(402))
    await work(world, replica(world, refused_seconds=0.2))
    assert len(await paused(world)) == 1
    await world.turn(rules=[])

    async def lifted() -> bool:
        return await paused(world) == ()

    await world.until(lifted)
    row = await world.pool.fetchrow("SELECT paused_since, pause_reason, pause_code FROM vapi_keys WHERE key = 'key-1'")
    assert row is not None
    assert tuple(row) == (None, None, None)
    assert orgs


async def test_what_waits_is_counted_by_save_and_not_by_assistant(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    for _ in range(3):
        await world.save(org, assistant)
    async with world.pool.acquire() as connection:
        behind = await waiting(connection)
    assert (behind.requests, behind.organizations) == (3, 1)
    assert behind.oldest == (await world.history(org))[0].recorded_at
