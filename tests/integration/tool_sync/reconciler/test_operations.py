"""What operators do in bulk: try failures again, and take dead letters in again."""

from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

from tool_sync.admin.dead_letters import REPLAYED, replay_letters
from tool_sync.admin.failures import retry_failures
from tool_sync.admin.retries import ALL_ASKED, Retrying, begin_retry, read_retry
from tool_sync.domain.events import (
    AssistantSynced,
    AssistantSyncFailed,
    RequestUnreadable,
    RetryRequested,
    SyncRequested,
)
from tool_sync.queries.dead_letters import list_letters, read_letter
from tool_sync.queries.failures import Which, count_failures, list_failures
from tool_sync.queries.retries import retry_progress
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.envelope import Record, to_record
from zerotouch_contracts.events import AssistantSaved

from .world import World

INSERT = """
INSERT INTO dead_letters (topic, partition, "offset", key, headers, value, reason, org_id)
VALUES ('assistants.v1', 0, $1, $2, $3, $4, 'an older release could not read it', $5)
"""


async def failures_of(world: World, org_id: UUID, code: str | None = None) -> list[str]:
    async with world.pool.acquire() as connection:
        found = await list_failures(connection, org_id=org_id, code=code, since=None, limit=100)
    return [one.agent_id for one in found]


async def test_a_refused_assistant_is_tried_again_when_an_operator_asks(world: World) -> None:
    org = uuid4()
    assistant = await world.assistant()
    await world.http.patch(f"/assistant/{assistant['id']}", json={"model": None})
    await world.save(org, {**assistant, "model": None})
    fine = await world.assistant()
    await world.save(org, fine, "agent-2")
    await world.sync()
    assert [o.code for o in await world.events(org, AssistantSyncFailed)] == ["TS-304"]
    assert await failures_of(world, org) == ["agent-1"]
    assert await failures_of(world, org, "TS-301") == []

    await world.http.patch(f"/assistant/{assistant['id']}", json={"model": assistant["model"]})
    await world.sync()
    assert await failures_of(world, org) == ["agent-1"], "nobody asked"
    async with world.pool.acquire() as connection:
        failed = await list_failures(connection, org_id=org, code="TS-304", since=None, limit=100)
    assert await retry_failures(world.log, failed, "a test") == 1
    await world.sync()

    assert len(await world.events(org, RetryRequested)) == 1
    recovered = (await world.events(org, AssistantSynced))[-1]
    assert (recovered.agent_id, recovered.cause, recovered.requests) == ("agent-1", "recovered", ())
    assert recovered.sequence is not None
    assert await failures_of(world, org) == []


async def test_a_job_of_retries_is_told_by_the_log_what_healed_and_what_failed_again(world: World) -> None:
    healing, failing = uuid4(), uuid4()
    for org in (healing, failing):
        assistant = await world.assistant()
        await world.http.patch(f"/assistant/{assistant['id']}", json={"model": None})
        await world.save(org, {**assistant, "model": None})
        await world.sync()
        if org == healing:
            await world.http.patch(f"/assistant/{assistant['id']}", json={"model": assistant["model"]})
    which, retrying = Which(code="TS-304"), Retrying(world.pool, world.log)
    async with world.pool.acquire() as connection:
        count = await count_failures(connection, which, 10)
        job_id = await begin_retry(connection, which, count, "a model was chosen", "platform:lee")
        job = await read_retry(connection, job_id)
        assert job is not None
        assert (count.assistants, count.organizations, job.actor, job.which) == (2, 2, "platform:lee", which)
        assert await retrying.run_once()
        assert (await retry_progress(connection, job.correlation_id)).open == 2
        await world.sync()
        progress = await retry_progress(connection, job.correlation_id)
        assert (progress.asked, progress.open, progress.healed, progress.failing, progress.gone) == (2, 0, 1, 1, 0)
        assert not await retrying.run_once()
        job = await read_retry(connection, job_id)
        assert job is not None
        assert job.ended_why == ALL_ASKED
    assert (await world.events(healing, AssistantSynced))[-1].cause == "recovered"
    assert len(await world.events(failing, AssistantSyncFailed)) == 1, "the same failure is not told twice"


def saved(org: UUID, assistant: dict[str, object], request_id: UUID) -> Record:
    message = AssistantSaved(
        org_id=org,
        request_id=request_id,
        agent_id="agent-1",
        assistant_id=str(assistant["id"]),
        revision=1,
        model_hash=model_hash(assistant["model"]),  # type: ignore[arg-type]
        cause="save",
    )
    return to_record(message, id=request_id, time=datetime.now(UTC), log_id=uuid4())


async def set_aside(world: World, offset: int, record: Record, org: UUID, value: bytes | None = None) -> None:
    headers = [[name, raw.decode()] for name, raw in record.headers]
    await world.pool.execute(INSERT, offset, record.key, headers, value or record.value, org)


async def test_dead_letters_are_taken_in_again_and_no_request_gets_two_outcomes(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    first, answered = uuid4(), uuid4()
    await set_aside(world, 1, saved(org, assistant, first), org)
    await set_aside(world, 2, saved(org, assistant, answered), org)
    await set_aside(world, 3, saved(org, assistant, uuid4()), org, value=b"{")
    await world.append(org, RequestUnreadable(answered, None))
    await world.sync()

    async with world.pool.acquire() as connection:
        letters = await list_letters(connection, org_id=org, since=None, closed=False, limit=10)
        answers = await replay_letters(connection, world.log, letters, "a test")
        assert [answer.problem is None for answer in answers] == [True, True, False]
        left = await list_letters(connection, org_id=org, since=None, closed=False, limit=10)
        assert [letter.offset for letter in left] == [3]
        again = await replay_letters(connection, world.log, left, "a test")
        assert again[0].problem is not None
        one = await read_letter(connection, letters[0].id)
        assert one is not None
        assert (one.closed_by, one.value) == ("replayed", letters[0].value)
        assert await read_letter(connection, 10_000) is None
    await world.sync()

    asked = [event.request_id for event in await world.events(org, SyncRequested)]
    assert asked == [first, uuid5(REPLAYED, str(answered))]
    settled = [
        request.request_id
        for outcome in await world.events(org, AssistantSynced, AssistantSyncFailed)
        for request in outcome.requests
    ]
    assert sorted(settled) == sorted([first, answered, uuid5(REPLAYED, str(answered))])
