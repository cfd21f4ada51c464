"""Saves are taken in turns of clinics: one with hundreds of them is one among others."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from tests.support.eventually import eventually

from assistant_api.provisioner.claim import CLAIM_BULK, CLAIM_SAVES, Claimed, InTurns
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from .harness import Harness, Vapi, make_settings, running

PLACES, RESERVED = 12, 4


@pytest_asyncio.fixture(loop_scope="session")
async def narrow(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    settings = make_settings(
        assistant_api_db, sandbox, answer_wait_seconds=0.1, provision_concurrency_max=PLACES,
        provision_reserved_for_saves=RESERVED,
    )  # fmt: skip
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness


@pytest_asyncio.fixture(loop_scope="session")
async def still(narrow: Harness) -> Harness:
    """Nothing is provisioned by itself: the pass that ran when this was asked for has ended, too."""
    await narrow.suspend_provisioning()
    return narrow


async def saved(harness: Harness, org_id: UUID, count: int, *, bulk: bool = False) -> None:
    """Agents as plain SQL puts them in."""
    await harness.owner.executemany(
        "INSERT INTO agents (org_id, id, name) VALUES ($1, $2, 'Reception')",
        [(org_id, f"{org_id}-{n:04}") for n in range(count)],
    )
    if bulk:
        await harness.owner.execute("UPDATE agents SET bulk = true WHERE org_id = $1", org_id)


async def claimed(
    harness: Harness, turns: InTurns, limit: int, running_now: Counter[UUID] | None = None
) -> list[Claimed]:
    async with harness.service.database.connection() as connection:
        return list(await turns.claim(connection, limit, running_now or Counter()))


async def test_every_clinic_has_its_turn_and_who_is_alone_has_all_places(still: Harness) -> None:
    orgs = [await still.organization(f"Clinic {n}") for n in range(5)]
    for org_id, count in zip(orgs, (300, 1, 2, 1, 40), strict=True):
        await saved(still, org_id, count)
    turns = InTurns(CLAIM_SAVES, per_org_max=100, lease_seconds=30)

    first = Counter(agent.org_id for agent in await claimed(still, turns, 10))
    assert all(first[org_id] >= 1 for org_id in orgs), first
    assert max(first.values()) <= 4, "as many for each, and what is left to whoever has more"

    rest = Counter([agent.org_id for _ in range(8) for agent in await claimed(still, turns, 50)])
    assert sum((first + rest).values()) == 344
    assert await claimed(still, turns, 10) == []


async def test_a_claim_for_one_goes_round_all_clinics(still: Harness) -> None:
    orgs = [await still.organization(f"Clinic {n}") for n in range(4)]
    for org_id in orgs:
        await saved(still, org_id, 20)
    turns = InTurns(CLAIM_SAVES, per_org_max=100, lease_seconds=30)

    order = [agent.org_id for _ in range(12) for agent in await claimed(still, turns, 1)]

    assert Counter(order) == dict.fromkeys(orgs, 3)
    assert order[:4] == order[4:8] == order[8:]


async def test_no_clinic_has_more_places_than_one_may_have(still: Harness) -> None:
    much, little = await still.organization("Much"), await still.organization("Little")
    await saved(still, much, 50)
    turns = InTurns(CLAIM_SAVES, per_org_max=8, lease_seconds=30)

    assert len(await claimed(still, turns, 20)) == 8
    assert await claimed(still, turns, 20, Counter({much: 8})) == []
    await saved(still, little, 1)
    assert [agent.org_id for agent in await claimed(still, turns, 20, Counter({much: 8}))] == [little]
    assert len(await claimed(still, turns, 20, Counter({much: 5}))) == 3


async def test_two_processes_take_nothing_twice(still: Harness) -> None:
    for n in range(6):
        await saved(still, await still.organization(f"Clinic {n}"), 30)
    both = [InTurns(CLAIM_SAVES, per_org_max=100, lease_seconds=30) for _ in range(2)]

    taken = await asyncio.gather(*(claimed(still, both[n % 2], 30) for n in range(8)))

    agents = Counter(agent.agent_id for some in taken for agent in some)
    assert set(agents.values()) == {1}
    assert len(agents) == 180


async def test_of_bulk_work_too_every_clinic_has_its_turn_and_none_has_more_than_its_part(still: Harness) -> None:
    much, other = await still.organization("Much"), await still.organization("Other")
    await saved(still, much, 300, bulk=True)
    await saved(still, other, 2, bulk=True)
    turns = InTurns(CLAIM_BULK, per_org_max=4, lease_seconds=30)

    assert Counter(agent.org_id for agent in await claimed(still, turns, 50)) == {much: 4, other: 2}
    assert await claimed(still, turns, 50, Counter({much: 4})) == []
    assert len(await claimed(still, turns, 50, Counter({much: 3}))) == 1
    assert await claimed(still, InTurns(CLAIM_SAVES, per_org_max=4, lease_seconds=30), 50) == []


@pytest.mark.parametrize("bulk", [False, True], ids=["saves", "bulk"])
async def test_the_clinics_are_walked_by_the_index_beside_many_that_have_nothing_due(
    still: Harness, bulk: bool
) -> None:
    await still.owner.execute(
        "INSERT INTO organizations (id, name) SELECT gen_random_uuid(), 'Idle' FROM generate_series(1, 3000)"
    )
    await still.owner.execute(
        "INSERT INTO agents (org_id, id, name) SELECT id, id::text, 'Reception' FROM organizations"
    )
    await still.owner.execute("UPDATE agents SET provisioned_revision = saved_revision, model_hash = 'x'")
    busy = await still.organization("Busy")
    await saved(still, busy, 3, bulk=bulk)
    await still.owner.execute("ANALYZE agents")

    arguments: tuple[object, ...] = (5, UUID(int=1), 30.0, UUID(int=0), [], 9, [], [])
    async with still.service.database.connection() as connection:
        claim = (CLAIM_BULK if bulk else CLAIM_SAVES).of_all
        lines = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {claim}", *arguments)
    plan = "\n".join(row[0] for row in lines)

    assert "Seq Scan on agents" not in plan, plan
    read = [int(float(rows)) for rows in re.findall(r"on agents .*?actual rows=([\d.]+)", plan)]
    assert read, plan
    assert max(read) <= 3, plan


async def test_at_a_slow_vapi_a_clinics_save_does_not_wait_for_hundreds_of_another(narrow: Harness) -> None:
    much, other = await narrow.organization("Much"), await narrow.organization("Other")
    await narrow.vapi.dial(latency_ms=300)
    await saved(narrow, much, 150)
    await eventually(lambda: _creations_of(narrow, much, PLACES - RESERVED))

    answer = await narrow.post("/api/agents", {"id": "front", "name": "Front"}, other)
    assert answer.status_code in (200, 202)
    await eventually(lambda: _creations_of(narrow, other, 1))

    begun = await _creations_of(narrow, much, 0)
    assert begun <= 3 * (PLACES - RESERVED), "it had a place of its own, and waited for nobody's turn"


async def _creations_of(harness: Harness, org_id: UUID, wanted: int) -> int:
    asked = [it for it in await harness.vapi.requests() if it["method"] == "POST" and it["path"] == "/assistant"]
    count = sum(str(org_id) in str(it["body"]) for it in asked)
    return count if count >= wanted else 0
